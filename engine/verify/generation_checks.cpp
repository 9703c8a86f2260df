// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <map>

#include "engine/decode/generator.h"
#include "engine/model/decoder.h"
#include "engine/verify/deviation.h"
#include "engine/verify/model_checks.h"

namespace gatescope {
namespace {

constexpr int kUnlimitedJsonInt = 1 << 30;

class DraftCollector final : public GenerationSink {
  public:
    void onStep(const StepTrace& step) override {
        if (step.speculation) steps.push_back(*step.speculation);
    }
    std::vector<SpeculativeStep> steps;
};

/// How often each expert was chosen, and what the bias decided, over the prompt's positions.
class RoutingCollector final : public GenerationSink {
  public:
    explicit RoutingCollector(const RoutingShape& shape) : m_shape(shape) {}

    struct BiasDecided {
        std::int64_t selections = 0;
        std::int64_t of = 0;
        std::int64_t tokensChanged = 0;
    };

    void onStep(const StepTrace& step) override {
        for (const RoutedToken& token : step.tokens) {
            if (token.phase == Phase::Prefill) add(token);
        }
    }

    std::map<int, BiasDecided> biasDecided;  ///< by layer
    /// By layer, the choices of one position after the other, k each.
    std::map<int, std::vector<std::uint16_t>> choices;

  private:
    void add(const RoutedToken& token) {
        const auto k = static_cast<std::size_t>(m_shape.topK);
        for (std::size_t row = 0; row < m_shape.layers.size(); ++row) {
            const int layer = m_shape.layers[row];
            const auto first = token.routing.experts.begin() + static_cast<std::ptrdiff_t>(row * k);
            auto& list = choices[layer];
            list.insert(list.end(), first, first + m_shape.topK);
            BiasDecided& decided = biasDecided[layer];
            const int changed = std::popcount(token.routing.biasDecided[row]);
            decided.selections += changed;
            decided.of += m_shape.topK;
            decided.tokensChanged += changed > 0 ? 1 : 0;
        }
    }

    const RoutingShape& m_shape;
};

GenerationParams greedyParams(std::size_t tokens, Speculate speculate) {
    GenerationParams params;
    params.maxNewTokens = static_cast<int>(tokens);
    params.speculate = speculate;
    return params;
}

/// From an empty cache, as below, but without the recorder.
GenerationResult runUnrecorded(Decoder& decoder, const GoldenPrompt& prompt) {
    GenerationParams params = greedyParams(prompt.greedy.size(), Speculate::Off);
    params.record = false;
    GenerationSink ignored;
    decoder.truncate(0);
    return generate(decoder, nullptr, prompt.tokens, params, ignored);
}

/// The golden answers do not end at end tokens, so none are given. Begins with an empty cache.
GenerationResult runGreedy(Decoder& decoder, const std::vector<std::int32_t>& prompt,
                           std::size_t tokens, Speculate speculate, GenerationSink& sink) {
    decoder.truncate(0);
    return generate(decoder, nullptr, prompt, greedyParams(tokens, speculate), sink);
}

/// Every verify step of a run: which token it began with, the draft, whether it was accepted.
void compareSteps(const std::string& prompt, const JsonValue& golden,
                  const std::vector<SpeculativeStep>& ours, Mismatches& out) {
    const JsonValue steps = golden.at("steps");
    std::size_t at = 0;
    for (std::size_t i = 0; i < std::max(steps.size(), ours.size()); ++i) {
        const std::string where = fmt::format("{} step {}", prompt, i);
        if (i >= steps.size() || i >= ours.size()) {
            out.add(where, false);
            continue;
        }
        const JsonValue step = steps.at(i);
        out.add(where, step.at("at").integer() == static_cast<std::int64_t>(at) &&
                           ours[i].drafted() == 1 &&
                           step.at("draft").integer() == ours[i].drafts[0].id &&
                           step.at("accepted").boolean() == (ours[i].accepted == 1));
        at += static_cast<std::size_t>(1 + ours[i].accepted);
    }
}

void compareCounts(const std::string& prompt, const JsonValue& golden,
                   const SpeculationStats& stats, Mismatches& out) {
    const auto compare = [&](std::string_view key, std::int64_t value) {
        const auto expected = golden.find(key);
        if (expected) out.add(fmt::format("{} {}", prompt, key), expected->integer() == value);
    };
    compare("main_forwards_incl_prefill", stats.mainForwards);
    compare("drafted", stats.drafted);
    compare("accepted", stats.accepted);
}

void compareLoad(const std::string& where, const JsonValue& golden, int experts,
                 std::span<const std::uint16_t> choices, Mismatches& out) {
    std::vector<std::int32_t> load(static_cast<std::size_t>(experts));
    for (const std::uint16_t expert : choices) ++load[expert];
    const std::vector<std::int32_t> expected = tokenList(golden.at("load"));
    out.add<std::int32_t>(where, expected, load);
}

const GoldenPrompt* findPrompt(const GoldenModel& golden, std::string_view name) {
    const auto found =
        std::find_if(golden.prompts.begin(), golden.prompts.end(),
                     [name](const GoldenPrompt& prompt) { return prompt.name == name; });
    return found == golden.prompts.end() ? nullptr : &*found;
}

RoutingCollector recordRouting(LoadedModel& model, const std::vector<std::int32_t>& prompt) {
    RoutingCollector routing(model.routingShape());
    runGreedy(model.decoder(), prompt, 1, Speculate::Off, routing);
    return routing;
}

void checkBiasDecided(LoadedModel& model, const GoldenModel& golden, const JsonValue& json,
                      const CheckSink& sink) {
    Mismatches decided;
    json.forEachMember([&](const std::string& name, JsonValue layers) {
        const GoldenPrompt* prompt = findPrompt(golden, name);
        if (prompt == nullptr) return;
        const RoutingCollector routing = recordRouting(model, prompt->tokens);
        layers.forEachMember([&](const std::string& layer, JsonValue expected) {
            for (const auto& [index, ours] : routing.biasDecided) {
                if (std::to_string(index) != layer) continue;
                decided.add(fmt::format("{} layer {}", name, layer),
                            expected.at("selections").integer() == ours.selections &&
                                expected.at("of").integer() == ours.of &&
                                expected.at("tokens_changed").integer() == ours.tokensChanged);
            }
        });
    });
    if (!decided.empty()) sink(decided.check(golden.name, "bias-decided choices", "layers"));
}

/// Loads of the batches one prompt is cut into. The file does not name the prompt: it is the one
/// whose length is the batches together.
void checkLoads(LoadedModel& model, const GoldenModel& golden, const JsonValue& layers,
                std::size_t batchTokens, const CheckSink& sink) {
    Mismatches loads;
    const auto k = static_cast<std::size_t>(model.routingShape().topK);
    layers.forEachMember([&](const std::string& layer, JsonValue expected) {
        const JsonValue batches = expected.at("batches");
        const std::size_t tokens = batches.size() * batchTokens;
        for (const GoldenPrompt& prompt : golden.prompts) {
            if (prompt.tokens.size() != tokens) continue;
            const RoutingCollector routing = recordRouting(model, prompt.tokens);
            for (const auto& [index, choices] : routing.choices) {
                if (std::to_string(index) != layer) continue;
                const std::span<const std::uint16_t> all(choices);
                for (std::size_t b = 0; b < batches.size(); ++b) {
                    compareLoad(fmt::format("layer {} batch {}", layer, b), batches.at(b),
                                model.routingShape().experts,
                                all.subspan(b * batchTokens * k, batchTokens * k), loads);
                }
            }
        }
    });
    if (!loads.empty()) sink(loads.check(golden.name, "expert loads by batch", "experts"));
}

}  // namespace

void checkGeneration(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink) {
    Mismatches plain;
    Mismatches drafted;
    Mismatches steps;
    Mismatches counts;
    for (const GoldenPrompt& prompt : golden.prompts) {
        if (prompt.greedy.empty()) continue;
        const std::span<const std::int32_t> expected(prompt.greedy);
        GenerationSink ignored;
        const GenerationResult without =
            runGreedy(model.decoder(), prompt.tokens, expected.size(), Speculate::Off, ignored);
        plain.add<std::int32_t>(prompt.name, expected, without.ids);
        if (!model.config().hasMtp()) continue;
        DraftCollector collector;
        const GenerationResult with =
            runGreedy(model.decoder(), prompt.tokens, expected.size(), Speculate::Mtp, collector);
        drafted.add<std::int32_t>(prompt.name, expected, with.ids);
        const auto run = prompt.facts ? prompt.facts->find("speculative") : std::nullopt;
        if (!run) continue;
        compareSteps(prompt.name, *run, collector.steps, steps);
        compareCounts(prompt.name, *run, with.speculation, counts);
    }
    if (!plain.empty()) sink(plain.check(golden.name, "greedy", "tokens"));
    if (!drafted.empty()) sink(drafted.check(golden.name, "greedy with MTP drafts", "tokens"));
    if (!steps.empty()) sink(steps.check(golden.name, "drafts and acceptance", "steps"));
    if (!counts.empty()) sink(counts.check(golden.name, "forward and draft counts", "counts"));
}

void checkOwnText(Decoder& decoder, const GoldenModel& golden, const CheckSink& sink) {
    const bool exact = decoder.device().precision() == Precision::Exact;
    Mismatches unrecorded;
    Mismatches drafted;
    for (const GoldenPrompt& prompt : golden.prompts) {
        const std::size_t tokens = prompt.greedy.size();
        if (tokens == 0) continue;
        GenerationSink ignored;
        const auto first = runGreedy(decoder, prompt.tokens, tokens, Speculate::Off, ignored);
        const std::span<const std::int32_t> expected(first.ids);
        unrecorded.add<std::int32_t>(prompt.name, expected, runUnrecorded(decoder, prompt).ids);
        if (!exact || !decoder.config().hasMtp()) continue;
        const auto with = runGreedy(decoder, prompt.tokens, tokens, Speculate::Mtp, ignored);
        drafted.add<std::int32_t>(prompt.name, expected, with.ids);
    }
    if (!unrecorded.empty()) {
        sink(unrecorded.check(golden.name, "greedy, recorder on, off", "tokens"));
    }
    if (!drafted.empty()) sink(drafted.check(golden.name, "greedy, drafts on, off", "tokens"));
}

void checkRecordedRouting(LoadedModel& model, const GoldenModel& golden, const JsonValue& json,
                          const CheckSink& sink) {
    if (const auto decided = json.find("bias_decided")) {
        checkBiasDecided(model, golden, *decided, sink);
    }
    const auto batch = json.find("batch_tokens");
    const auto loads = json.find("open_loop");
    if (batch && loads) {
        const auto tokens = static_cast<std::size_t>(batch->integer(1, kUnlimitedJsonInt));
        checkLoads(model, golden, *loads, tokens, sink);
    }
}

}  // namespace gatescope
