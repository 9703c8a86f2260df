// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace gatescope {

/// Working memory of matching; one for each call chain, never shared between threads.
class RegexScratch {
  public:
    RegexScratch();
    ~RegexScratch();
    RegexScratch(const RegexScratch&) = delete;
    RegexScratch& operator=(const RegexScratch&) = delete;

  private:
    friend class Regex;
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

/// A compiled regular expression over valid UTF-8 (PCRE2, compiled to machine code where the
/// system allows it). Immutable: may be used from several threads, each with its own scratch.
class Regex {
  public:
    struct Match {
        std::size_t begin;
        std::size_t end;  ///< may equal begin
    };

    /// An expression in Oniguruma's syntax. Throws Error with the cause only.
    static Regex oniguruma(std::string_view pattern);
    /// Matches exactly this text.
    static Regex literal(std::string_view text);

    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;
    ~Regex();

    /// The first match at or after `from` (a character's border). `text` must be valid UTF-8. The
    /// number of steps is bounded in proportion to the text: beyond it Error with the cause only.
    std::optional<Match> search(std::string_view text, std::size_t from,
                                RegexScratch& scratch) const;

  private:
    Regex(std::string_view pcre2Pattern, std::uint32_t options);
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
