// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/load_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace gatescope {
namespace {

RoutingLoad smallLoad() {
    RoutingLoad load;
    load.shape.layers = {1, 2};
    load.shape.mtpLayer = 3;
    load.shape.totalLayers = 3;
    load.shape.experts = 4;
    load.shape.topK = 2;
    PhaseLoad& prefill = load.phases[static_cast<std::size_t>(Phase::Prefill)];
    prefill.tokens = 10;
    prefill.counts = {10, 5, 5, 0, 5, 5, 5, 5, 0, 0, 0, 0};
    prefill.gateMass = {6, 2, 2, 0, 1, 1, 1, 1, 0, 0, 0, 0};
    PhaseLoad& draft = load.phases[static_cast<std::size_t>(Phase::Draft)];
    draft.mtpTokens = 4;
    draft.counts = {0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 0, 0};
    draft.gateMass = {0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0};
    return load;
}

TEST(LoadMap, RelativeLoadsHaveMeanOneInEveryRowWithTokens) {
    const RoutingLoad load = smallLoad();
    const RoutingCounts counts = countsOf(load, kDefaultPhases);
    EXPECT_EQ(counts.n, (std::vector<std::int64_t>{10, 10, 4}));
    const std::vector<double> values = relativeLoads(counts, load.shape);
    EXPECT_EQ(values[0], 2);
    for (std::ptrdiff_t row = 0; row < 3; ++row) {
        EXPECT_DOUBLE_EQ(
            std::accumulate(values.begin() + 4 * row, values.begin() + 4 * row + 4, 0.0), 4);
    }
    EXPECT_TRUE(std::isnan(relativeLoads(counts, load.shape, 5).back()));  // n = 4
}

TEST(LoadMap, GateMassIsOfTheRow) {
    const std::vector<double> values = relativeGateMass(smallLoad(), kDefaultPhases);
    EXPECT_DOUBLE_EQ(values[0], 2.4);
    EXPECT_DOUBLE_EQ(values[9], 3);
    const unsigned draft = 1U << static_cast<unsigned>(Phase::Draft);
    EXPECT_TRUE(std::isnan(relativeGateMass(smallLoad(), draft)[0]));
}

TEST(LoadMap, ZScoresNeedFiveChoicesOfAnExpert) {
    RoutingLoad load = smallLoad();
    EXPECT_EQ(tokensNeeded(load.shape), 10);
    const std::vector<double> values = zScores(countsOf(load, kDefaultPhases), load.shape);
    EXPECT_DOUBLE_EQ(values[0], (10 - 5) / std::sqrt(2.5));
    EXPECT_DOUBLE_EQ(values[4], 0);
    EXPECT_TRUE(std::isnan(values[8]));
}

}  // namespace
}  // namespace gatescope
