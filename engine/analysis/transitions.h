// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "engine/analysis/shift_baseline.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// Predictability is measured on every so many tokens: often enough, and cheap.
inline constexpr int kPredictEvery = 8;

/// The newest tokens, whose choices are kept for the shifted baseline: at most this many, and fewer
/// for a large k, so that a baseline takes a fraction of a second.
inline constexpr int kRecentTokens = 2048;
inline constexpr int kRecentPairs = 1 << 18;  ///< n k^2

/// An expert of the next MoE layer and how often it follows.
struct NextExpert {
    int expert = 0;
    std::int64_t count = 0;  ///< tokens with both
    double probability = 0;  ///< T(i -> j)
};

/// From one main MoE layer to the next one: which experts a token chooses there, given those it
/// chose here. All k x k pairs of a token count.
struct TransitionValue {
    int row = 0;                             ///< of the first layer; the second is row + 1
    int layer = -1;                          ///< absolute index of the first layer
    int nextLayer = -1;                      ///< absolute index of the second layer
    int topK = 0;                            ///< k
    std::int64_t n = 0;                      ///< tokens with choices in both layers
    std::int64_t pairs = 0;                  ///< N, sum of counts; n k^2 when no slot was empty
    std::vector<std::uint32_t> singles;      ///< [E] of the n tokens, those that chose i here
    std::vector<std::uint32_t> nextSingles;  ///< [E] of the n tokens, those that chose j next
    std::vector<std::uint32_t> counts;       ///< [E * E], [i * E + j]; empty without tokens

    std::int64_t predicted = 0;         ///< n of the two recalls: every kPredictEvery-th token
    std::int64_t predictedChoices = 0;  ///< their choices in the next layer
    std::int64_t recalled = 0;          ///< of these, named by the counts
    std::int64_t popularRecalled = 0;   ///< of these, among the k most chosen so far

    int experts() const { return static_cast<int>(singles.size()); }
    std::int64_t count(int i, int j) const;
    /// T(i -> j): of the tokens that chose i, the share that chose j in the next layer. A row of T
    /// sums to k. NaN if none chose i.
    double probability(int i, int j) const;
    /// What T(i -> j) is by chance, for this load of j: the share of all tokens that chose j.
    double chanceProbability(int j) const;
    /// The experts that most often follow i, most frequent first (ties: lower id first).
    std::vector<NextExpert> topNext(int i, int limit) const;

    /// Mutual information of the pair table, in nats: what one choice here tells about one choice
    /// in the next layer. Plug-in estimate, too large at small n. NaN without tokens.
    double mutualInformation() const;
    /// What the plug-in estimate is on average when the two layers are independent, to first order
    /// in 1/n: (e - k)(e' - k) / (2 N), with e and e' the numbers of experts seen. This is the
    /// Miller-Madow term (e - 1)(e' - 1) / (2 N) for k x k pairs of one token, which are not
    /// independent of each other: k choices without replacement fix each other. Tokens are taken as
    /// independent; in running text they are not quite, so a small excess proves nothing. Holds
    /// from about one expected count a cell on.
    double mutualInformationBias() const;
    /// mutualInformation() - mutualInformationBias(); may be negative by chance.
    double correctedMutualInformation() const;

    /// Recall@k of a predictor that knows only counts: it scores each expert of the next layer by
    /// the sum of counts from the token's experts in this layer, over all tokens before this one,
    /// and names the k best (ties: lower id). It predicts first and learns then, so every
    /// prediction is of unseen data. NaN without predictions.
    double recall() const;
    /// The same for one that always names the k experts most often chosen so far: what uneven load
    /// alone gives. Only recall above this comes from the layer before.
    double popularRecall() const;
    /// Recall of k experts named blindly: k / E.
    double chanceRecall() const;
};

/// Counts transitions between successive main MoE layers. Ordinary prefill and decode positions
/// count; special tokens, rejected drafts and the MTP layer do not. A table takes 4 E^2 bytes from
/// its first token on, the choices of the newest tokens 4 MiB at most for V3's shape. Not
/// thread-safe.
class TransitionCounter {
  public:
    /// Throws Error if there are MoE layers without experts or with more than 4096.
    explicit TransitionCounter(RoutingShape shape);
    /// Throws Error, and counts nothing, if the routing does not fit the shape. Positions whose
    /// routing was not recorded, and those of the MTP layer, are passed over.
    void add(const RoutedToken& token, bool mtp);
    /// Pairs of successive rows: main rows - 1.
    int rows() const { return static_cast<int>(m_rows.size()); }
    /// A copy of the counts from this main row to the next.
    TransitionValue value(int row) const;
    /// What the newest tokens chose in this main row and the next, those that chose in both.
    PairedChoices recent(int row) const;
    /// shiftBaseline() of recent(), for a value shown while tokens arrive: the one before is given
    /// again until an eighth of its tokens is new. Its n and its figures belong together.
    ShiftBaseline recentBaseline(int row) const;

  private:
    void remember(const std::vector<std::uint16_t>& experts);

    RoutingShape m_shape;
    std::vector<TransitionValue> m_rows;
    std::int64_t m_tokens = 0;
    std::size_t m_recentLimit = 0;        ///< tokens
    std::vector<std::uint16_t> m_recent;  ///< [tokens * main rows * k], a ring
    std::size_t m_oldest = 0;             ///< token of the ring that goes next

    struct Baseline {
        int row = -1;
        std::int64_t n = 0;  ///< tokens counted when it was made
        ShiftBaseline value;
    };
    mutable Baseline m_baseline;  ///< the last one made
};

}  // namespace gatescope
