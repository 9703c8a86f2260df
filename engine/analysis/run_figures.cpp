// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>

#include "engine/analysis/comparison.h"
#include "engine/analysis/load_statistics.h"
#include "engine/analysis/routing_check.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

bool isChosen(const RoutedToken& token, unsigned phases) {
    if (token.special && (phases & kSpecialTokens) == 0) return false;
    return (phases >> static_cast<unsigned>(token.phase) & 1U) != 0;
}

/// Of the main layers.
class RoutingFigures {
  public:
    RoutingFigures(const ComparedRun& run, unsigned phases)
        : m_run(run), m_phases(phases), m_layers(run.shape.layers.size()) {
        m_counts.assign(m_layers, std::vector<std::int64_t>(
                                      static_cast<std::size_t>(std::max(run.shape.experts, 0))));
    }

    void add(const RoutedToken& token) {
        if (token.routing.rows() == 0) return;
        if (token.phase == Phase::Rejected) ++m_rejected;
        // Rejected drafts are a cost and no part of what the run is like.
        if (token.phase == Phase::Rejected || !isChosen(token, m_phases)) return;
        checkChoices(m_run.shape, token.routing, m_layers);
        ++m_tokens;
        const auto topK = static_cast<std::size_t>(m_run.shape.topK);
        for (std::size_t i = 0; i < token.routing.experts.size(); ++i) {
            const std::uint16_t expert = token.routing.experts[i];
            if (expert != kNoExpert) ++m_counts[i / topK][expert];
        }
        for (const float margin : token.routing.margins) {
            if (std::isfinite(margin)) m_margins.push_back(margin);
        }
        for (const std::uint32_t bits : token.routing.biasDecided) m_decided += std::popcount(bits);
    }

    void fill(RunFigures& out) {
        out.routedTokens = m_tokens;
        out.rejectedTokens = m_rejected;
        out.maxVio = out.cv = out.gini = out.entropy = kNaN;
        out.medianMargin = out.biasDecided = kNaN;
        out.maxVioNull = uniformMaxVio(m_run.shape.experts, m_run.shape.topK, m_tokens);
        if (m_tokens == 0) return;
        LoadStatistics sum;
        std::int64_t choices = 0;
        for (const auto& counts : m_counts) {
            const LoadStatistics layer = loadStatistics(counts);
            choices += layer.choices;
            sum.maxVio += layer.maxVio;
            sum.cv += layer.cv;
            sum.gini += layer.gini;
            sum.entropy += layer.entropy;
        }
        const auto layers = static_cast<double>(m_layers);
        out.maxVio = sum.maxVio / layers;
        out.cv = sum.cv / layers;
        out.gini = sum.gini / layers;
        out.entropy = sum.entropy / layers;
        if (m_run.shape.hasBias && choices > 0) {
            out.biasDecided = static_cast<double>(m_decided) / static_cast<double>(choices);
        }
        if (m_margins.empty()) return;
        const auto middle = m_margins.begin() + std::ssize(m_margins) / 2;
        std::nth_element(m_margins.begin(), middle, m_margins.end());
        out.medianMargin = static_cast<double>(*middle);
    }

  private:
    const ComparedRun& m_run;
    unsigned m_phases;
    std::size_t m_layers;
    std::vector<std::vector<std::int64_t>> m_counts;  ///< [layers][E]
    std::vector<float> m_margins;
    std::int64_t m_tokens = 0;
    std::int64_t m_rejected = 0;
    std::int64_t m_decided = 0;
};

/// What the answers' results and tokens say.
class AnswerFigures {
  public:
    void add(const ComparedAnswer& answer, RunFigures& out) {
        ++out.answers;
        out.promptTokens += std::ssize(answer.promptIds);
        out.answerTokens += std::ssize(answer.tokens);
        for (const TokenEvent& token : answer.tokens) {
            m_logProbability += std::log(
                std::max(static_cast<double>(token.rawProbability), static_cast<double>(FLT_MIN)));
        }
        for (const StepTrace& step : answer.steps) {
            addCache(step.cache, out);
            if (!step.speculation) continue;
            const int drafted = step.speculation->drafted();
            const int accepted = step.speculation->accepted;
            if (accepted < 0 || accepted > drafted) {
                throw Error(
                    fmt::format("speculation: a step accepted {} of {} drafts", accepted, drafted));
            }
            if (drafted > 0) countOutcome(m_outcomes, drafted, accepted);
        }
        if (!answer.result) return;
        addCache(answer.result->cache, out);
        const GenerationTiming& timing = answer.result->timing;
        m_prefillTokens += static_cast<double>(timing.prefillTokens);
        m_prefillSeconds += timing.prefillSeconds;
        m_decodeTokens += static_cast<double>(timing.decodeTokens);
        m_decodeSeconds += timing.decodeSeconds;
    }

    void fill(RunFigures& out) const {
        out.speculation = speculationRates(m_outcomes);
        out.prefillTokensPerSecond =
            m_prefillSeconds > 0 ? m_prefillTokens / m_prefillSeconds : kNaN;
        out.decodeTokensPerSecond = m_decodeSeconds > 0 ? m_decodeTokens / m_decodeSeconds : kNaN;
        out.meanLogProbability =
            out.answerTokens > 0 ? m_logProbability / static_cast<double>(out.answerTokens) : kNaN;
    }

  private:
    static void addCache(const CacheUse& cache, RunFigures& out) {
        if (cache.positions < out.cachePositions || cache.positions == 0) return;
        out.cachePositions = cache.positions;
        out.cacheUsed = std::max(out.cacheUsed, cache.used);
        out.cacheDtype = cache.dtype;
    }

    DraftOutcomes m_outcomes;
    double m_logProbability = 0;
    double m_prefillTokens = 0;
    double m_prefillSeconds = 0;
    double m_decodeTokens = 0;
    double m_decodeSeconds = 0;
};

}  // namespace

RunFigures runFigures(const ComparedRun& run, unsigned phases) {
    RunFigures out;
    RoutingFigures routing(run, phases);
    AnswerFigures answers;
    for (const ComparedAnswer& answer : run.answers) {
        answers.add(answer, out);
        try {
            for (const StepTrace& step : answer.steps) {
                for (const RoutedToken& token : step.tokens) routing.add(token);
            }
        } catch (const Error& error) {
            throw Error(fmt::format("run {}: answer {}: {}", run.label, out.answers, error.what()));
        }
    }
    answers.fill(out);
    routing.fill(out);
    return out;
}

}  // namespace gatescope
