// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/jensen_shannon.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace gatescope {
namespace {

using Counts = std::vector<std::int64_t>;
const std::filesystem::path goldenDir = GATESCOPE_GOLDEN_DIR;

nlohmann::json jsonFile(const std::string& name) {
    return nlohmann::json::parse(std::ifstream(goldenDir / name));
}

TEST(JensenShannon, GoldenCases) {
    const auto cases = jsonFile("routing_cases.json").at("js_divergence");
    ASSERT_EQ(cases.size(), 4u);
    for (const auto& entry : cases) {
        EXPECT_NEAR(
            jensenShannonDivergence(entry.at("p").get<Counts>(), entry.at("q").get<Counts>()),
            entry.at("js").get<double>(), 1e-12)
            << entry;
    }
}

/// How often each of 16 experts was chosen for a golden prompt.
Counts goldenLoad(const SafetensorsFile& file, const std::string& prompt,
                  const std::string& layer) {
    const TensorView* ids = file.find(prompt + ".moe." + layer + ".ids");
    Counts load(16, 0);
    if (ids == nullptr) return load;
    for (std::size_t at = 0; at < ids->bytes.size(); at += 4) {
        std::int32_t id = 0;
        std::memcpy(&id, ids->bytes.data() + at, 4);
        ++load.at(static_cast<std::size_t>(id));
    }
    return load;
}

TEST(JensenShannon, GoldenRouting) {
    const SafetensorsFile file(goldenDir / "golden" / "v3-mini" / "golden.safetensors");
    const auto pairs = jsonFile("routing.json").at("js_divergence");
    int compared = 0;
    for (const auto& [pair, layers] : pairs.items()) {
        const auto bar = pair.find('|');
        for (const auto& [layer, expected] : layers.items()) {
            const Counts a = goldenLoad(file, pair.substr(0, bar), layer);
            const Counts b = goldenLoad(file, pair.substr(bar + 1), layer);
            EXPECT_NEAR(jensenShannonDivergence(a, b), expected.get<double>(), 1e-9)
                << pair << " layer " << layer;
            ++compared;
        }
    }
    EXPECT_EQ(compared, 9);
}

double entropyBits(const Counts& counts, double weight, const Counts& others, double otherWeight) {
    const auto sum = [](const Counts& c) {
        double total = 0;
        for (const auto n : c) total += static_cast<double>(n);
        return total;
    };
    double entropy = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double p = weight * static_cast<double>(counts[i]) / sum(counts) +
                         otherWeight * static_cast<double>(others[i]) / sum(others);
        if (p > 0) entropy -= p * std::log2(p);
    }
    return entropy;
}

TEST(JensenShannon, WeightedIsTheDifferenceOfEntropies) {
    const Counts a = {5, 0, 3, 12};
    const Counts b = {1, 7, 0, 2};
    const double w = 20.0 / 30.0;
    const double expected = entropyBits(a, w, b, 1 - w) - w * entropyBits(a, 1, b, 0) -
                            (1 - w) * entropyBits(b, 1, a, 0);
    EXPECT_NEAR(weightedJensenShannonDivergence(a, b), expected, 1e-12);
    EXPECT_NEAR(weightedJensenShannonDivergence(b, a), expected, 1e-12);
    const JensenShannon both = jensenShannon(a, b);
    EXPECT_EQ(both.countA, 20);
    EXPECT_EQ(both.countB, 10);
    EXPECT_NEAR(both.bias, 3.0 / (2 * 30) / std::numbers::ln2, 1e-12);
    EXPECT_NEAR(both.corrected, both.weighted - both.bias, 1e-15);
    EXPECT_NE(both.equal, both.weighted);
    // Equally many on both sides: both weights are one half.
    EXPECT_NEAR(weightedJensenShannonDivergence(a, Counts{2, 14, 0, 4}),
                jensenShannonDivergence(a, Counts{2, 14, 0, 4}), 1e-12);
}

TEST(JensenShannon, BiasOfTwoShortTexts) {
    // 128 and 32 tokens with 8 of 256 experts: about 0.09 and 0.36 bit apart by chance alone.
    EXPECT_NEAR(jensenShannonBiasNats(256, 1024, 1024) / std::numbers::ln2, 0.0898, 5e-5);
    EXPECT_NEAR(jensenShannonBiasNats(256, 256, 256) / std::numbers::ln2, 0.359, 5e-4);
}

TEST(JensenShannon, CorrectedIsZeroOnAverageWhenNothingDiffers) {
    std::mt19937_64 random(7);
    std::discrete_distribution<std::size_t> draw({5, 4, 3, 3, 2, 2, 1, 1});
    double sum = 0;
    double raw = 0;
    constexpr int kRuns = 2000;
    for (int run = 0; run < kRuns; ++run) {
        Counts a(8, 0);
        Counts b(8, 0);
        for (int i = 0; i < 200; ++i) ++a[draw(random)];
        for (int i = 0; i < 500; ++i) ++b[draw(random)];
        const JensenShannon value = jensenShannon(a, b);
        sum += value.corrected / kRuns;
        raw += value.weighted / kRuns;
    }
    EXPECT_NEAR(raw, 7.0 / (2 * 700) / std::numbers::ln2, 4e-4);
    EXPECT_NEAR(sum, 0, 4e-4);
}

TEST(JensenShannon, EdgesAndRefusals) {
    EXPECT_EQ(jensenShannonDivergence(Counts{3, 6}, Counts{100, 200}), 0.0);
    EXPECT_TRUE(std::isnan(jensenShannonDivergence(Counts{0, 0}, Counts{1, 2})));
    EXPECT_TRUE(std::isnan(weightedJensenShannonDivergence(Counts{0, 0}, Counts{1, 2})));
    EXPECT_TRUE(std::isnan(jensenShannonBiasNats(4, 0, 0)));
    EXPECT_THROW(jensenShannonDivergence(Counts{-1, 2}, Counts{1, 2}), Error);
}

}  // namespace
}  // namespace gatescope
