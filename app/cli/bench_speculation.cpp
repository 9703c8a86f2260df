// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench_speculation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "app/cli/bench_subject.h"
#include "app/cli/terminal.h"
#include "engine/decode/generator.h"
#include "engine/decode/speculation_memory.h"
#include "engine/error.h"
#include "engine/model/decoder.h"
#include "engine/model/placed_model.h"

namespace gatescope::cli {
namespace {

constexpr const char* kDefaultModes = "off,mtp1,mtp2,mtp3,lookup,auto";
constexpr const char* kDefaultModesWithoutMtp = "off,lookup,auto";

void checkContext(const DraftingSubject& subject, const BenchOptions& options) {
    for (const BenchPrompt& prompt : subject.prompts) {
        const auto total = static_cast<std::int64_t>(prompt.ids.size()) + options.genTokens + 1;
        if (total > subject.decoder->maxContext()) {
            throw Error(
                fmt::format("a prompt and --gen-tokens need {} positions, but the context "
                            "holds {}",
                            total, subject.decoder->maxContext()));
        }
    }
}

/// Counts the steps of a run and keeps how near the runner-up of every token was.
class BenchSink final : public GenerationSink {
  public:
    explicit BenchSink(std::vector<SpeculationCounter*> counters)
        : m_counters(std::move(counters)) {}
    /// Without the recorder a trace does not say what the step was: a plain step gave one token,
    /// and not the first, which comes from the prefill.
    void onStep(const StepTrace& step) override {
        StepTrace counted = step;
        if (!step.speculation && m_margins.size() == m_before + 1 && m_before > 0) {
            counted.tokens.resize(1);
            counted.tokens.front().phase = Phase::Decode;
        }
        m_before = m_margins.size();
        for (SpeculationCounter* counter : m_counters) counter->add(counted);
    }
    void onToken(const TokenEvent& token, std::string_view /*text*/) override {
        const auto& list = token.alternatives;
        m_margins.push_back(list.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                            : std::log(double{list[0].rawProbability}) -
                                                  std::log(double{list[1].rawProbability}));
    }
    const std::vector<double>& margins() const { return m_margins; }

  private:
    std::vector<SpeculationCounter*> m_counters;
    std::vector<double> m_margins;
    std::size_t m_before = 0;  ///< tokens before the present step
};

void addStats(SpeculationStats& sum, const SpeculationStats& more) {
    sum.steps += more.steps;
    sum.plainSteps += more.plainSteps;
    sum.drafted += more.drafted;
    sum.accepted += more.accepted;
    sum.mainForwards += more.mainForwards;
    for (std::size_t d = 0; d < sum.outcomes.size(); ++d) {
        for (std::size_t a = 0; a < sum.outcomes[d].size(); ++a) {
            sum.outcomes[d][a] += more.outcomes[d][a];
        }
    }
}

/// Sums of one domain and mode; the last domain is all of them.
struct Sums {
    explicit Sums(const RoutingShape& shape) : timed(shape), recorded(shape) {}
    std::vector<double> tokens;  ///< by repetition
    std::vector<double> seconds;
    SpeculationStats stats;
    SpeculationCounter timed;
    SpeculationCounter recorded;
};

class Measurement {
  public:
    Measurement(DraftingSubject& subject, const std::vector<SpeculationMode>& modes,
                const BenchOptions& options)
        : m_subject(subject),
          m_modes(modes),
          m_options(options),
          m_warmUp(modes.size()),
          m_memories(modes.size()) {
        const RoutingShape& shape = subject.decoder->routingShape();
        const std::size_t groups = subject.domains.size() + 1;
        m_sums.assign(groups, std::vector<Sums>(modes.size(), Sums(shape)));
        for (auto& group : m_sums) {
            for (Sums& sums : group) {
                sums.tokens.assign(static_cast<std::size_t>(options.repetitions), 0);
                sums.seconds = sums.tokens;
            }
        }
    }

    void run() {
        ProgressLine line(m_options.common.quiet);
        const Progress progress = line.callback();
        const auto total =
            static_cast<std::uint64_t>(m_options.repetitions + 1) * m_subject.prompts.size();
        std::uint64_t done = 0;
        for (std::size_t i = 0; i < m_subject.prompts.size(); ++i) {
            progress("recording", done++, total);
            for (std::size_t mode = 0; mode < m_modes.size(); ++mode) record(i, mode);
        }
        for (int repetition = 0; repetition < m_options.repetitions; ++repetition) {
            for (std::size_t i = 0; i < m_subject.prompts.size(); ++i) {
                progress("measuring", done++, total);
                // Whoever comes first finds the caches as the last one left them: take turns.
                for (std::size_t k = 0; k < m_modes.size(); ++k) {
                    const std::size_t shift = i + static_cast<std::size_t>(repetition);
                    measure(i, (k + shift) % m_modes.size(), static_cast<std::size_t>(repetition));
                }
            }
        }
    }

    std::vector<DomainFigures> domains() const {
        std::vector<DomainFigures> out;
        for (std::size_t domain = 0; domain < m_subject.domains.size(); ++domain) {
            out.push_back(figures(domain, m_subject.domains[domain]));
        }
        if (out.size() > 1) out.push_back(figures(m_subject.domains.size(), "all"));
        return out;
    }
    std::int64_t compared() const { return m_compared; }
    const std::vector<TextDifference>& differences() const { return m_differences; }

  private:
    GenerationParams params(std::size_t mode) const {
        GenerationParams params;
        params.maxNewTokens = m_options.genTokens + 1;  // the first comes from the prefill
        params.stopTokens = m_subject.stopTokens;
        params.vocabLimit = m_subject.vocabLimit;
        params.speculate = m_modes[mode].speculate;
        params.drafts = m_modes[mode].drafts;
        params.record = false;
        return params;
    }

    /// With routing and the two most probable tokens. The first mode, `off`, gives the text that
    /// the others are compared with.
    void record(std::size_t prompt, std::size_t mode) {
        GenerationParams recording = params(mode);
        recording.record = true;
        recording.alternatives = 2;
        const std::size_t domain = m_subject.prompts[prompt].domain;
        BenchSink sink({&m_sums[domain][mode].recorded, &m_sums.back()[mode].recorded});
        const GenerationResult result = generateFresh(prompt, recording, sink, m_warmUp[mode]);
        if (mode == 0) {
            m_texts.push_back(result.ids);
            m_margins.push_back(sink.margins());
        }
        compare(prompt, mode, result.ids);
    }

    void measure(std::size_t prompt, std::size_t mode, std::size_t repetition) {
        const std::size_t domain = m_subject.prompts[prompt].domain;
        BenchSink sink({&m_sums[domain][mode].timed, &m_sums.back()[mode].timed});
        const GenerationResult result = generateFresh(prompt, params(mode), sink, m_memories[mode]);
        for (Sums* sums : {&m_sums[domain][mode], &m_sums.back()[mode]}) {
            sums->tokens[repetition] += static_cast<double>(result.timing.decodeTokens);
            sums->seconds[repetition] += result.timing.decodeSeconds;
            addStats(sums->stats, result.speculation);
        }
        compare(prompt, mode, result.ids);
    }

    /// The whole prompt is computed again: what another mode left in the cache lacks the MTP
    /// layer's part, and making up for that is not a decode step's cost.
    GenerationResult generateFresh(std::size_t prompt, const GenerationParams& params,
                                   GenerationSink& sink, SpeculationMemory& memory) {
        m_subject.decoder->truncate(0);
        return generate(*m_subject.decoder, nullptr, m_subject.prompts[prompt].ids, params, sink,
                        {}, &memory);
    }

    void compare(std::size_t prompt, std::size_t mode, const std::vector<std::int32_t>& ids) {
        const std::vector<std::int32_t>& expected = m_texts[prompt];
        ++m_compared;
        if (ids == expected) return;
        const auto longest = std::max(ids.size(), expected.size());
        TextDifference difference;
        difference.mode = m_modes[mode].name;
        difference.prompt = static_cast<int>(prompt);
        difference.position = -1;
        difference.margin = std::numeric_limits<double>::quiet_NaN();
        for (std::size_t i = 0; i < longest; ++i) {
            if (i < ids.size() && i < expected.size() && ids[i] == expected[i]) continue;
            if (difference.position < 0) {
                difference.position = static_cast<std::int64_t>(i);
                if (i < m_margins[prompt].size()) difference.margin = m_margins[prompt][i];
            }
            ++difference.positions;
        }
        m_differences.push_back(difference);
    }

    DomainFigures figures(std::size_t group, const std::string& name) const {
        const bool all = group == m_subject.domains.size();
        DomainFigures out;
        out.domain = name;
        out.prompts = static_cast<int>(std::count_if(
            m_subject.prompts.begin(), m_subject.prompts.end(),
            [&](const BenchPrompt& prompt) { return all || prompt.domain == group; }));
        const std::vector<Sums>& modes = m_sums[group];
        out.tokens = static_cast<std::int64_t>(modes[0].tokens[0]);
        for (const Sums& sums : modes) {
            ModeFigures mode;
            for (std::size_t i = 0; i < sums.tokens.size(); ++i) {
                mode.tokensPerSecond.push_back(sums.tokens[i] / sums.seconds[i]);
                mode.ratios.push_back(mode.tokensPerSecond[i] /
                                      (modes[0].tokens[i] / modes[0].seconds[i]));
            }
            mode.stats = sums.stats;
            mode.timed = sums.timed.value();
            mode.recorded = sums.recorded.value();
            out.modes.push_back(std::move(mode));
        }
        return out;
    }

    DraftingSubject& m_subject;
    const std::vector<SpeculationMode>& m_modes;
    const BenchOptions& m_options;
    std::vector<SpeculationMemory> m_warmUp;  ///< of the recorded pass, whose times are others
    std::vector<SpeculationMemory> m_memories;
    std::vector<std::vector<Sums>> m_sums;           ///< [domain, then all][mode]
    std::vector<std::vector<std::int32_t>> m_texts;  ///< by prompt, of `off`
    std::vector<std::vector<double>> m_margins;      ///< by prompt and token, of `off`
    std::int64_t m_compared = 0;
    std::vector<TextDifference> m_differences;
};

SpeculationMode modeFromText(const std::string& text) {
    const std::size_t digits = text.find_first_of("0123456789");
    const std::optional<Speculate> known = speculateFromName(text.substr(0, digits));
    SpeculationMode mode{text, known.value_or(Speculate::Off), 0};
    const bool number = digits != std::string::npos;
    if (number) {
        const std::string depth = text.substr(digits);
        mode.drafts = depth.size() == 1 ? depth[0] - '0' : kMaxDrafts + 1;
    }
    const bool offWithNumber = number && mode.speculate == Speculate::Off;
    if (!known || offWithNumber || mode.drafts > kMaxDrafts || (number && mode.drafts < 1)) {
        throw UsageError(fmt::format(
            "--modes: \"{}\" is none of off, mtp, lookup, auto, nor one of the last three with a "
            "number of drafts from 1 to {}",
            withoutControls(text), kMaxDrafts));
    }
    return mode;
}

}  // namespace

std::vector<SpeculationMode> speculationModes(const std::string& list) {
    std::vector<SpeculationMode> modes = {{"off", Speculate::Off, 0}};
    std::istringstream in(list);
    for (std::string text; std::getline(in, text, ',');) {
        const bool known =
            std::any_of(modes.begin(), modes.end(),
                        [&](const SpeculationMode& mode) { return mode.name == text; });
        if (!known) modes.push_back(modeFromText(text));
    }
    return modes;
}

SpeculationBench measureSpeculation(const BenchOptions& options) {
    SpeculationBench out;
    if (!options.modes.empty()) out.modes = speculationModes(options.modes);
    DraftingSubject subject = openDraftingSubject(options);
    const ModelConfig& config = subject.decoder->config();
    if (out.modes.empty()) {
        out.modes = speculationModes(config.hasMtp() ? kDefaultModes : kDefaultModesWithoutMtp);
    }
    for (const SpeculationMode& mode : out.modes) {
        if (mode.speculate == Speculate::Mtp && !config.hasMtp()) {
            throw Error(fmt::format("--modes {}: this model has no MTP module", mode.name));
        }
    }
    checkContext(subject, options);
    Measurement measurement(subject, out.modes, options);
    measurement.run();
    out.subject = subject.described;
    out.layers = config.numHiddenLayers;
    out.moeLayers = static_cast<int>(subject.decoder->routingShape().layers.size());
    out.topK = subject.decoder->routingShape().topK;
    out.device = describePlacement(*subject.decoder);
    out.precision = name(subject.decoder->device().precision());
    out.randomWeights = !options.shape.empty();
    out.domains = measurement.domains();
    out.answersCompared = measurement.compared();
    out.differences = measurement.differences();
    return out;
}

int benchSpeculation(const BenchOptions& options) {
    const SpeculationBench bench = measureSpeculation(options);
    print(options.json ? speculationBenchJson(bench, options)
                       : speculationBenchText(bench, options));
    if (bench.differences.empty() || bench.precision != name(Precision::Exact)) return kDone;
    const TextDifference& first = bench.differences.front();
    throw Error(fmt::format(
        "{} of {} answers differ from the text of off, which exact arithmetic "
        "forbids; the first: mode {}, prompt {}, token {}",
        bench.differences.size(), bench.answersCompared, first.mode, first.prompt, first.position));
}

}  // namespace gatescope::cli
