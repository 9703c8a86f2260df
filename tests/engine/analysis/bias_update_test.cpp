// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/bias_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/error.h"

namespace gatescope {
namespace {

using Loads = std::vector<std::int64_t>;

nlohmann::json golden(const char* name) {
    std::ifstream file(std::string(GATESCOPE_GOLDEN_DIR "/") + name);
    return nlohmann::json::parse(file);
}

template <typename Value>
void expectNear(const std::vector<Value>& bias, const nlohmann::json& expected) {
    ASSERT_EQ(bias.size(), expected.size());
    for (std::size_t e = 0; e < bias.size(); ++e) {
        EXPECT_NEAR(static_cast<double>(bias[e]), expected[e].get<double>(), 1e-6) << e;
    }
}

TEST(BiasUpdate, GoldenCases) {
    const auto file = golden("routing_cases.json");
    int cases = 0;
    for (const auto& item : file.at("bias_update")) {
        SCOPED_TRACE(item.at("name").get<std::string>());
        auto bias = item.at("bias").get<std::vector<float>>();
        updateBias(bias, item.at("load").get<Loads>(), item.at("gamma").get<double>());
        expectNear(bias, item.at("bias_after"));
        ++cases;
    }
    EXPECT_EQ(cases, 4);
}

TEST(BiasUpdate, GoldenOpenLoopAfterEveryBatch) {
    const auto file = golden("routing.json");
    int batches = 0;
    for (const auto& [layer, item] : file.at("open_loop").items()) {
        SCOPED_TRACE(layer);
        auto bias = item.at("bias_start").get<std::vector<float>>();
        auto exact = item.at("bias_start").get<std::vector<double>>();
        for (const auto& batch : item.at("batches")) {
            const auto load = batch.at("load").get<Loads>();
            updateBias(bias, load, file.at("gamma").get<double>());
            updateBias(exact, load, file.at("gamma").get<double>());
            expectNear(bias, batch.at("bias_after"));
            expectNear(exact, batch.at("bias_after"));
            ++batches;
        }
    }
    EXPECT_EQ(batches, 45);
}

TEST(BiasUpdate, ExactlyAtTheMeanStaysHoweverTheMeanRounds) {
    std::vector<float> bias(3, 0.25F);
    updateBias(bias, Loads{1, 1, 1}, 0.1);
    EXPECT_EQ(bias, std::vector<float>(3, 0.25F));
    // The mean 4/3 lies between the loads: nobody is at it.
    updateBias(bias, Loads{1, 1, 2}, 0.5);
    EXPECT_EQ(bias, (std::vector<float>{0.75F, 0.75F, -0.25F}));
    // One more than a mean that a double cannot hold.
    const std::int64_t large = std::int64_t{1} << 60;
    std::vector<double> pair(2, 0.0);
    updateBias(pair, Loads{large, large + 2}, 1);
    EXPECT_EQ(pair, (std::vector<double>{1, -1}));
}

TEST(BiasUpdate, MeanCentredKeepsTheMeanAndTheDifferences) {
    const Loads load{0, 0, 10, 0};
    std::vector<double> raw{0.5, -0.25, 0.125, 0.0};
    std::vector<double> centred = raw;
    const double mean = std::accumulate(raw.begin(), raw.end(), 0.0);
    updateBias(raw, load, 0.25);
    updateBias(centred, load, 0.25, BiasRule::MeanCentred);
    EXPECT_DOUBLE_EQ(std::accumulate(centred.begin(), centred.end(), 0.0), mean);
    for (std::size_t e = 1; e < raw.size(); ++e) {
        EXPECT_DOUBLE_EQ(centred[e] - centred[0], raw[e] - raw[0]);
    }
}

TEST(BiasUpdate, BadInputIsAnError) {
    std::vector<float> bias(2, 0.0F);
    const Loads load{1, 2};
    EXPECT_THROW(updateBias(bias, Loads{1, 2, 3}, 0.1), Error);
    EXPECT_THROW(updateBias(bias, Loads{-1, 2}, 0.1), Error);
    EXPECT_THROW(updateBias(bias, load, -0.1), Error);
    EXPECT_THROW(updateBias(bias, load, std::nan("")), Error);
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    EXPECT_THROW(updateBias(bias, Loads{most, 1}, 0.1), Error);
    EXPECT_EQ(bias, std::vector<float>(2, 0.0F));
    std::vector<float> none;
    updateBias(none, Loads{}, 0.1);
}

}  // namespace
}  // namespace gatescope
