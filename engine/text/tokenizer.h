// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatescope {

using TokenId = std::int32_t;

enum class InvalidUtf8 { Reject, Replace };

/// Byte-level BPE as described by a Hugging Face tokenizer.json: its own pre_tokenizer sequence
/// (Split regexes, ByteLevel, Digits), merges, added and special tokens.
class Tokenizer {
  public:
    /// Reads DIR/tokenizer.json and DIR/tokenizer_config.json. Throws Error naming file, item,
    /// cause.
    explicit Tokenizer(const std::filesystem::path& dir);
    ~Tokenizer();
    Tokenizer(Tokenizer&&) noexcept;

    /// Text to ids, no BOS added. With parseSpecial, added tokens written in the text become their
    /// ids (as Hugging Face does); without, they are ordinary text, so what a user types can never
    /// forge a role marker. Bytes that are not UTF-8: Error, or U+FFFD per maximal subpart.
    std::vector<TokenId> encode(std::string_view text, bool parseSpecial = true,
                                InvalidUtf8 invalid = InvalidUtf8::Replace) const;

    /// The pieces after pre-tokenising (before BPE); for tests and inspection.
    std::vector<std::string> pieces(std::string_view text) const;

    /// The bytes of one id; special tokens give their text, an unused id gives nothing.
    std::string_view bytes(TokenId id) const;
    /// All bytes, special tokens included unless skipped.
    std::string decode(const std::vector<TokenId>& ids, bool skipSpecial = false) const;

    bool isSpecial(TokenId id) const;  ///< an added token flagged special
    bool isAdded(TokenId id) const;    ///< any added token (role markers, <think>, ...)
    std::optional<TokenId> find(std::string_view token) const;  ///< an added token by its text
    std::size_t vocabSize() const;                              ///< largest id + 1

    bool addBos() const;                      ///< tokenizer_config.json: add_bos_token
    std::optional<TokenId> bos() const;       ///< tokenizer_config.json: bos_token
    std::optional<TokenId> eos() const;       ///< tokenizer_config.json: eos_token
    const std::string& chatTemplate() const;  ///< tokenizer_config.json: chat_template, or empty

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
