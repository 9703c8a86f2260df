// SPDX-License-Identifier: Apache-2.0
#include "engine/text/added_tokens.h"

#include "engine/text/utf8.h"

namespace gatescope {
namespace {

/// Where the white space that ends at `end` begins, looking back no further than `least`.
std::size_t whiteSpaceBegin(std::string_view text, std::size_t least, std::size_t end) {
    while (end > least) {
        const std::string_view last = lastCharacter(text, end);
        if (!isWhiteSpace(utf8StepAt(last, 0).codePoint)) break;
        end -= last.size();
    }
    return end;
}

std::size_t whiteSpaceEnd(std::string_view text, std::size_t begin) {
    while (begin < text.size()) {
        const Utf8Step step = utf8StepAt(text, begin);
        if (!isWhiteSpace(step.codePoint)) break;
        begin += step.length;
    }
    return begin;
}

/// What touches a single_word token: Alphabetic, marks, Nd, Pc and the joiners. (This is \w of
/// Rust's regular expressions, which Hugging Face uses here; Oniguruma's differs by a few
/// characters.)
constexpr std::string_view wordCharacter =
    R"(\A[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200C}\x{200D}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}]\z)";

std::uint64_t edge(std::uint32_t node, char byte) {
    return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
}

}  // namespace

void AddedTokenFinder::Trie::insert(std::string_view content, std::size_t token) {
    m_starts[static_cast<unsigned char>(content.front())] = true;
    std::uint32_t node = 0;
    for (const char byte : content) {
        const auto created = static_cast<std::uint32_t>(m_nodes.size());
        const auto [place, isNew] = m_edges.emplace(edge(node, byte), created);
        if (isNew) m_nodes.push_back(std::nullopt);
        node = place->second;
    }
    m_nodes[node] = token;
}

std::optional<std::size_t> AddedTokenFinder::Trie::longestAt(std::string_view text,
                                                             std::size_t at) const {
    if (!m_starts[static_cast<unsigned char>(text[at])]) return std::nullopt;
    std::optional<std::size_t> longest;
    std::uint32_t node = 0;
    for (; at < text.size(); ++at) {
        const auto place = m_edges.find(edge(node, text[at]));
        if (place == m_edges.end()) break;
        node = place->second;
        if (m_nodes[node]) longest = m_nodes[node];
    }
    return longest;
}

AddedTokenFinder::AddedTokenFinder(const std::vector<AddedToken>& tokens)
    : m_tokens(tokens), m_word(Regex::oniguruma(wordCharacter)) {
    for (std::size_t i = 0; i < m_tokens.size(); ++i) {
        (m_tokens[i].normalized ? m_normalized : m_exact).insert(m_tokens[i].content, i);
    }
}

std::vector<Section> AddedTokenFinder::sections(std::string_view text,
                                                RegexScratch& scratch) const {
    std::vector<Section> first, all;
    cut(m_exact, text, scratch, first);
    if (m_normalized.empty()) return first;
    for (const Section& section : first) {
        if (section.token) {
            all.push_back(section);
        } else {
            cut(m_normalized, section.text, scratch, all);
        }
    }
    return all;
}

void AddedTokenFinder::cut(const Trie& trie, std::string_view text, RegexScratch& scratch,
                           std::vector<Section>& out) const {
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto found = trie.longestAt(text, at);
        if (!found) {
            ++at;
            continue;
        }
        const AddedToken& token = m_tokens[*found];
        std::size_t begin = at, end = at + token.content.size();
        at = end;
        if (token.singleWord && touchesWord(text, begin, end, scratch)) continue;
        if (token.lstrip) begin = whiteSpaceBegin(text, done, begin);
        if (token.rstrip) at = end = whiteSpaceEnd(text, end);
        if (done < begin) out.push_back({text.substr(done, begin - done), std::nullopt});
        out.push_back({text.substr(begin, end - begin), token.id});
        done = end;
    }
    if (done < text.size()) out.push_back({text.substr(done), std::nullopt});
}

bool AddedTokenFinder::touchesWord(std::string_view text, std::size_t begin, std::size_t end,
                                   RegexScratch& scratch) const {
    const auto isWord = [&](std::string_view character) {
        return m_word.search(character, 0, scratch).has_value();
    };
    return (begin > 0 && isWord(lastCharacter(text, begin))) ||
           (end < text.size() && isWord(text.substr(end, utf8StepAt(text, end).length)));
}

}  // namespace gatescope
