// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "kernels/cpu/choose_experts.h"
#include "kernels/cpu/cpu_device.h"
#include "tests/kernels/reference.h"

namespace gatescope::test {
namespace {

struct Result {
    std::vector<float> scores, weights;
    std::vector<std::int32_t> ids;
};

Result route(const std::vector<float>& logits, const std::vector<float>& bias,
             const RouteParams& params) {
    CpuDevice device(2);
    const auto tokens = static_cast<std::int64_t>(logits.size()) / params.experts;
    Result r{std::vector<float>(logits.size()),
             std::vector<float>(static_cast<std::size_t>(tokens * params.topK)),
             std::vector<std::int32_t>(static_cast<std::size_t>(tokens * params.topK))};
    device.route({r.scores.data(), r.ids.data(), r.weights.data(), tokens, params.topK},
                 {logits.data(), tokens, params.experts}, bias.empty() ? nullptr : bias.data(),
                 params);
    return r;
}

const RouteParams kV3{
    .experts = 256, .topK = 8, .groups = 8, .topkGroups = 4, .scalingFactor = 2.5f};

TEST(Route, ChoicesStayInTheKeptGroupsAndWeightsSumToTheFactor) {
    const auto logits = randomFloats(256 * 200, 1);
    auto bias = randomFloats(256, 2);
    for (auto& b : bias) b *= 0.1f;
    const auto r = route(logits, bias, kV3);
    for (std::size_t t = 0; t < 200; ++t) {
        std::set<int> groups, experts;
        float sum = 0;
        for (std::size_t j = 0; j < 8; ++j) {
            groups.insert(r.ids[t * 8 + j] / 32);
            experts.insert(r.ids[t * 8 + j]);
            sum += r.weights[t * 8 + j];
        }
        EXPECT_LE(groups.size(), 4u);
        EXPECT_EQ(experts.size(), 8u);
        EXPECT_NEAR(sum, 2.5f, 1e-5f);
    }
}

// The correction bias decides the choice, never the weight.
TEST(Route, WeightsComeFromTheAffinitiesWithoutTheBias) {
    const auto logits = randomFloats(256 * 50, 3);
    auto bias = randomFloats(256, 4);
    for (auto& b : bias) b += 5;  // the size published biases have
    const auto r = route(logits, bias, kV3);
    for (std::size_t t = 0; t < 50; ++t) {
        double sum = 0;
        for (std::size_t j = 0; j < 8; ++j)
            sum += r.scores[t * 256 + static_cast<std::size_t>(r.ids[t * 8 + j])];
        for (std::size_t j = 0; j < 8; ++j)
            EXPECT_NEAR(r.weights[t * 8 + j],
                        2.5 * r.scores[t * 256 + static_cast<std::size_t>(r.ids[t * 8 + j])] / sum,
                        1e-6);
    }
}

TEST(Route, AConstantOnAllBiasesChangesNothing) {
    const auto logits = randomFloats(256 * 50, 5);
    std::vector<float> bias(256), shifted(256);
    for (std::size_t e = 0; e < 256; ++e) {
        bias[e] = static_cast<float>(static_cast<int>(e * 37 % 64) - 32) / 256.0f;
        shifted[e] = bias[e] + 2.0f;
    }
    // Affinities of 2^-12 steps keep the sums exact, so that only the rule is tested.
    auto exact = logits;
    CpuDevice device(1);
    ExpertChooser chooser(kV3);
    for (std::size_t t = 0; t < 50; ++t) {
        std::vector<float> scores(256);
        for (std::size_t e = 0; e < 256; ++e)
            scores[e] = std::round(4096 / (1 + std::exp(-exact[t * 256 + e]))) / 4096;
        std::vector<std::int32_t> a(8), b(8);
        chooser.choose(scores.data(), bias.data(), 8, a.data());
        chooser.choose(scores.data(), shifted.data(), 8, b.data());
        EXPECT_EQ(a, b);
    }
}

TEST(Route, NegativeChoiceScoresDoNotLetDroppedGroupsIn) {
    const RouteParams params{.experts = 8, .topK = 4, .groups = 4, .topkGroups = 2};
    const std::vector<float> logits{3, 2, 1, 0, -1, -2, -3, -4};
    const std::vector<float> bias(8, -9.0f);
    const auto r = route(logits, bias, params);
    EXPECT_EQ(r.ids, (std::vector<std::int32_t>{0, 1, 2, 3}));
}

TEST(Route, TiesGoToTheLowerIndex) {
    const RouteParams params{.experts = 8, .topK = 3, .groups = 4, .topkGroups = 2};
    const auto r = route(std::vector<float>(8, 0.5f), {}, params);
    EXPECT_EQ(r.ids, (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(Route, SoftmaxWeightsOfV2AreScaledOnlyWhenNotNormalised) {
    const std::vector<float> logits{1, 2, 3, 0};
    RouteParams params{.experts = 4,
                       .topK = 2,
                       .sigmoid = false,
                       .groupTopTwo = false,
                       .limitGroups = false,
                       .normTopkProb = false,
                       .scaleNormalised = false,
                       .scalingFactor = 16};
    const double z = std::exp(1) + std::exp(2) + std::exp(3) + 1;
    auto r = route(logits, {}, params);
    EXPECT_EQ(r.ids, (std::vector<std::int32_t>{2, 1}));
    EXPECT_NEAR(r.weights[0], 16 * std::exp(3) / z, 1e-5);
    params.normTopkProb = true;
    r = route(logits, {}, params);
    EXPECT_NEAR(r.weights[0] + r.weights[1], 1, 1e-6);
}

}  // namespace
}  // namespace gatescope::test
