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

#include "engine/text/tokenizer.h"

namespace gatescope {

/// Working memory of merging; one for each call of encode, never shared between threads.
class BpeScratch {
  public:
    std::uint64_t pairsSeen = 0;  ///< pairs looked up so far: the work done, for tests

  private:
    friend class Bpe;
    struct Symbol {
        TokenId id;
        std::uint32_t rank;  ///< of the pair this symbol forms with the next one
        std::uint32_t previous;
        std::uint32_t next;
    };
    std::vector<Symbol> m_symbols;
    std::vector<std::uint64_t> m_heap;  ///< rank << 32 | position, smallest first
    std::unordered_map<std::string, std::vector<TokenId>> m_cache;
};

/// The merges of a byte-level BPE model: turns the bytes of one piece into ids. The pair with the
/// lowest rank is merged first, the leftmost of equals (Sennrich et al., arXiv 1508.07909).
class Bpe {
  public:
    struct Merge {
        TokenId left;
        TokenId right;
        TokenId result;
    };
    struct Model {
        std::array<TokenId, 256> byteTokens;  ///< -1: the vocabulary lacks this byte
        std::vector<Merge> merges;            ///< by rank; of equal pairs the last one counts
        std::optional<TokenId> unknown;       ///< stands for lacking bytes
        bool fuseUnknown = false;             ///< one `unknown` for a run of lacking bytes
        bool ignoreMerges = false;            ///< a piece that is a token becomes that token
        std::unordered_map<std::string, TokenId> tokens;  ///< bytes -> id, for ignoreMerges
    };

    explicit Bpe(Model model);

    /// Appends the ids of `piece`. Takes O(n log n) time and O(n) memory. Throws Error with the
    /// cause only if a byte is lacking and there is no `unknown`.
    void encode(std::string_view piece, BpeScratch& scratch, std::vector<TokenId>& out) const;

  private:
    struct Slot {
        std::uint64_t pair;
        std::uint32_t rank;
        TokenId result;
    };

    void insert(const Merge& merge, std::uint32_t rank);
    const Slot& slotOf(std::uint64_t pair) const;
    void merge(std::string_view piece, BpeScratch& scratch, std::vector<TokenId>& out) const;
    void putSymbols(std::string_view piece, std::vector<BpeScratch::Symbol>& symbols) const;
    void mergeFew(BpeScratch& scratch) const;
    void mergeMany(BpeScratch& scratch) const;
    void joinWithNext(BpeScratch& scratch, std::uint32_t at) const;
    void rankPair(BpeScratch& scratch, std::uint32_t at) const;

    Model m_model;
    std::vector<Slot> m_slots;  ///< open addressing, at most half full
    std::uint64_t m_mask;
};

}  // namespace gatescope
