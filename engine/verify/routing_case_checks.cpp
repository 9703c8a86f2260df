// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "engine/error.h"
#include "engine/model/router.h"
#include "engine/verify/case_checks.h"
#include "engine/verify/golden_deviations.h"
#include "engine/verify/golden_model.h"
#include "kernels/device_buffer.h"

namespace gatescope {
namespace {

/// Bounds of what a case may ask for; the configuration of a model has its own.
constexpr std::int64_t kMaxExperts = 4096;

ModelConfig gateConfig(const JsonValue& json) {
    ModelConfig config;
    const auto integer = [&json](std::string_view key, std::int64_t most) {
        return static_cast<int>(json.at(key).integer(1, most));
    };
    config.nRoutedExperts = integer("n_routed_experts", kMaxExperts);
    config.numExpertsPerTok = integer("num_experts_per_tok", config.nRoutedExperts);
    config.nGroup = integer("n_group", config.nRoutedExperts);
    config.topkGroup = integer("topk_group", config.nGroup);
    config.normTopkProb = json.at("norm_topk_prob").boolean();
    config.routedScalingFactor = json.at("routed_scaling_factor").number();
    config.scoringFunc =
        json.at("scoring_func").string() == "sigmoid" ? ScoringFunc::Sigmoid : ScoringFunc::Softmax;
    const std::string& method = json.at("topk_method").string();
    if (method == "noaux_tc") {
        config.topkMethod = TopkMethod::NoauxTc;
    } else if (method == "greedy") {
        config.topkMethod = TopkMethod::Greedy;
    } else if (method == "group_limited_greedy") {
        config.topkMethod = TopkMethod::GroupLimitedGreedy;
    } else {
        throw json.at("topk_method").error("is no method of choice we know");
    }
    if (config.nRoutedExperts % config.nGroup != 0 ||
        config.nRoutedExperts / config.nGroup * config.topkGroup < config.numExpertsPerTok) {
        throw json.error("groups and experts do not fit");
    }
    return config;
}

/// Rows of numbers, each of `cols`, one after the other.
std::vector<float> rows(const JsonValue& json, std::size_t cols) {
    std::vector<float> values;
    json.forEachElement([&](std::size_t, JsonValue row) {
        if (row.size() != cols) throw row.error(fmt::format("expected {} numbers", cols));
        row.forEachElement([&values](std::size_t, JsonValue value) {
            values.push_back(static_cast<float>(value.number()));
        });
    });
    return values;
}

struct CaseResult {
    std::vector<float> scores;
    std::vector<std::int32_t> ids;
    std::vector<float> weights;
};

CaseResult runGate(Device& device, const ModelConfig& config, const std::vector<float>& logits,
                   const std::vector<float>& bias) {
    const auto experts = static_cast<std::size_t>(config.nRoutedExperts);
    const std::size_t tokens = logits.size() / experts;
    const std::size_t choices = tokens * static_cast<std::size_t>(config.numExpertsPerTok);
    DeviceBuffer<float> input(device);
    DeviceBuffer<float> biasBuffer(device);
    DeviceBuffer<float> scores(device);
    DeviceBuffer<float> weights(device);
    DeviceBuffer<std::int32_t> ids(device);
    device.upload(input.require(logits.size()), logits.data(), logits.size() * sizeof(float));
    if (!bias.empty()) {
        device.upload(biasBuffer.require(experts), bias.data(), bias.size() * sizeof(float));
    }
    Routing routing;
    routing.scores = scores.require(logits.size());
    routing.ids = ids.require(choices);
    routing.weights = weights.require(choices);
    routing.tokens = static_cast<std::int64_t>(tokens);
    routing.topK = config.numExpertsPerTok;
    device.route(routing, ConstMatrix(input.data(), routing.tokens, config.nRoutedExperts),
                 bias.empty() ? nullptr : biasBuffer.data(), routeParams(config));
    device.synchronize();
    CaseResult result{std::vector<float>(logits.size()), std::vector<std::int32_t>(choices),
                      std::vector<float>(choices)};
    device.download(result.scores.data(), routing.scores, logits.size() * sizeof(float));
    device.download(result.ids.data(), routing.ids, choices * sizeof(std::int32_t));
    device.download(result.weights.data(), routing.weights, choices * sizeof(float));
    return result;
}

void checkCase(Device& device, const JsonValue& json, const CheckSink& sink) {
    const ModelConfig config = gateConfig(json.at("config"));
    const auto experts = static_cast<std::size_t>(config.nRoutedExperts);
    const auto topK = static_cast<std::size_t>(config.numExpertsPerTok);
    std::vector<float> bias;
    if (const auto values = json.find("bias")) {
        if (values->size() != experts) throw values->error("expected one number per expert");
        values->forEachElement([&bias](std::size_t, JsonValue value) {
            bias.push_back(static_cast<float>(value.number()));
        });
    }
    const CaseResult result = runGate(device, config, rows(json.at("logits"), experts), bias);

    Mismatches ids;
    std::vector<std::int32_t> expectedIds;
    json.at("ids").forEachElement([&](std::size_t, JsonValue row) {
        const auto list = tokenList(row);
        expectedIds.insert(expectedIds.end(), list.begin(), list.end());
    });
    ids.add<std::int32_t>("choices", expectedIds, result.ids);
    const std::string subject = "routing case " + json.at("name").string();
    sink(ids.check(subject, "expert ids", "choices"));
    Deviation deviation;
    deviation.add("scores", rows(json.at("scores"), experts), result.scores);
    deviation.add("weights", rows(json.at("weights"), topK), result.weights);
    // A router computes in float32 in every precision.
    labelled(sink, Tolerance::Float32)(
        deviation.maxCheck(subject, "scores and weights max", Float32Class::gateMax));
}

}  // namespace

void checkRoutingCases(Device& device, const JsonValue& json, const CheckSink& sink) {
    json.at("cases").forEachElement(
        [&](std::size_t, JsonValue item) { checkCase(device, item, sink); });
}

}  // namespace gatescope
