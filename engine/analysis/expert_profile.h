// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

struct ProfileOptions {
    /// Tokens in a window of the load over time. 0: the smallest of 16, 32, 64, .. that gives at
    /// most kMostWindows windows.
    int window = 0;
    double shrinkage = 10;        ///< a in (n_iv + a p) / (n_v + a)
    std::int64_t leastSeen = 10;  ///< n_v below which a token's share says little
    int listed = 32;              ///< entries kept of each list
};
inline constexpr int kMostWindows = 64;

/// The expert's load in a run of successive tokens, with the 95 % range of a uniform router.
struct LoadWindow {
    std::int64_t firstToken = 0;  ///< index among the n tokens
    std::int64_t tokens = 0;      ///< in the window; the last one may be shorter
    std::int64_t chosen = 0;
    double relativeLoad = 0;  ///< chosen over chosen by chance; 1 is the fair share
    double low = 0;           ///< relative load: fewer have probability at most 2.5 % by chance
    double high = 0;          ///< relative load: more have probability at most 2.5 % by chance
};

/// A token id and how often it went to the expert (vocabulary specialisation by input id).
struct ProfileToken {
    std::int32_t id = 0;
    std::int64_t seen = 0;    ///< n_v
    std::int64_t routed = 0;  ///< n_iv
    double share = 0;         ///< n_iv / n_v
    double shrunk = 0;        ///< (n_iv + a p) / (n_v + a), p the chance level
    bool fewSeen = false;     ///< n_v below the least that says something
};

/// Another expert of the same layer, chosen by the same tokens.
struct CoactiveExpert {
    int expert = 0;
    std::int64_t count = 0;    ///< tokens that chose both
    double expectedCount = 0;  ///< by chance, given how often each is chosen
    double lift = 0;           ///< p_ij / (p_i p_j)
    double phi = 0;            ///< correlation of the two indicators
    bool masked = false;       ///< expected count below kMinExpectedPairs: lift is noise
};

/// An expert of the MoE layer before or after, chosen by the tokens that chose this one.
struct NeighbourExpert {
    int expert = 0;
    std::int64_t count = 0;  ///< tokens that chose both
    double share = 0;        ///< of the tokens that chose this expert
    double base = 0;         ///< of all tokens: what the share would be without a relation
    double ratio = 0;        ///< share / base
    bool masked = false;     ///< expected count below kMinExpectedPairs
};

/// All about one expert of one MoE layer, from tokens whose routing is in memory.
///
/// n are ordinary tokens (prefill and decode in a main layer, draft in the MTP layer) with a choice
/// in the layer. Special tokens and rejected drafts are left out: the former are routed extremely,
/// the latter are text that never was.
struct ExpertProfile {
    int row = 0;
    int layer = -1;  ///< absolute index
    int expert = 0;
    std::int64_t n = 0;
    std::int64_t leftOut = 0;  ///< tokens of other kinds that were given
    std::int64_t choices = 0;  ///< of all experts; n k when no slot was empty
    std::int64_t chosen = 0;   ///< c
    double chance = 0;         ///< p = choices / (n E), k / E when no slot was empty. NaN if n = 0
    double relativeLoad = 0;   ///< c / (n p). NaN without tokens
    double pLower = 1;         ///< P(X <= c) for X ~ Bin(n, p): small when the expert is cold
    double pUpper = 1;  ///< P(X >= c): small when it is hot; one expert looked at, not corrected

    double meanWeight = 0;              ///< gate weight when chosen. NaN if never chosen
    double meanAffinity = 0;            ///< s over the scored tokens. NaN without
    double meanAffinityWhenChosen = 0;  ///< NaN without
    std::int64_t scored = 0;            ///< n of meanAffinity
    std::int64_t scoredChosen = 0;      ///< n of meanAffinityWhenChosen
    double biasDecidedShare = 0;        ///< of the c choices, those bias 0 would not have made

    int windowTokens = 0;
    std::vector<LoadWindow> windows;
    std::int64_t distinctTokens = 0;       ///< different token ids among the n
    double shrinkage = 0;                  ///< a
    std::int64_t leastSeen = 0;            ///< n_v from which a token is not flagged
    std::vector<ProfileToken> topTokens;   ///< largest shrunken share first
    std::vector<CoactiveExpert> coactive;  ///< largest lift first, masked ones after the others
    std::vector<NeighbourExpert> before;   ///< main layers: most frequent first. Empty in the first
    std::vector<NeighbourExpert> after;    ///< the same for the next main layer
    int layerBefore = -1;
    int layerAfter = -1;
};

/// The profile over `tokens` in the order given: main-model tokens for a main row, MTP tokens for
/// the MTP row (the last one where there is one). Tokens whose routing was not recorded are passed
/// over. O(tokens k + E log E). Throws Error for a row or an expert that the model does not have,
/// and for routing that does not fit the shape.
ExpertProfile expertProfile(const RoutingShape& shape, std::span<const RoutedToken* const> tokens,
                            int row, int expert, const ProfileOptions& options = {});

}  // namespace gatescope
