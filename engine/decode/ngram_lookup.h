// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace gatescope {

/// Prompt lookup decoding (Saxena 2023; "n-gram" speculation in serving engines): what followed the
/// longest earlier occurrence of the text's last tokens is the draft of what follows now.
class NgramLookup {
  public:
    /// Shorter matches are no evidence; longer ones are not told apart.
    static constexpr int kShortest = 2;
    static constexpr int kLongest = 32;

    void push(std::int32_t id);

    struct Match {
        int length = 0;             ///< tokens that agree, at most kLongest; 0: none of kShortest
        std::size_t following = 0;  ///< index of the token after the earlier occurrence
    };
    /// The longest earlier occurrence of a suffix of the text, of equals the latest.
    Match longest() const;
    /// `count` tokens from `match.following` on. Where the text ends they go on with themselves, as
    /// in a text that repeats.
    std::vector<std::int32_t> continuation(const Match& match, int count) const;

    std::span<const std::int32_t> text() const { return m_text; }

  private:
    static std::uint64_t pair(std::int32_t a, std::int32_t b);
    int agreeing(std::size_t earlier) const;

    static constexpr std::size_t kNowhere = ~std::size_t{0};

    std::vector<std::int32_t> m_text;
    /// [text] where the same two tokens ended before; a chain through all earlier occurrences.
    std::vector<std::size_t> m_before;
    std::unordered_map<std::uint64_t, std::size_t> m_lastEnd;  ///< of every pair of tokens
};

}  // namespace gatescope
