// SPDX-License-Identifier: Apache-2.0
#include "engine/report/collect_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/analysis/load_map.h"
#include "engine/error.h"
#include "engine/report/expert_bytes.h"
#include "engine/report/model_facts.h"
#include "engine/report/session_counts.h"
#include "engine/report/session_loads.h"
#include "engine/session/compared_session.h"
#include "engine/session/settings_json.h"

namespace gatescope {

namespace {

ReportValue begin(const std::filesystem::path& source, const ReportRequest& request) {
    ReportValue out;
    out.sourceName = source.filename().string();
    out.program = request.program;
    out.createdMs = request.createdMs;
    out.prompts = request.prompts;
    out.phases = request.phases;
    out.falseDiscoveryRate = request.falseDiscoveryRate;
    return out;
}

void addPairs(ReportValue& out, const CoactivationCounter& counted) {
    for (int row = 0; row < counted.rows(); ++row) {
        const CoactivationValue value = counted.value(row);
        ReportedPairs& pairs = out.pairs.emplace_back();
        pairs.layer = value.layer;
        pairs.mtp = value.layer == out.model.shape.mtpLayer;
        pairs.tokens = value.n;
        pairs.expectedLift = value.expectedLift();
        for (int i = 0; value.n > 0 && i < value.experts(); ++i) {
            for (int j = i + 1; j < value.experts(); ++j) {
                pairs.tested += value.masked(i, j) ? 0 : 1;
            }
        }
        if (value.n > 0) pairs.pairs = value.topPairs(kReportedPairs);
    }
}

void addBias(ReportValue& out, const SessionCounts& counts,
             const std::vector<std::vector<float>>& biases) {
    const RoutingShape& shape = out.model.shape;
    if (!shape.hasBias) return;
    for (std::size_t row = 0; row < counts.judged.size(); ++row) {
        ReportedBiasRow& bias = out.bias.emplace_back();
        bias.mtp = row == shape.layers.size();
        bias.layer = bias.mtp ? shape.mtpLayer : shape.layers[row];
        bias.tokens = counts.judged[row];
        bias.biasDecided = static_cast<double>(counts.decided[row]) /
                           (static_cast<double>(counts.judged[row]) * shape.topK);
        describeBias(bias, biases.empty() ? std::vector<float>() : biases[row],
                     trainedLoads(*out.load, static_cast<int>(row)));
    }
}

void addSpeculation(ReportValue& out, const SpeculationCounter& counter) {
    if (counter.verifySteps() == 0) return;
    const SpeculationValue value = counter.value();
    out.speculation =
        ReportedSpeculation{value.all, value.bySource, value.reads, value.gain, value.costs};
}

std::int64_t tokensOf(const ReportValue& report, const std::vector<std::int64_t>& sessions) {
    std::int64_t tokens = 0;
    for (const ReportedSession& session : report.sessions) {
        if (std::find(sessions.begin(), sessions.end(), session.id) == sessions.end()) continue;
        for (const ReportedAnswer& answer : session.answers) {
            tokens += answer.promptTokens + answer.answerTokens;
        }
    }
    return tokens;
}

/// A group as one run, without answers whose routing was changed: they are left out everywhere.
ComparedRun groupRun(const SessionStore& store, const std::vector<std::int64_t>& sessions,
                     const char* label) {
    std::vector<StoredSession> group;
    for (const std::int64_t number : sessions) {
        StoredSession session = store.load(number);
        std::erase_if(session.turns, [](const StoredTurn& turn) {
            return turn.role == Role::Assistant && settingsFromJson(turn.paramsJson).interventions;
        });
        const bool answered = std::any_of(
            session.turns.begin(), session.turns.end(),
            [](const StoredTurn& turn) { return turn.role == Role::Assistant && !turn.replaced; });
        if (answered) group.push_back(std::move(session));
    }
    return comparedRun(group, label);
}

void addComparison(ReportValue& out, const std::filesystem::path& file,
                   const ReportRequest& request, const Progress& progress) {
    if (request.against.empty()) return;
    const std::int64_t tokens = tokensOf(out, request.sessions) + tokensOf(out, request.against);
    if (tokens > kMostComparedTokens) {
        throw fileError(file.string(), "comparison",
                        fmt::format("the two groups have {} tokens, at most {} can be compared: "
                                    "name fewer sessions",
                                    tokens, kMostComparedTokens));
    }
    const SessionStore store(file);
    const ComparedRun a = groupRun(store, request.sessions, "A");
    const ComparedRun b = groupRun(store, request.against, "B");
    ComparisonOptions options = request.comparison;
    options.phases = request.phases;
    options.threads = request.threads;
    ReportedComparison& comparison = out.comparison.emplace();
    comparison.sessionsA = request.sessions;
    comparison.sessionsB = request.against;
    comparison.pair = comparePair(a, b, options, progress);
    auto& experts = comparison.pair.experts;
    experts.resize(std::min(experts.size(), kReportedShifts));
    comparison.figuresA = runFigures(a, request.phases);
    comparison.figuresB = runFigures(b, request.phases);
}

void addPlacement(ReportValue& out, const RecordedLoads& loads, const ReportRequest& request,
                  const Progress& progress, std::stop_token stop) {
    if (!request.placement) return;
    PlacementRequest placement = *request.placement;
    PlacementShape& shape = placement.shape;
    shape.groups = out.model.shape.groups;
    if (shape.slots <= 0) {
        shape.slots = ((loads.experts() + shape.gpus - 1) / shape.gpus + 1) * shape.gpus;
    }
    if (placement.totalLayers == 0) placement.totalLayers = out.model.shape.totalLayers;
    if (placement.expertBytes == 0) placement.expertBytes = out.model.expertBytes;
    if (placement.threads == 0) placement.threads = request.threads;
    checkShape(shape, loads.experts());
    out.placement = planForLoads(loads, placement, {}, progress, std::move(stop));
    out.placement->source = out.sourceName;
}

void sortOnce(std::vector<std::int64_t>& sessions) {
    std::sort(sessions.begin(), sessions.end());
    sessions.erase(std::unique(sessions.begin(), sessions.end()), sessions.end());
}

/// Each session once, and in one group only.
ReportRequest checked(ReportRequest request) {
    sortOnce(request.sessions);
    sortOnce(request.against);
    if (request.sessions.empty() && !request.against.empty()) {
        throw Error("a comparison needs sessions on both sides: name the first ones, too");
    }
    for (const std::int64_t session : request.against) {
        if (std::binary_search(request.sessions.begin(), request.sessions.end(), session)) {
            throw Error(fmt::format("session {}: it is in both groups of the comparison", session));
        }
    }
    return request;
}

std::vector<std::int64_t> bothGroups(const ReportRequest& request) {
    std::vector<std::int64_t> out = request.sessions;
    out.insert(out.end(), request.against.begin(), request.against.end());
    return out;
}

/// Progress that ends the work when told to stop, too.
Progress stoppable(const Progress& progress, const std::stop_token& stop) {
    return [&progress, stop](std::string_view what, std::uint64_t done, std::uint64_t total) {
        return !stop.stop_requested() && (!progress || progress(what, done, total));
    };
}

/// Every layer's counts of the loads as whole numbers, all of n tokens.
PhaseLoad wholeCounts(const std::string& file, const RecordedLoads& loads, int topK) {
    const ExpertLoads total = loads.total();
    PhaseLoad out;
    for (int row = 0; row < total.layers; ++row) {
        const std::string item =
            loads.layers.empty()
                ? fmt::format("row {}", row)
                : fmt::format("layer {}", loads.layers[static_cast<std::size_t>(row)]);
        std::int64_t choices = 0;
        for (const double value : total.row(row)) {
            if (value != std::floor(value) || value > 1e15) {
                throw fileError(file, item,
                                "its counts are not whole numbers: averages have no sample size");
            }
            out.counts.push_back(static_cast<std::int64_t>(value));
            choices += out.counts.back();
        }
        if (choices % topK != 0) {
            throw fileError(file, item,
                            fmt::format("{} choices are no multiple of k = {}", choices, topK));
        }
        if (row > 0 && choices / topK != out.tokens) {
            throw fileError(
                file, item,
                fmt::format("{} tokens, the layers before have {}", choices / topK, out.tokens));
        }
        out.tokens = choices / topK;
        const auto first = out.counts.end() - total.experts;
        if (std::any_of(first, out.counts.end(), [&](std::int64_t c) { return c > out.tokens; })) {
            throw fileError(file, item,
                            fmt::format("an expert is chosen more often than there are tokens: k "
                                        "is not {}",
                                        topK));
        }
    }
    return out;
}

}  // namespace

ReportValue collectReport(const std::filesystem::path& sessionFile, const ReportRequest& wanted,
                          const Progress& reported, std::stop_token stop) {
    const ReportRequest request = checked(wanted);
    const Progress progress = stoppable(reported, stop);
    ReportValue out = begin(sessionFile, request);
    out.sourceFormat = kSessionLoads;
    SessionCounts counts = countSessions(sessionFile, bothGroups(request), request.prompts,
                                         request.phases, request.threads, progress);
    out.model = reportedModel(counts.model);
    out.sessions = std::move(counts.sessions);
    out.changedRoutingAnswers = counts.changedRoutingAnswers;
    out.load = std::make_shared<const RoutingLoad>(std::move(counts.load));
    out.balance = balanceOf(*out.load, out.phases, out.falseDiscoveryRate);
    addBias(out, counts, biasesOf(counts.model, request.modelDir));
    addPairs(out, *counts.pairs);
    out.cache = counts.cache;
    addSpeculation(out, counts.speculation);
    addComparison(out, sessionFile, request, progress);
    RecordedLoads loads{out.model.shape.layers, std::move(counts.blocks), kSessionLoads};
    addPlacement(out, loads, request, progress, std::move(stop));
    return out;
}

ReportValue reportOfLoads(const std::filesystem::path& file, const LoadsRouter& router,
                          const ReportRequest& request, const Progress& progress,
                          std::stop_token stop) {
    RecordedLoads loads = readRecordedLoads(file);
    ReportValue out = begin(file, request);
    out.source = ReportSource::Loads;
    out.sourceFormat = loads.format;
    out.prompts = PromptDetail::None;
    out.phases = kDefaultPhases;
    if (router.topK < 1 || router.topK > loads.experts()) {
        throw fileError(
            file.string(), "top-k",
            fmt::format("{} of {} experts cannot be chosen", router.topK, loads.experts()));
    }
    const PlacedLayers layers = placedLayers(loads, request.placement.value_or(PlacementRequest()));
    RoutingShape& shape = out.model.shape;
    shape.layers = layers.layers;
    shape.totalLayers = layers.total;
    shape.experts = loads.experts();
    shape.topK = router.topK;
    shape.groups = router.groups;
    shape.topkGroups = router.topkGroups;
    auto load = std::make_shared<RoutingLoad>();
    load->shape = shape;
    PhaseLoad& decode = load->phases[static_cast<std::size_t>(Phase::Decode)];
    decode = wholeCounts(file.string(), loads, router.topK);
    decode.gateMass.assign(decode.counts.size(), 0);
    decode.stepMaxVio.assign(shape.layers.size(), 0);
    out.load = load;
    out.balance = balanceOf(*load, out.phases, out.falseDiscoveryRate);
    addPlacement(out, loads, request, progress, std::move(stop));
    return out;
}

}  // namespace gatescope
