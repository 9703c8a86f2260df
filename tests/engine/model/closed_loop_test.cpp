// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/analysis/bias_update.h"
#include "engine/analysis/load_statistics.h"
#include "engine/error.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

/// The statistics the golden file has of this load.
void expectStatistics(const std::vector<std::int64_t>& load, const nlohmann::json& want) {
    const LoadStatistics ours = loadStatistics(load);
    EXPECT_NEAR(ours.maxVio, want["max_vio"].get<double>(), 1e-9);
    EXPECT_NEAR(ours.cv, want["cv"].get<double>(), 1e-9);
    EXPECT_NEAR(ours.gini, want["gini"].get<double>(), 1e-9);
    EXPECT_NEAR(ours.entropy, want["entropy_norm"].get<double>(), 1e-9);
}

class Loads final : public ForwardObserver {
  public:
    bool wantsRouting() const override { return true; }
    void onRouting(const LayerRouting& r) override {
        auto& load = layers[r.layer];
        load.assign(static_cast<std::size_t>(r.experts), 0);
        for (std::int64_t i = 0; i < r.tokens * r.topK; ++i)
            ++load[static_cast<std::size_t>(r.ids[i])];
    }
    std::map<int, std::vector<std::int64_t>> layers;
};

/// The model's own biases, to begin with.
Interventions ownBiases(const Decoder& decoder, double gamma) {
    Interventions applied{fmt::format("training rule, gamma {}", gamma), {}};
    for (const int layer : decoder.routingShape().layers)
        applied.layers.push_back({.layer = layer, .bias = decoder.weights().routerBias(layer)});
    return applied;
}

class ClosedLoop : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, ClosedLoop, testing::Values("closed_loop", "closed_loop_strong"),
                         [](const auto& test) { return std::string(test.param); });

// Every batch runs under the bias the one before left, over a cache that stays.
TEST_P(ClosedLoop, TheModelReallyRunsUnderABiasThatMoves) {
    GoldenModel model("v3-mini");
    const auto golden = nlohmann::json::parse(std::ifstream(goldenDir() / "routing.json"));
    const auto& loop = golden[GetParam()];
    const double gamma = loop["gamma"].get<double>();
    const auto tokens = model.tokens("p150");
    const auto size = golden["batch_tokens"].get<std::size_t>();
    auto applied = ownBiases(model.decoder, gamma);
    for (std::size_t batch = 0; batch * size < tokens.size(); ++batch) {
        model.decoder.setInterventions(applied, CacheAfter::Kept);
        Loads loads;
        model.decoder.forward(std::span(tokens).subspan(batch * size, size),
                              {AttentionPath::Expanded, LogitsOf::None, {}, &loads, {}});
        for (auto& layer : applied.layers) {
            const auto& want = loop["layers"][std::to_string(layer.layer)][batch];
            const auto& load = loads.layers.at(layer.layer);
            ASSERT_EQ(load, want["load"].get<std::vector<std::int64_t>>())
                << "layer " << layer.layer << " batch " << batch;
            expectStatistics(load, want);
            updateBias(std::span<float>(layer.bias), load, gamma);
            EXPECT_LE(maxDifference(layer.bias, want["bias_after"].get<std::vector<float>>()),
                      1e-6f);
        }
    }
    EXPECT_EQ(model.decoder.length(), 150);
}

}  // namespace
}  // namespace gatescope::test
