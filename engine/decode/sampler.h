// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

#include "engine/decode/generation.h"
#include "engine/model/logits_reader.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

/// Chooses tokens from logits by SamplingParams. The n-th choice uses the n-th set of random
/// numbers of the seed, one number per token id, so the same seed gives the same text however the
/// logits were computed (with drafts or without).
///
/// A token is drawn as the winner of an exponential race: the least E_i / p_i, E_i exponential with
/// mean 1 (the Gumbel-max trick, Gumbel 1954; Maddison et al. 2014). A drafter that runs the same
/// race with its own probabilities q drafts the very token the main model will draw with
/// probability of at least (1 - d) / (1 + d), d the total variation distance of p and q (Daliri,
/// Musco & Suresh 2024), and what the main model draws is distributed as p whatever was drafted.
class Sampler {
  public:
    /// `vocabLimit` as in GenerationParams; `alternatives`: how many to report.
    Sampler(const SamplingParams& params, int vocabLimit, int alternatives);

    struct Choice {
        std::int32_t id = 0;
        float probability = 0;     ///< after penalty, temperature and filters
        float rawProbability = 0;  ///< softmax of the logits as they came
        std::vector<TokenEvent::Alternative> alternatives;
        /// Probability of `ofInterest` after penalty, temperature and filters; 0 if not asked for.
        float probabilityOfInterest = 0;
    };

    bool greedy() const { return m_params.temperature <= 0; }

    /// A token of prompt or answer: the repetition penalty looks at the set of them.
    void see(std::int32_t id) { m_seen.insert(id); }

    /// Chooses from logits [vocab_size]. `ofInterest`: an id whose probability is wanted, or -1.
    Choice choose(std::span<const float> logits, std::int32_t ofInterest = -1);
    /// The largest logits that make the same choice as the whole row; k is 0 where the parameters
    /// need the whole row.
    TopRequest enough() const;
    /// Chooses from what enough() asked for.
    Choice choose(const TopRow& top, std::int32_t ofInterest = -1);

    /// What choose() would return with a drafter's logits in place of the main model's, once
    /// `drafted` have been chosen. Without alternatives; nothing counts as chosen.
    Choice draft(std::span<const float> logits, std::span<const std::int32_t> drafted) const;
    Choice draft(const TopRow& top, std::span<const std::int32_t> drafted) const;

  private:
    struct Candidate {
        float value;  ///< logit, then probability
        std::int32_t id;
    };

    std::vector<Candidate> candidates(std::span<const float> logits,
                                      std::span<const std::int32_t> drafted) const;
    static std::vector<Candidate> candidates(const TopRow& top);
    /// Keeps the candidates that pass top-k, top-p and min-p, as probabilities that sum to 1.
    void filter(std::vector<Candidate>& all) const;
    /// The winner among probabilities that sum to 1, by the numbers of the draw.
    const Candidate& race(const std::vector<Candidate>& all, std::uint64_t draw) const;
    /// Chooses among all candidates; of equals the first (greedy).
    void pick(Choice& choice, std::vector<Candidate>& all, std::int32_t ofInterest,
              std::uint64_t draw) const;
    /// Its raw probability and the alternatives.
    static void describe(Choice& choice, std::span<const float> logits, int alternatives);
    static void describe(Choice& choice, const TopRow& top, int alternatives);

    SamplingParams m_params;
    std::size_t m_vocabLimit;
    int m_alternatives;
    std::unordered_set<std::int32_t> m_seen;
    std::uint64_t m_draws = 0;
};

/// Index of the largest value; the lower index wins a tie.
std::int32_t argMax(std::span<const float> values);

}  // namespace gatescope
