// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/text/regex.h"
#include "engine/text/tokenizer.h"

namespace gatescope {

/// One entry of added_tokens in tokenizer.json.
struct AddedToken {
    TokenId id = 0;
    std::string content;
    bool singleWord = false;  ///< only where no word character touches it
    bool lstrip = false;      ///< takes the white space before it
    bool rstrip = false;      ///< takes the white space after it
    bool normalized = false;  ///< found in the second pass, after all tokens without this flag
    bool special = false;
};

/// Longest added token that may be searched for; bounds the work at one place of a text.
constexpr std::size_t maxAddedTokenBytes = 512;

/// A stretch of a text: an added token, or plain text between them.
struct Section {
    std::string_view text;
    std::optional<TokenId> token;
};

/// Finds added tokens in a text, leftmost first and the longest at one place.
class AddedTokenFinder {
  public:
    explicit AddedTokenFinder(const std::vector<AddedToken>& tokens);

    /// Cuts `text` at its added tokens; sections are in order and none is empty.
    std::vector<Section> sections(std::string_view text, RegexScratch& scratch) const;

  private:
    /// A tree of bytes over the texts of some tokens.
    class Trie {
      public:
        void insert(std::string_view content, std::size_t token);
        bool empty() const { return m_nodes.size() == 1; }
        /// The longest token that begins at `at`, or nothing.
        std::optional<std::size_t> longestAt(std::string_view text, std::size_t at) const;

      private:
        std::unordered_map<std::uint64_t, std::uint32_t> m_edges;          ///< (node, byte) -> node
        std::vector<std::optional<std::size_t>> m_nodes = {std::nullopt};  ///< token ending here
        std::array<bool, 256> m_starts{};
    };

    void cut(const Trie& trie, std::string_view text, RegexScratch& scratch,
             std::vector<Section>& out) const;
    bool touchesWord(std::string_view text, std::size_t begin, std::size_t end,
                     RegexScratch& scratch) const;

    std::vector<AddedToken> m_tokens;
    Trie m_exact;       ///< tokens that are not `normalized`
    Trie m_normalized;  ///< the others; with no normalizer their text is the same
    Regex m_word;
};

}  // namespace gatescope
