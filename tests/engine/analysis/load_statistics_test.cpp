// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/load_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "engine/error.h"

namespace gatescope {
namespace {

using Json = nlohmann::json;

constexpr double kGoldenTolerance = 1e-9;

Json golden(const std::string& name) {
    std::ifstream file(std::string(GATESCOPE_GOLDEN_DIR) + "/" + name);
    return Json::parse(file);
}

/// null in the golden data: not defined, NaN here.
void expectValue(double value, const Json& expected, const std::string& where) {
    if (expected.is_null()) {
        EXPECT_TRUE(std::isnan(value)) << where;
    } else {
        EXPECT_NEAR(value, expected.get<double>(), kGoldenTolerance) << where;
    }
}

void expectGolden(const Json& entry, const std::string& where) {
    const LoadStatistics statistics =
        loadStatistics(entry.at("load").get<std::vector<std::int64_t>>());
    expectValue(statistics.maxVio, entry.at("max_vio"), where + ": MaxVio");
    expectValue(statistics.cv, entry.at("cv"), where + ": CV");
    expectValue(statistics.gini, entry.at("gini"), where + ": Gini");
    expectValue(statistics.entropy, entry.at("entropy_norm"), where + ": entropy");
}

TEST(LoadStatistics, GoldenRouting) {
    const Json root = golden("routing.json");
    int entries = 0;
    for (const auto& [layer, loop] : root.at("open_loop").items()) {
        for (const Json& batch : loop.at("batches")) {
            expectGolden(batch, "open loop, layer " + layer);
            ++entries;
        }
        expectGolden(loop.at("total"), "open loop total, layer " + layer);
        ++entries;
    }
    for (const char* name : {"closed_loop", "closed_loop_strong"}) {
        for (const auto& [layer, batches] : root.at(name).at("layers").items()) {
            for (const Json& batch : batches) {
                expectGolden(batch, name + (", layer " + layer));
                ++entries;
            }
        }
    }
    EXPECT_EQ(entries, 3 * 16 + 2 * 3 * 15);
}

TEST(LoadStatistics, GoldenRoutingCases) {
    const Json root = golden("routing_cases.json");
    for (const Json& update : root.at("bias_update")) {
        expectGolden(update, update.at("name").get<std::string>());
    }
    EXPECT_EQ(root.at("bias_update").size(), 4U);
}

TEST(LoadStatistics, ByHand) {
    // N = 8 over 4 experts, mean 2: q = 0, 1/2, 1/2, 3.
    const LoadStatistics s = loadStatistics(std::vector<std::int64_t>{1, 6, 0, 1});
    EXPECT_EQ(s.choices, 8);
    EXPECT_EQ(s.distinct, 3);
    EXPECT_DOUBLE_EQ(s.maxVio, 2);
    EXPECT_DOUBLE_EQ(s.minVio, 1);
    EXPECT_DOUBLE_EQ(s.avgVio, (1 + 0.5 + 0.5 + 2) / 4);
    EXPECT_DOUBLE_EQ(s.cv, std::sqrt((4 + 1 + 1 + 16) / 4.0) / 2);
    // 2 (1*0 + 2*1 + 3*1 + 4*6) / (4*8) - 5/4
    EXPECT_DOUBLE_EQ(s.gini, 2.0 * 29 / 32 - 1.25);
    const double nats = 2.0 / 8 * std::log(8) + 6.0 / 8 * std::log(8.0 / 6);
    EXPECT_DOUBLE_EQ(s.entropy, nats / std::log(4));
    EXPECT_DOUBLE_EQ(s.effectiveExperts, std::exp(nats));
}

TEST(LoadStatistics, ExtremesOfTheScale) {
    const LoadStatistics even = loadStatistics(std::vector<std::int64_t>(64, 7));
    EXPECT_EQ(even.maxVio, 0);
    EXPECT_EQ(even.minVio, 0);
    EXPECT_EQ(even.avgVio, 0);
    EXPECT_EQ(even.cv, 0);
    EXPECT_EQ(even.gini, 0);
    EXPECT_NEAR(even.entropy, 1, 1e-14);
    EXPECT_NEAR(even.effectiveExperts, 64, 1e-10);
    std::vector<std::int64_t> single(64, 0);
    single[9] = 1'000'000'000'000;
    const LoadStatistics one = loadStatistics(single);
    EXPECT_EQ(one.maxVio, 63);
    EXPECT_DOUBLE_EQ(one.gini, 63.0 / 64);
    EXPECT_EQ(one.entropy, 0);
    EXPECT_EQ(one.effectiveExperts, 1);
}

TEST(LoadStatistics, NothingIsNaNAndNonsenseIsRefused) {
    const LoadStatistics none = loadStatistics(std::vector<std::int64_t>(8, 0));
    EXPECT_EQ(none.choices, 0);
    for (const double value : {none.maxVio, none.minVio, none.avgVio, none.cv, none.gini,
                               none.entropy, none.effectiveExperts}) {
        EXPECT_TRUE(std::isnan(value));
    }
    EXPECT_TRUE(std::isnan(loadStatistics({}).cv));
    const LoadStatistics only = loadStatistics(std::vector<std::int64_t>{5});
    EXPECT_TRUE(std::isnan(only.entropy));
    EXPECT_EQ(only.effectiveExperts, 1);
    EXPECT_THROW(loadStatistics(std::vector<std::int64_t>{3, -1}), Error);
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    EXPECT_THROW(loadStatistics(std::vector<std::int64_t>{kMost, 1}), Error);
}

/// Definitions over pairs and logarithms to base 2, in another order and precision.
struct Naive {
    explicit Naive(const std::vector<std::int64_t>& counts) {
        const auto experts = static_cast<long double>(counts.size());
        const auto total = static_cast<long double>(
            std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
        for (const std::int64_t a : counts) {
            const long double p = static_cast<long double>(a) / total;
            maxVio = std::max(maxVio, p * experts - 1);
            minVio = std::max(minVio, 1 - p * experts);
            avgVio += std::abs(p * experts - 1) / experts;
            cv += p * p * experts;  // E[q^2]
            bits -= p > 0 ? p * std::log2(p) : 0;
            for (const std::int64_t b : counts) {
                gini += static_cast<long double>(std::abs(a - b)) / (2 * experts * total);
            }
        }
        cv = std::sqrt(std::max(0.0L, cv - 1));
    }
    long double maxVio = -1, minVio = -1, avgVio = 0, cv = 0, bits = 0, gini = 0;
};

TEST(LoadStatistics, AgreesWithNaiveDefinitionsInAnyOrder) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::int64_t> counts(2 + random() % 60);
        std::geometric_distribution<std::int64_t> skewed(0.002 + 0.001 * (round % 90));
        for (std::int64_t& count : counts) {
            count = skewed(random);
        }
        counts[0] += 1;
        const LoadStatistics s = loadStatistics(counts);
        const Naive naive(counts);
        EXPECT_NEAR(s.maxVio, static_cast<double>(naive.maxVio), 1e-11);
        EXPECT_NEAR(s.minVio, static_cast<double>(naive.minVio), 1e-11);
        EXPECT_NEAR(s.avgVio, static_cast<double>(naive.avgVio), 1e-11);
        EXPECT_NEAR(s.cv, static_cast<double>(naive.cv), 1e-8);
        EXPECT_NEAR(s.gini, static_cast<double>(naive.gini), 1e-11);
        EXPECT_NEAR(s.effectiveExperts, static_cast<double>(std::exp2(naive.bits)), 1e-9);
        std::shuffle(counts.begin(), counts.end(), random);
        const LoadStatistics shuffled = loadStatistics(counts);
        EXPECT_EQ(s.gini, shuffled.gini);
        EXPECT_EQ(s.entropy, shuffled.entropy);
        EXPECT_EQ(s.cv, shuffled.cv);
    }
}

TEST(LoadStatistics, DoublingAllCountsChangesNothing) {
    const std::vector<std::int64_t> counts{3, 0, 17, 5, 5, 1};
    std::vector<std::int64_t> twice = counts;
    for (std::int64_t& count : twice) {
        count *= 2;
    }
    const LoadStatistics a = loadStatistics(counts);
    const LoadStatistics b = loadStatistics(twice);
    EXPECT_DOUBLE_EQ(a.maxVio, b.maxVio);
    EXPECT_DOUBLE_EQ(a.cv, b.cv);
    EXPECT_DOUBLE_EQ(a.gini, b.gini);
    EXPECT_DOUBLE_EQ(a.entropy, b.entropy);
}

}  // namespace
}  // namespace gatescope
