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

/// Chooses tokens from logits by SamplingParams. The n-th choice uses the n-th number of the seed,
/// so the same seed gives the same text however the logits were computed (with drafts or without).
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

    /// A token of prompt or answer: the repetition penalty looks at the set of them.
    void see(std::int32_t id) { m_seen.insert(id); }

    /// Chooses from logits [vocab_size]. `ofInterest`: an id whose probability is wanted, or -1.
    Choice choose(std::span<const float> logits, std::int32_t ofInterest = -1);
    /// The largest logits that make the same choice as the whole row; k is 0 where the parameters
    /// need the whole row.
    TopRequest enough() const;
    /// Chooses from what enough() asked for.
    Choice choose(const TopRow& top, std::int32_t ofInterest = -1);

  private:
    struct Candidate {
        float value;  ///< logit, then probability
        std::int32_t id;
    };

    std::vector<Candidate> candidates(std::span<const float> logits) const;
    /// Keeps the candidates that pass top-k, top-p and min-p; probabilities sum to 1, largest
    /// first.
    void filter(std::vector<Candidate>& all) const;
    double nextUniform();
    /// Chooses among all candidates, best first or (greedy) in any order.
    void pick(Choice& choice, std::vector<Candidate>& all, std::int32_t ofInterest);
    void describe(Choice& choice, std::span<const float> logits) const;

    SamplingParams m_params;
    std::size_t m_vocabLimit;
    int m_alternatives;
    std::unordered_set<std::int32_t> m_seen;
    std::uint64_t m_draws = 0;
};

/// Index of the largest value; the lower index wins a tie.
std::int32_t argMax(std::span<const float> values);

}  // namespace gatescope
