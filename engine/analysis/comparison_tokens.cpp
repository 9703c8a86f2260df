// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/comparison_tokens.h"

#include <algorithm>
#include <span>

#include "engine/analysis/routing_check.h"
#include "engine/error.h"

namespace gatescope {

namespace {

void checkShapes(const ComparedRun& a, const ComparedRun& b) {
    const RoutingShape& first = a.shape;
    const RoutingShape& second = b.shape;
    if (first.experts != second.experts) {
        throw Error(
            fmt::format("comparing {} with {}: {} and {} experts a layer cannot be compared",
                        a.label, b.label, first.experts, second.experts));
    }
    if (first.layers != second.layers || first.mtpLayer != second.mtpLayer) {
        throw Error(fmt::format(
            "comparing {} with {}: their layers with routed experts are not the same ({} and {})",
            a.label, b.label, first.layers.size(), second.layers.size()));
    }
    if (first.layers.empty() && first.mtpLayer < 0) {
        throw Error(fmt::format("comparing {} with {}: the model has no layer with routed experts",
                                a.label, b.label));
    }
    for (const ComparedRun* run : {&a, &b}) checkPairShape(run->shape);
}

/// How many tokens all prompts of both runs begin with.
std::int64_t commonPrefix(const ComparedRun& a, const ComparedRun& b) {
    const std::vector<std::int32_t>* first = nullptr;
    std::size_t length = 0;
    for (const ComparedRun* run : {&a, &b}) {
        for (const ComparedAnswer& answer : run->answers) {
            if (first == nullptr) {
                first = &answer.promptIds;
                length = first->size();
            }
            length = std::min(length, answer.promptIds.size());
            length = static_cast<std::size_t>(
                std::mismatch(first->begin(), first->begin() + static_cast<std::ptrdiff_t>(length),
                              answer.promptIds.begin())
                    .first -
                first->begin());
        }
    }
    return static_cast<std::int64_t>(length);
}

/// The stratum of a token, -1: it takes no part.
int stratumOf(const RoutedToken& token, bool mtp, unsigned phases) {
    const bool work = mtp ? token.phase == Phase::Draft
                          : token.phase == Phase::Prefill || token.phase == Phase::Decode;
    if (!work || token.routing.rows() == 0) return -1;
    const auto phase = static_cast<unsigned>(token.phase);
    if ((phases >> phase & 1U) == 0) return -1;
    if (token.special && (phases & kSpecialTokens) == 0) return -1;
    return static_cast<int>(2 * phase + (token.special ? 1U : 0U));
}

class Selection {
  public:
    Selection(const ComparedRun& run, unsigned phases, std::int64_t prefix)
        : m_run(run), m_phases(phases), m_prefix(prefix) {}

    std::vector<AnswerTokens> answers() {
        std::vector<AnswerTokens> out;
        for (const ComparedAnswer& answer : m_run.answers) {
            out.push_back(tokensOf(answer, out.size() + 1));
        }
        return out;
    }

  private:
    AnswerTokens tokensOf(const ComparedAnswer& answer, std::size_t number) {
        AnswerTokens out;
        for (const StepTrace& step : answer.steps) {
            for (const RoutedToken& token : step.tokens) add(out, token, false, number);
            for (const RoutedToken& token : step.mtp) add(out, token, true, number);
        }
        for (auto& stratum : out.strata) {
            std::stable_sort(stratum.begin(), stratum.end(),
                             [](const RoutedToken* a, const RoutedToken* b) {
                                 return a->position < b->position;
                             });
        }
        return out;
    }
    void add(AnswerTokens& out, const RoutedToken& token, bool mtp, std::size_t number) {
        const int stratum = stratumOf(token, mtp, m_phases);
        // An MTP position also knows the token behind it.
        if (stratum < 0 || token.position + (mtp ? 1 : 0) < m_prefix) return;
        if (mtp && m_run.shape.mtpLayer < 0) {
            throw Error(
                fmt::format("run {}: answer {}: an MTP position in a model without an MTP layer",
                            m_run.label, number));
        }
        try {
            checkChoices(m_run.shape, token.routing, mtp ? 1 : m_run.shape.layers.size());
        } catch (const Error& error) {
            throw Error(fmt::format("run {}: answer {}: position {}: {}", m_run.label, number,
                                    token.position, error.what()));
        }
        out.strata[static_cast<std::size_t>(stratum)].push_back(&token);
    }

    const ComparedRun& m_run;
    unsigned m_phases;
    std::int64_t m_prefix;
};

void count(RoutingLoad& load, PhaseLoad& part, const RoutedToken& token, bool mtp) {
    const auto experts = static_cast<std::size_t>(load.shape.experts);
    const auto topK = static_cast<std::size_t>(load.shape.topK);
    std::size_t cell = mtp ? load.shape.layers.size() * experts : 0;
    ++(mtp ? part.mtpTokens : part.tokens);
    for (std::size_t i = 0; i < token.routing.experts.size(); cell += experts) {
        for (const std::size_t end = i + topK; i < end; ++i) {
            const std::uint16_t expert = token.routing.experts[i];
            if (expert == kNoExpert) continue;
            ++part.counts[cell + expert];
            part.gateMass[cell + expert] += static_cast<double>(token.routing.weights[i]);
        }
    }
}

PhaseLoad& partOf(RoutingLoad& load, int stratum) {
    auto& kind = stratum % 2 == 0 ? load.phases : load.special;
    return kind[static_cast<std::size_t>(stratum / 2)];
}

/// Not by RoutingLoadCounter, which refuses runs whose layers choose different numbers of experts.
std::shared_ptr<const RoutingLoad> loadOf(const ComparedTokens& tokens, std::size_t side) {
    auto load = std::make_shared<RoutingLoad>();
    load->shape = tokens.shapes[side];
    const auto rows = static_cast<std::size_t>(load->rows());
    const std::size_t cells = rows * static_cast<std::size_t>(load->shape.experts);
    for (int stratum = 0; stratum < kComparisonStrata; ++stratum) {
        if (!tokens.tested[static_cast<std::size_t>(stratum)]) continue;
        PhaseLoad& part = partOf(*load, stratum);
        part.counts.assign(cells, 0);
        part.gateMass.assign(cells, 0.0);
        part.stepMaxVio.assign(rows, 0.0);
        for (const AnswerTokens& answer : tokens.sides[side]) {
            for (const RoutedToken* token : answer.strata[static_cast<std::size_t>(stratum)]) {
                count(*load, part, *token, stratum >= kMainStrata);
            }
        }
    }
    return load;
}

}  // namespace

std::int64_t ComparedTokens::tokens(int side, int stratum) const {
    std::int64_t sum = 0;
    for (const AnswerTokens& answer : sides[static_cast<std::size_t>(side)]) {
        sum += std::ssize(answer.strata[static_cast<std::size_t>(stratum)]);
    }
    return sum;
}

int ComparedTokens::rows() const {
    return static_cast<int>(shape.layers.size()) + (shape.mtpLayer >= 0 ? 1 : 0);
}

std::vector<std::int64_t> ComparedTokens::counts(int side, int stratum, int row) const {
    const RoutingLoad& load = *loads[static_cast<std::size_t>(side)];
    const auto& kind = stratum % 2 == 0 ? load.phases : load.special;
    const PhaseLoad& part = kind[static_cast<std::size_t>(stratum / 2)];
    if (part.counts.empty()) return {};
    const auto first = part.counts.begin() + static_cast<std::ptrdiff_t>(row) * shape.experts;
    return {first, first + shape.experts};
}

std::vector<std::int64_t> ComparedTokens::counts(int side, int row) const {
    std::vector<std::int64_t> out(static_cast<std::size_t>(shape.experts), 0);
    for (int stratum = 0; stratum < kComparisonStrata; ++stratum) {
        const std::vector<std::int64_t> part = counts(side, stratum, row);
        for (std::size_t i = 0; i < part.size(); ++i) out[i] += part[i];
    }
    return out;
}

ComparedTokens comparedTokens(const ComparedRun& a, const ComparedRun& b,
                              const ComparisonOptions& options) {
    checkShapes(a, b);
    ComparedTokens out;
    out.shape = a.shape;
    out.shape.topK = std::max(a.shape.topK, b.shape.topK);
    out.shapes = {a.shape, b.shape};
    if (options.afterCommonPrefix) out.prefixTokens = commonPrefix(a, b);
    out.sides[0] = Selection(a, options.phases, out.prefixTokens).answers();
    out.sides[1] = Selection(b, options.phases, out.prefixTokens).answers();
    for (int stratum = 0; stratum < kComparisonStrata; ++stratum) {
        out.tested[static_cast<std::size_t>(stratum)] =
            out.tokens(0, stratum) > 0 && out.tokens(1, stratum) > 0;
    }
    out.loads = {loadOf(out, 0), loadOf(out, 1)};
    return out;
}

}  // namespace gatescope
