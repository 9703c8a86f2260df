// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <set>

#include "kernels/cpu/choose_experts.h"
#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const RouteParams kV3{
    .experts = 256, .topK = 8, .groups = 8, .topkGroups = 4, .scalingFactor = 2.5f};

struct Result {
    std::vector<float> scores, weights;
    std::vector<std::int32_t> ids;
};

class CudaRoute : public ::testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        device = std::make_unique<cuda::CudaDevice>(0, Precision::Fast);
    }

    // Logits lie with a gap between the rows.
    Result route(const std::vector<float>& logits, const std::vector<float>& bias,
                 const RouteParams& p) {
        const auto experts = static_cast<std::size_t>(p.experts);
        const auto tokens = logits.size() / experts;
        const auto chosen = tokens * static_cast<std::size_t>(p.topK);
        std::vector<float> spread(tokens * (experts + 3), -1.0f);
        for (std::size_t i = 0; i < logits.size(); ++i)
            spread[i / experts * (experts + 3) + i % experts] = logits[i];
        const OnDevice<float> in(*device, spread), deviceBias(*device, bias);
        const OnDevice<float> scores(*device, std::vector<float>(logits.size()));
        const OnDevice<float> weights(*device, std::vector<float>(chosen));
        const OnDevice<std::int32_t> ids(*device, std::vector<std::int32_t>(chosen, -1));
        const auto rows = static_cast<std::int64_t>(tokens);
        device->route({scores.data(), ids.data(), weights.data(), rows, p.topK},
                      {in.data(), rows, p.experts, p.experts + 3},
                      bias.empty() ? nullptr : deviceBias.data(), p);
        return {scores.host(), weights.host(), ids.host()};
    }

    // Affinities and weights are those of the CPU but for the rounding of exp; the choice is
    // exactly what the CPU's rule makes of the device's affinities.
    void expectTwin(const std::vector<float>& logits, const std::vector<float>& bias,
                    const RouteParams& p) {
        const auto r = route(logits, bias, p);
        Result e = r;
        const auto tokens = static_cast<std::int64_t>(r.ids.size()) / p.topK;
        CpuDevice cpu(1);
        cpu.route({e.scores.data(), e.ids.data(), e.weights.data(), tokens, p.topK},
                  {logits.data(), tokens, p.experts}, bias.empty() ? nullptr : bias.data(), p);
        EXPECT_LT(maxDifference(e.scores, r.scores), 1e-6);
        ExpertChooser chooser(p);
        for (std::int64_t t = 0; t < tokens; ++t)
            chooser.choose(r.scores.data() + t * p.experts, bias.empty() ? nullptr : bias.data(),
                           p.topK, e.ids.data() + t * p.topK);
        EXPECT_EQ(e.ids, r.ids);
        expectWeights(r, p);
    }

    void expectWeights(const Result& r, const RouteParams& p) {
        const auto k = static_cast<std::size_t>(p.topK);
        for (std::size_t t = 0; t < r.ids.size() / k; ++t) {
            const float* scores = r.scores.data() + t * static_cast<std::size_t>(p.experts);
            double sum = 1e-20;
            for (std::size_t j = 0; j < k; ++j) sum += scores[r.ids[t * k + j]];
            const double factor = !p.normTopkProb     ? p.scalingFactor
                                  : p.scaleNormalised ? p.scalingFactor / sum
                                                      : 1 / sum;
            for (std::size_t j = 0; j < k; ++j) {
                const double expected = scores[r.ids[t * k + j]] * factor;
                ASSERT_NEAR(r.weights[t * k + j], expected, 1e-6 * expected + 1e-7);
            }
        }
    }

    void expectValidIds(const std::vector<float>& logits, const std::vector<float>& bias,
                        const RouteParams& p) {
        const auto r = route(logits, bias, p);
        const auto k = static_cast<std::ptrdiff_t>(p.topK);
        for (auto at = r.ids.begin(); at != r.ids.end(); at += k) {
            const std::set<std::int32_t> ids(at, at + k);
            EXPECT_EQ(ids.size(), static_cast<std::size_t>(k));
            EXPECT_GE(*ids.begin(), 0);
            EXPECT_LT(*ids.rbegin(), p.experts);
        }
    }

    std::unique_ptr<cuda::CudaDevice> device;
};

std::vector<float> biasOf(const RouteParams& p, float size, float shift, unsigned seed) {
    auto bias = randomFloats(static_cast<std::size_t>(p.experts), seed);
    for (auto& b : bias) b = size * b + shift;
    return bias;
}

// Rules of both model families, sizes odd and large.
std::vector<RouteParams> rules() {
    std::vector<RouteParams> all;
    for (const auto& [experts, k, groups, kept] :
         {std::array{256, 8, 8, 4}, std::array{16, 4, 4, 2}, std::array{64, 6, 1, 1},
          std::array{512, 32, 16, 3}, std::array{160, 6, 8, 3}, std::array{7, 7, 1, 1},
          std::array{33, 5, 11, 2}, std::array{1, 1, 1, 1}, std::array{36, 2, 36, 4}}) {
        RouteParams p{.experts = experts, .topK = k, .groups = groups, .topkGroups = kept};
        p.scalingFactor = 2.5f;
        all.push_back(p);
        p.sigmoid = p.groupTopTwo = p.normTopkProb = p.scaleNormalised = false;
        all.push_back(p);
        p.limitGroups = false;
        p.normTopkProb = true;
        all.push_back(p);
    }
    return all;
}

TEST_F(CudaRoute, ChoosesLikeTheCpu) {
    forEachLaneOrder([&] {
        for (const auto& p : rules()) {
            SCOPED_TRACE("experts " + std::to_string(p.experts) + ", groups " +
                         std::to_string(p.groups) + (p.sigmoid ? ", sigmoid" : ", softmax"));
            const auto logits = randomFloats(static_cast<std::size_t>(5 * p.experts), 1);
            expectTwin(logits, {}, p);
            expectTwin(logits, biasOf(p, 0.1f, 0, 2), p);
            expectTwin(logits, biasOf(p, 0.1f, -9, 3), p);  // all choices negative
        }
    });
}

TEST_F(CudaRoute, ManyTokensChooseLikeTheCpu) {
    expectTwin(randomFloats(256 * 300, 4), biasOf(kV3, 0.05f, 5, 5), kV3);
}

// Equal experts, equal groups, and both.
TEST_F(CudaRoute, TiesGoToTheLowerIndex) {
    for (const auto& p : rules()) {
        const auto experts = static_cast<std::size_t>(p.experts);
        std::vector<float> logits(4 * experts, 0.5f);
        for (std::size_t e = 0; e < experts; ++e) {
            logits[experts + e] = static_cast<float>(e % 3);
            logits[2 * experts + e] = static_cast<float>(e * 7 / experts % 2);
            logits[3 * experts + e] = -static_cast<float>(e % 5 == 0);
        }
        expectTwin(logits, {}, p);
        std::vector<float> bias(experts);
        for (std::size_t e = 0; e < experts; ++e) bias[e] = e % 2 ? 0.0f : -0.0f;
        expectTwin(logits, bias, p);
    }
}

// Affinities that vanish or saturate; what is chosen then still follows the rule.
TEST_F(CudaRoute, ExtremeLogits) {
    for (const auto& p : rules()) {
        const auto experts = static_cast<std::size_t>(p.experts);
        auto logits = randomFloats(3 * experts, 6);
        for (std::size_t e = 0; e < experts; ++e) {
            logits[e] = p.sigmoid ? -200 : -1e30f;  // sigmoids: all exactly 0
            logits[experts + e] *= 100;
            logits[2 * experts + e] = e % 4 ? -kInfinity : 3;
        }
        expectTwin(logits, {}, p);
        expectTwin(logits, biasOf(p, 1, 0, 7), p);
    }
    const auto zero = route(std::vector<float>(256, -200.0f), {}, kV3);
    EXPECT_EQ(zero.scores, std::vector<float>(256, 0.0f));
    EXPECT_EQ(zero.weights, std::vector<float>(8, 0.0f));
}

TEST_F(CudaRoute, UndefinedLogitsGiveValidIds) {
    for (const auto& p : rules()) {
        const auto experts = static_cast<std::size_t>(p.experts);
        auto logits = randomFloats(4 * experts, 8);
        for (std::size_t e = 0; e < experts; ++e) {
            logits[e] = kNan;
            if (e % 3 == 0) logits[experts + e] = kNan;
            if (e % 5 == 1) logits[2 * experts + e] = kInfinity;
        }
        logits[3 * experts] = kNan;
        expectValidIds(logits, {}, p);
        expectValidIds(logits, std::vector<float>(experts, kNan), p);
        expectValidIds(logits, std::vector<float>(experts, -kInfinity), p);
        const auto r = route(logits, {}, p);
        // An undefined affinity must not go unnoticed.
        EXPECT_TRUE(std::isnan(r.weights[0]));
        EXPECT_TRUE(std::isnan(r.weights[3 * static_cast<std::size_t>(p.topK)]));
    }
}

// Interventions hold experts off or forced by biases that no affinity can outweigh.
TEST_F(CudaRoute, BiasesThatHoldExpertsOffOrForceThemChooseLikeOnTheCpu) {
    for (const auto& p : rules()) {
        const auto logits = randomFloats(static_cast<std::size_t>(6 * p.experts), 12);
        for (const int step : {2, 3, 5}) {
            auto bias = biasOf(p, 0.05f, 0, 13);
            for (int e = 0; e < p.experts; e += step)
                bias[static_cast<std::size_t>(e)] = e % (3 * step) == 0 ? 1e33f : -1e30f;
            expectTwin(logits, bias, p);
        }
    }
}

TEST_F(CudaRoute, ATokenDoesNotDependOnTheOthers) {
    RouteParams softmax = kV3;
    softmax.sigmoid = false;
    for (const auto& p : {kV3, softmax}) {
        const auto logits = randomFloats(256 * 6, 9);
        const auto bias = biasOf(p, 0.1f, 0, 10);
        const auto all = route(logits, bias, p);
        for (std::ptrdiff_t t = 0; t < 6; ++t) {
            const auto one =
                route({logits.begin() + t * 256, logits.begin() + (t + 1) * 256}, bias, p);
            EXPECT_TRUE(std::equal(one.ids.begin(), one.ids.end(), all.ids.begin() + t * 8));
            EXPECT_TRUE(
                std::equal(one.weights.begin(), one.weights.end(), all.weights.begin() + t * 8));
            EXPECT_TRUE(
                std::equal(one.scores.begin(), one.scores.end(), all.scores.begin() + t * 256));
        }
    }
}

}  // namespace
}  // namespace gatescope::test
