// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/ngram_lookup.h"

#include <algorithm>

namespace gatescope {

std::uint64_t NgramLookup::pair(std::int32_t a, std::int32_t b) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32 |
           static_cast<std::uint32_t>(b);
}

void NgramLookup::push(std::int32_t id) {
    m_text.push_back(id);
    m_before.push_back(kNowhere);
    if (m_text.size() < 2) return;
    const auto end = m_text.size() - 1;
    const auto [at, first] = m_lastEnd.try_emplace(pair(m_text[end - 1], id), end);
    if (first) return;
    m_before[end] = at->second;
    at->second = end;
}

int NgramLookup::agreeing(std::size_t earlier) const {
    int length = 0;
    auto a = earlier + 1;
    auto b = m_text.size();
    while (length < kLongest && a > 0 && m_text[a - 1] == m_text[b - 1]) {
        --a;
        --b;
        ++length;
    }
    return length;
}

NgramLookup::Match NgramLookup::longest() const {
    Match best;
    if (m_text.empty()) return best;
    for (auto end = m_before.back(); end != kNowhere; end = m_before[end]) {
        const int length = agreeing(end);
        if (length > best.length) best = {length, end + 1};
        if (length == kLongest) break;
    }
    return best;
}

std::vector<std::int32_t> NgramLookup::continuation(const Match& match, int count) const {
    std::vector<std::int32_t> out;
    if (match.length < kShortest) return out;
    for (int i = 0; i < count; ++i) {
        const auto at = match.following + static_cast<std::size_t>(i);
        out.push_back(at < m_text.size() ? m_text[at] : out[at - m_text.size()]);
    }
    return out;
}

}  // namespace gatescope
