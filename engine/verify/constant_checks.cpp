// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "engine/model/decoder.h"
#include "engine/verify/deviation.h"
#include "engine/verify/model_checks.h"

namespace gatescope {
namespace {

constexpr double kRelative = 1e-9;  // both sides are float64

double relative(double value, double golden) {
    return std::abs(value - golden) / std::max(std::abs(golden), 1e-300);
}

void checkLayers(const ModelConfig& config, const GoldenModel& golden, const CheckSink& sink) {
    Mismatches layers;
    if (const auto list = golden.fact("moe_layers")) {
        const std::vector<std::int32_t> expected = tokenList(*list);
        layers.add("moe_layers",
                   config.moeLayers() == std::vector<int>(expected.begin(), expected.end()));
    }
    if (const auto layer = golden.fact("mtp_layer")) {
        layers.add("mtp_layer", config.hasMtp() && config.mtpLayer() == layer->integer());
    }
    if (!layers.empty()) sink(layers.check(golden.name, "layer numbers", "fields"));
}

void checkBias(const LoadedModel& model, const GoldenModel& golden, const CheckSink& sink) {
    if (!golden.arrays) return;
    Mismatches bias;
    const int layers = model.config().numHiddenLayers + (model.config().hasMtp() ? 1 : 0);
    for (int layer = 0; layer < layers; ++layer) {
        const std::string key = fmt::format("moe.{}.bias", layer);
        const auto expected = golden.arrays->floats(key);
        if (expected) bias.add<float>(key, *expected, model.routerBias(layer));
    }
    if (!bias.empty()) sink(bias.check(golden.name, "correction bias", "values"));
}

void checkRope(const Rope& rope, const JsonValue& golden, const std::string& subject,
               const CheckSink& sink) {
    Deviation deviation;
    if (const auto frequencies = golden.find("inv_freq")) {
        frequencies->forEachElement([&](std::size_t i, JsonValue value) {
            const auto& ours = rope.inverseFrequencies();
            deviation.note(fmt::format("inv_freq {}", i),
                           i < ours.size() ? relative(ours[i], value.number()) : 1.0);
        });
    }
    if (const auto factor = golden.find("cos_sin_factor")) {
        deviation.note("cos_sin_factor", relative(rope.cosSinFactor(), factor->number()));
    }
    if (const auto scale = golden.find("softmax_scale")) {
        deviation.note("softmax_scale", relative(rope.softmaxScale(), scale->number()));
    }
    if (!deviation.empty()) {
        sink(deviation.maxCheck(subject, "rotary constants, relative", kRelative));
    }
}

}  // namespace

void checkConstants(LoadedModel& model, const GoldenModel& golden, const CheckSink& sink) {
    checkLayers(model.config(), golden, sink);
    checkBias(model, golden, sink);
    if (const auto rope = golden.fact("rope")) {
        checkRope(model.decoder().rope(), *rope, golden.name, sink);
    }
}

}  // namespace gatescope
