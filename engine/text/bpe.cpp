// SPDX-License-Identifier: Apache-2.0
#include "engine/text/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr std::uint32_t noRank = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t noSymbol = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t noPair = std::numeric_limits<std::uint64_t>::max();

constexpr std::size_t fewSymbols = 48;   ///< up to here scanning all pairs beats a heap
constexpr std::size_t cachedBytes = 48;  ///< longest piece worth remembering
constexpr std::size_t cacheEntries = 1 << 15;

std::uint64_t pairOf(TokenId left, TokenId right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
}

std::uint64_t hashOf(std::uint64_t pair) {
    pair *= 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio: spreads neighbouring ids
    return pair ^ pair >> 32;
}

}  // namespace

Bpe::Bpe(Model model) : m_model(std::move(model)) {
    const std::size_t size = std::bit_ceil(2 * m_model.merges.size() + 2);
    m_slots.assign(size, Slot{noPair, noRank, -1});
    m_mask = size - 1;
    for (std::size_t i = 0; i < m_model.merges.size(); ++i) {
        insert(m_model.merges[i], static_cast<std::uint32_t>(i));
    }
    m_model.merges = {};
}

void Bpe::insert(const Merge& merge, std::uint32_t rank) {
    const std::uint64_t pair = pairOf(merge.left, merge.right);
    std::uint64_t at = hashOf(pair) & m_mask;
    while (m_slots[at].pair != noPair && m_slots[at].pair != pair) at = (at + 1) & m_mask;
    m_slots[at] = {pair, rank, merge.result};
}

const Bpe::Slot& Bpe::slotOf(std::uint64_t pair) const {
    std::uint64_t at = hashOf(pair) & m_mask;
    while (m_slots[at].pair != pair && m_slots[at].pair != noPair) at = (at + 1) & m_mask;
    return m_slots[at];
}

void Bpe::encode(std::string_view piece, BpeScratch& scratch, std::vector<TokenId>& out) const {
    if (piece.size() == 1 && m_model.byteTokens[static_cast<unsigned char>(piece[0])] >= 0) {
        out.push_back(m_model.byteTokens[static_cast<unsigned char>(piece[0])]);
        return;
    }
    if (piece.size() > cachedBytes) return merge(piece, scratch, out);
    auto [place, isNew] = scratch.m_cache.try_emplace(std::string(piece));
    if (isNew) {
        std::vector<TokenId> ids;
        merge(piece, scratch, ids);
        if (scratch.m_cache.size() > cacheEntries) {
            scratch.m_cache.clear();
            place = scratch.m_cache.try_emplace(std::string(piece)).first;
        }
        place->second = std::move(ids);
    }
    out.insert(out.end(), place->second.begin(), place->second.end());
}

void Bpe::merge(std::string_view piece, BpeScratch& scratch, std::vector<TokenId>& out) const {
    if (m_model.ignoreMerges) {
        const auto whole = m_model.tokens.find(std::string(piece));
        if (whole != m_model.tokens.end()) {
            out.push_back(whole->second);
            return;
        }
    }
    auto& symbols = scratch.m_symbols;
    putSymbols(piece, symbols);
    for (std::uint32_t i = 0; i < symbols.size(); ++i) rankPair(scratch, i);
    if (symbols.size() <= fewSymbols) {
        mergeFew(scratch);
    } else {
        mergeMany(scratch);
    }
    for (std::uint32_t i = 0; i != noSymbol; i = symbols[i].next) out.push_back(symbols[i].id);
}

void Bpe::putSymbols(std::string_view piece, std::vector<BpeScratch::Symbol>& symbols) const {
    if (piece.size() >= noSymbol) throw Error("the text is longer than 4 GiB without a border");
    symbols.clear();
    bool afterUnknown = false;
    for (const char c : piece) {
        const auto byte = static_cast<unsigned char>(c);
        const TokenId id = m_model.byteTokens[byte];
        if (id < 0 && !m_model.unknown) {
            throw Error(fmt::format("the vocabulary lacks the byte 0x{:02X} of the text", byte));
        }
        if (id < 0 && afterUnknown && m_model.fuseUnknown) continue;
        afterUnknown = id < 0;
        const auto at = static_cast<std::uint32_t>(symbols.size());
        symbols.push_back({id < 0 ? *m_model.unknown : id, noRank, at - 1, at + 1});
    }
    symbols.front().previous = noSymbol;
    symbols.back().next = noSymbol;
}

void Bpe::rankPair(BpeScratch& scratch, std::uint32_t at) const {
    BpeScratch::Symbol& symbol = scratch.m_symbols[at];
    symbol.rank = noRank;
    if (symbol.next == noSymbol) return;
    ++scratch.pairsSeen;
    symbol.rank = slotOf(pairOf(symbol.id, scratch.m_symbols[symbol.next].id)).rank;
}

/// Merges symbol `at` with its next one and ranks the two pairs this changes.
void Bpe::joinWithNext(BpeScratch& scratch, std::uint32_t at) const {
    auto& symbols = scratch.m_symbols;
    BpeScratch::Symbol& left = symbols[at];
    BpeScratch::Symbol& right = symbols[left.next];
    left.id = slotOf(pairOf(left.id, right.id)).result;
    left.next = right.next;
    right.rank = noRank;
    if (left.next != noSymbol) symbols[left.next].previous = at;
    rankPair(scratch, at);
    if (left.previous != noSymbol) rankPair(scratch, left.previous);
}

void Bpe::mergeFew(BpeScratch& scratch) const {
    const auto& symbols = scratch.m_symbols;
    while (true) {
        std::uint32_t best = 0;
        for (std::uint32_t i = symbols[0].next; i != noSymbol; i = symbols[i].next) {
            if (symbols[i].rank < symbols[best].rank) best = i;
        }
        if (symbols[best].rank == noRank) return;
        joinWithNext(scratch, best);
    }
}

void Bpe::mergeMany(BpeScratch& scratch) const {
    const auto& symbols = scratch.m_symbols;
    auto& heap = scratch.m_heap;
    const auto entry = [&](std::uint32_t at) { return std::uint64_t{symbols[at].rank} << 32 | at; };
    const auto push = [&](std::uint32_t at) {
        if (at == noSymbol || symbols[at].rank == noRank) return;
        heap.push_back(entry(at));
        std::push_heap(heap.begin(), heap.end(), std::greater<>());
    };
    heap.clear();
    for (std::uint32_t i = 0; i < symbols.size(); ++i) {
        if (symbols[i].rank != noRank) heap.push_back(entry(i));
    }
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    while (!heap.empty()) {
        const std::uint64_t top = heap.front();
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        heap.pop_back();
        const auto at = static_cast<std::uint32_t>(top);
        if (top != entry(at)) continue;  // the pair has changed since
        joinWithNext(scratch, at);
        push(at);
        push(symbols[at].previous);
    }
}

}  // namespace gatescope
