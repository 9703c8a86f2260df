// SPDX-License-Identifier: Apache-2.0
#include "engine/text/pre_tokenizer.h"

#include <algorithm>

#include "engine/error.h"

namespace gatescope {
namespace {

/// A stretch of a piece: a match of the stage's expression, or what lies between two matches.
struct Stretch {
    std::size_t begin;
    std::size_t end;
    bool match;
};

/// All stretches of `text` in order. A match may be empty, but not directly after another one.
void findStretches(const Regex& regex, bool invert, std::string_view text, RegexScratch& scratch,
                   std::vector<Stretch>& out) {
    out.clear();
    std::size_t from = 0, previousEnd = 0;
    bool afterMatch = false;
    while (from <= text.size()) {
        const auto found = regex.search(text, from, scratch);
        if (!found) break;
        if (found->begin == found->end && afterMatch && found->end == previousEnd) {
            do {
                ++from;
            } while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80);
            continue;
        }
        if (found->begin != previousEnd) out.push_back({previousEnd, found->begin, invert});
        out.push_back({found->begin, found->end, !invert});
        previousEnd = from = found->end;
        afterMatch = true;
    }
    if (previousEnd != text.size()) out.push_back({previousEnd, text.size(), invert});
}

void put(std::string_view text, std::size_t begin, std::size_t end,
         std::vector<std::string_view>& out) {
    if (begin != end) out.push_back(text.substr(begin, end - begin));
}

/// Joins stretches while `joins(previous is match, this is match)` says so.
template <typename Joins>
void putJoined(std::string_view text, const std::vector<Stretch>& stretches, Joins joins,
               std::vector<std::string_view>& out) {
    for (std::size_t i = 0; i < stretches.size();) {
        std::size_t last = i;
        while (last + 1 < stretches.size() &&
               joins(stretches[last].match, stretches[last + 1].match)) {
            ++last;
        }
        put(text, stretches[i].begin, stretches[last].end, out);
        i = last + 1;
    }
}

void putStretches(std::string_view text, const std::vector<Stretch>& stretches,
                  SplitBehavior behavior, std::vector<std::string_view>& out) {
    switch (behavior) {
        case SplitBehavior::Isolated:
            for (const Stretch& s : stretches) put(text, s.begin, s.end, out);
            break;
        case SplitBehavior::Removed:
            for (const Stretch& s : stretches) {
                if (!s.match) put(text, s.begin, s.end, out);
            }
            break;
        case SplitBehavior::MergedWithPrevious:
            putJoined(
                text, stretches, [](bool a, bool b) { return !a && b; }, out);
            break;
        case SplitBehavior::MergedWithNext:
            putJoined(
                text, stretches, [](bool a, bool b) { return a && !b; }, out);
            break;
        case SplitBehavior::Contiguous:
            putJoined(
                text, stretches, [](bool a, bool b) { return a == b; }, out);
            break;
    }
}

}  // namespace

void PreTokenizer::split(std::string_view text, Pieces& pieces, RegexScratch& scratch) const {
    std::vector<std::string_view> now, next;
    std::vector<Stretch> stretches;
    put(text, 0, text.size(), now);
    for (std::size_t i = 0; i <= m_stages.size(); ++i) {
        if (i == m_beforePrefix && m_addPrefixSpace) {
            for (std::string_view& piece : now) {
                if (piece.front() != ' ') {
                    piece = pieces.owned.emplace_back(1, ' ').append(piece);
                }
            }
        }
        if (i == m_stages.size()) break;
        const Stage& stage = m_stages[i];
        next.clear();
        for (const std::string_view piece : now) {
            try {
                findStretches(stage.regex, stage.invert, piece, scratch, stretches);
            } catch (const Error& error) {
                throw fileError("tokenizer.json", stage.item, error.what());
            }
            putStretches(piece, stretches, stage.behavior, next);
        }
        now.swap(next);
    }
    pieces.list.insert(pieces.list.end(), now.begin(), now.end());
}

}  // namespace gatescope
