// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/analysis/rank_balance.h"
#include "engine/report/report_value.h"

namespace gatescope {

inline RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {1, 2, 3};
    shape.mtpLayer = 4;
    shape.totalLayers = 4;
    shape.experts = 8;
    shape.topK = 2;
    shape.groups = 4;
    shape.topkGroups = 2;
    shape.hasBias = true;
    return shape;
}

/// DeepSeek-V3's.
inline RoutingShape v3Shape() {
    RoutingShape shape;
    shape.layers.resize(58);
    std::iota(shape.layers.begin(), shape.layers.end(), 3);
    shape.mtpLayer = 61;
    shape.totalLayers = 61;
    shape.experts = 256;
    shape.topK = 8;
    shape.groups = 8;
    shape.topkGroups = 4;
    shape.hasBias = true;
    return shape;
}

/// Makes a report with something in every field.
class SyntheticReport {
  public:
    SyntheticReport(RoutingShape shape, std::uint64_t seed)
        : m_shape(std::move(shape)), m_random(seed) {}

    ReportValue make() {
        ReportValue report;
        report.sourceName = "chats.gatescope";
        report.sourceFormat = "sessions";
        report.program = "gatescope 0.1.0";
        report.createdMs = 1'764'160'000'000;
        report.prompts = PromptDetail::Texts;
        report.model = {"demo",     "0123abcd", "{\"n_routed_experts\": 256}",
                        "bfloat16", m_shape,    44'040'192};
        report.sessions = {session(1), session(2)};
        report.changedRoutingAnswers = 1;
        report.load = load(false);
        report.balance = balanceOf(*report.load, report.phases, report.falseDiscoveryRate);
        for (int row = 0; row < report.load->rows(); ++row) {
            report.bias.push_back(bias(row));
            report.pairs.push_back(pairs(row));
        }
        report.cache = {2, {300, 576, 172'800, 200'000, 299, 5'000, 6'000, 18, 32'768, 4096}};
        report.speculation = speculation();
        report.comparison = comparison();
        report.placement = placement(*report.load);
        return report;
    }

  private:
    double uniform() { return std::uniform_real_distribution<double>(0, 1)(m_random); }
    std::int64_t whole(std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(1, most)(m_random);
    }
    int rows() const {
        return static_cast<int>(m_shape.layers.size()) + (m_shape.mtpLayer >= 0 ? 1 : 0);
    }
    bool isMtp(int row) const { return row >= static_cast<int>(m_shape.layers.size()); }
    int layerOf(int row) const {
        return isMtp(row) ? m_shape.mtpLayer : m_shape.layers[static_cast<std::size_t>(row)];
    }

    ReportedSession session(std::int64_t id) {
        ReportedSession out{
            id, "A title, \"quoted\" <b> 中文", 1'764'150'000'000 + id, "cpu", "bfloat16", {}};
        for (int turn = 1; turn <= 2; ++turn) {
            out.answers.push_back({turn, whole(200), whole(100), "temperature 0.6, mtp", m_random(),
                                   "stop", std::string(64, 'a'), "=SUM(A1)\nand </script> & 好"});
        }
        return out;
    }

    /// Distinct experts of one token, low ranks more often, as Zipf's law has it.
    void choose(PhaseLoad& part, int row) {
        const auto experts = static_cast<std::size_t>(m_shape.experts);
        std::vector<bool> taken(experts);
        for (int chosen = 0; chosen < m_shape.topK;) {
            const double x = std::pow(static_cast<double>(experts), uniform()) - 1;
            const auto rank = std::min(
                static_cast<std::size_t>(x + uniform() * 0.5 * static_cast<double>(experts)),
                experts - 1);
            if (!taken[rank]) {
                taken[rank] = true;
                const std::size_t expert = (rank * 5 + static_cast<std::size_t>(row)) % experts;
                const std::size_t cell = static_cast<std::size_t>(row) * experts + expert;
                ++part.counts[cell];
                part.gateMass[cell] += 0.1 + uniform();
                ++chosen;
            }
        }
    }

    void fill(PhaseLoad& part, bool draft, bool steps) {
        const auto size = static_cast<std::size_t>(rows() * m_shape.experts);
        part.counts.resize(size);
        part.gateMass.resize(size);
        const std::int64_t n = 20 + whole(20);
        (draft ? part.mtpTokens : part.tokens) = n;
        if (steps) {
            (draft ? part.mtpStepSizes : part.stepSizes) = {{1, n - 10}, {10, 1}};
            part.stepMaxVio.resize(static_cast<std::size_t>(rows()));
        }
        for (int row = 0; row < rows(); ++row) {
            if (isMtp(row) != draft) {
                continue;
            }
            for (std::int64_t t = 0; t < n; ++t) {
                choose(part, row);
            }
            if (steps) {
                part.stepMaxVio[static_cast<std::size_t>(row)] = static_cast<double>(n) * uniform();
            }
        }
    }

    std::shared_ptr<const RoutingLoad> load(bool compared) {
        auto out = std::make_shared<RoutingLoad>();
        out->shape = m_shape;
        for (int phase = 0; phase < kPhaseCount; ++phase) {
            const bool draft = phase == static_cast<int>(Phase::Draft);
            if (draft && m_shape.mtpLayer < 0) {
                continue;
            }
            fill(out->phases[static_cast<std::size_t>(phase)], draft, !compared);
            if (phase == 0 || !compared) {
                fill(out->special[static_cast<std::size_t>(phase)], draft, !compared);
            }
        }
        return out;
    }

    ReportedBiasRow bias(int row) {
        ReportedBiasRow out{layerOf(row), isMtp(row), whole(500), uniform(), {},
                            uniform(),    uniform(),  3,          2,         -uniform()};
        for (int e = 0; e < m_shape.experts; ++e) {
            out.bias.push_back(static_cast<float>(uniform() - 0.5));
        }
        return out;
    }

    ReportedPairs pairs(int row) {
        ReportedPairs out{layerOf(row), isMtp(row), whole(500), 0.9, 20, {}};
        for (int i = 0; i < std::min(kReportedPairs, m_shape.experts - 1); ++i) {
            out.pairs.push_back({i, i + 1, whole(90), 5 + uniform(), 3 - 0.1 * i, uniform()});
        }
        return out;
    }

    SpeculationRates rates(bool empty) {
        return speculationRates(empty ? DraftOutcomes{} : DraftOutcomes{{}, {3, 7}, {1, 2, 4}});
    }

    ReportedSpeculation speculation() {
        ReportedSpeculation out;
        out.all = rates(false);
        out.bySource = {rates(false), rates(true)};
        out.reads = {-1, 17, 30.5, 28.25, 33.125, 4.5, 0.147, 1.08};
        out.gain = {12, 17, 9.5, 13.25, 0.39, 0.31};
        const TimeSummary time{17, 1.5e8, 1.4e8, 17};
        out.costs = {{DraftSource::Mtp, 2, 21, 2.1, time, time, time, 0.2, 1.3, 0.24, 0.71, 0.42},
                     {DraftSource::Lookup, 1, 9, 1.4, time, time, time, 0.01, 1.1,
                      std::numeric_limits<double>::quiet_NaN(), 0.4,
                      std::numeric_limits<double>::infinity()}};
        return out;
    }

    RunFigures figures() {
        RunFigures out{2,   whole(200), whole(200), whole(400), whole(20), 1.5, 0.9,
                       0.4, 0.2,        0.96,       0.02,       0.11,      {},  120,
                       9.5, 300,        172'800,    "bfloat16", -0.9};
        out.speculation = rates(false);
        return out;
    }

    LayerComparison comparedLayer(int row) {
        const JensenShannon divergence{400, 420, 0.03, 0.031, 0.02, 0.011};
        const SelfComparison self{100, 100, divergence, uniform()};
        return {layerOf(row), isMtp(row), 200, 210,  divergence, 0.03, 0.02, 0.028, uniform(),
                uniform(),    uniform(),  0.1, 0.98, 0.9,        1.5,  1.6,  self,  self};
    }

    ReportedComparison comparison() {
        ReportedComparison out;
        out.sessionsA = {1};
        out.sessionsB = {2};
        PairComparison& pair = out.pair;
        pair.b = 1;
        pair.options.seed = m_random();
        pair.blockTokens = 32;
        pair.scheme = {12, 14, std::numeric_limits<double>::infinity(), false, 9999, 1e-4};
        pair.mtpScheme = {3, 3, 20, true, 20, 0.1};
        pair.selfSchemeA = {6, 6, 924, true, 924, 0.002};
        pair.selfSchemeB = {7, 7, 3432, true, 3432, std::numeric_limits<double>::quiet_NaN()};
        pair.prefixTokens = 5;
        pair.strata = {{Phase::Prefill, false, 100, 110, 6, 7, true},
                       {Phase::Decode, true, 3, 0, 1, 0, false}};
        pair.shape = m_shape;
        pair.loadA = load(true);
        pair.loadB = load(true);
        for (int row = 0; row < rows(); ++row) {
            pair.layers.push_back(comparedLayer(row));
        }
        for (int e = 0; e < std::min(m_shape.experts, static_cast<int>(kReportedShifts)); ++e) {
            pair.experts.push_back({m_shape.layers.front(),
                                    false,
                                    e,
                                    whole(50),
                                    whole(50),
                                    0.1,
                                    0.12,
                                    uniform() - 0.5,
                                    {-0.2, 0.6},
                                    2 - 0.01 * e,
                                    uniform()});
        }
        pair.expertsTested = static_cast<std::int64_t>(m_shape.layers.size()) * m_shape.experts;
        pair.expertsBeyond = 4;
        pair.verdict = {ComparisonVerdict::Kind::Difference,
                        200,
                        210,
                        rows() - 1,
                        2,
                        m_shape.layers.front(),
                        0.011,
                        0,
                        1,
                        1e-4,
                        0.05};
        for (int i = 0; i < rows() * m_shape.experts; ++i) {
            pair.difference.push_back(i % 7 == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                 : uniform() - 0.5);
        }
        out.figuresA = figures();
        out.figuresB = figures();
        return out;
    }

    PlacementPlan placement(const RoutingLoad& traffic) {
        PlacementPlan plan;
        plan.format = "sessions";
        plan.blocks = 4;
        plan.groups = m_shape.groups;
        plan.fromSessions = true;
        plan.layers = {m_shape.layers, m_shape.totalLayers};
        const int layers = static_cast<int>(m_shape.layers.size());
        plan.placement = {layers, m_shape.experts, m_shape.experts + 4, 4, 2, {}};
        ExpertLoads loads{layers, m_shape.experts, {}};
        for (int row = 0; row < layers; ++row) {
            for (int e = 0; e < m_shape.experts; ++e) {
                const auto count = traffic.count(row, e, kDefaultPhases);
                loads.values.push_back(static_cast<double>(count));
                plan.choices += static_cast<double>(count);
            }
            for (int p = 0; p < plan.placement.slots; ++p) {
                plan.placement.physicalToLogical.push_back(p % m_shape.experts);
            }
        }
        plan.after = predictedBalance(plan.placement, loads);
        plan.before = plan.after;
        plan.heldOut = {0.8, {0.75, 0.7, 0.79}};
        plan.heldOutEplb = {0.78, {0.73, 0.69, 0.78}};
        plan.moved = 12;
        plan.expertBytes = 44'040'192;
        plan.gpuBytes = 1'000'000'000;
        plan.migrationBytes = 528'482'304;
        return plan;
    }

    RoutingShape m_shape;
    std::mt19937_64 m_random;
};

inline ReportValue syntheticReport(const RoutingShape& shape, std::uint64_t seed) {
    return SyntheticReport(shape, seed).make();
}

}  // namespace gatescope
