// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench_speeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "engine/analysis/traffic_analysis.h"
#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/router.h"

namespace gatescope::cli {
namespace {

void fillTo(Decoder& decoder, std::span<const std::int32_t> ids) {
    decoder.truncate(0);
    for (std::size_t first = 0; first < ids.size();
         first += static_cast<std::size_t>(decoder.maxPass())) {
        const std::size_t size =
            std::min(static_cast<std::size_t>(decoder.maxPass()), ids.size() - first);
        decoder.forward(ids.subspan(first, size),
                        {AttentionPath::Expanded, LogitsOf::None, {}, nullptr, {}});
    }
}

void measureOnce(Decoder& decoder, std::span<const std::int32_t> ids, const BenchOptions& options,
                 bool record, Speeds* speeds) {
    decoder.truncate(options.depth);
    GenerationParams params;
    params.maxNewTokens = options.genTokens + 1;  // the first comes from the prefill
    params.record = record;
    GenerationSink ignored;
    const GenerationResult result = generate(decoder, nullptr, ids, params, ignored);
    if (speeds == nullptr) return;
    const GenerationTiming& timing = result.timing;
    speeds->prefill.push_back(static_cast<double>(timing.prefillTokens) / timing.prefillSeconds);
    speeds->decode.push_back(static_cast<double>(timing.decodeTokens) / timing.decodeSeconds);
}

void checkContext(const Decoder& decoder, const BenchOptions& options) {
    const std::int64_t total =
        std::int64_t{options.depth} + options.promptTokens + options.genTokens + 1;
    if (total > decoder.maxContext()) {
        throw Error(
            fmt::format("--depth, --prompt-tokens and --gen-tokens need {} positions, but "
                        "the context holds {}",
                        total, decoder.maxContext()));
    }
}

/// Counts what a step recorded, and for how long.
class AnalysisSink final : public GenerationSink {
  public:
    explicit AnalysisSink(const Decoder& decoder)
        : m_analysis(decoder.routingShape(), routerBiasByRow(decoder)) {}

    void onStep(const StepTrace& step) override {
        const double before = m_analysis.seconds();
        m_analysis.add(step);
        for (const RoutedToken& token : step.tokens) {
            if (token.phase != Phase::Decode) return;  // prefill: not a decode step's cost
        }
        m_cost.secondsPerToken += m_analysis.seconds() - before;
        m_cost.tokens += static_cast<std::int64_t>(step.tokens.size());
    }
    AnalysisCost cost() const {
        AnalysisCost mean = m_cost;
        if (mean.tokens > 0) mean.secondsPerToken /= static_cast<double>(mean.tokens);
        return mean;
    }

  private:
    TrafficAnalysis m_analysis;
    AnalysisCost m_cost;
};

}  // namespace

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<std::int32_t> randomIds(std::int64_t count, std::int64_t vocabSize) {
    std::mt19937_64 random(1);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
    for (std::int32_t& id : ids) {
        id = static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(vocabSize));
    }
    return ids;
}

SpeedMeasurement measureSpeeds(Decoder& decoder, const BenchOptions& options) {
    checkContext(decoder, options);
    const std::vector<std::int32_t> ids =
        randomIds(std::int64_t{options.depth} + options.promptTokens, decoder.config().vocabSize);
    fillTo(decoder, std::span(ids).first(static_cast<std::size_t>(options.depth)));
    ProgressLine line(options.common.quiet);
    const Progress progress = line.callback();
    const auto runs = static_cast<std::uint64_t>(options.repetitions);
    SpeedMeasurement measured;
    progress("warm-up", 0, runs);
    measureOnce(decoder, ids, options, false, nullptr);
    for (std::uint64_t i = 0; i < runs; ++i) {
        progress("measuring", i, runs);
        const bool onFirst = i % 2 == 1;
        measureOnce(decoder, ids, options, onFirst, onFirst ? &measured.on : &measured.off);
        measureOnce(decoder, ids, options, !onFirst, onFirst ? &measured.off : &measured.on);
    }
    return measured;
}

AnalysisCost measureAnalysis(Decoder& decoder, const BenchOptions& options) {
    if (decoder.config().nRoutedExperts <= 0) return {};
    const std::vector<std::int32_t> ids =
        randomIds(std::int64_t{options.depth} + options.promptTokens, decoder.config().vocabSize);
    decoder.truncate(options.depth);
    GenerationParams params;
    params.maxNewTokens = options.genTokens + 1;
    params.keepScores = true;
    AnalysisSink sink(decoder);
    generate(decoder, nullptr, ids, params, sink);
    return sink.cost();
}

}  // namespace gatescope::cli
