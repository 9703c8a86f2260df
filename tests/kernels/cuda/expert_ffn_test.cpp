// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/kernels/cuda/dense_cases.h"

namespace gatescope::test {
namespace {

using Ids = std::vector<std::int32_t>;

struct Shape {
    std::int64_t hidden = 40;  ///< h
    std::int64_t inner = 24;   ///< Im
    int experts = 6;
    int topK = 3;
    int block = 128;
};

// Experts of one layer; typeOf(i) is the type of matrix i: 3 e + 0 gate, 1 up, 2 down.
class Experts {
  public:
    Experts(const Shape& s, const std::function<DType(int)>& typeOf) {
        for (int i = 0; i < 3 * s.experts; ++i) {
            const bool down = i % 3 == 2;
            owned.push_back(randomWeight(typeOf(i), down ? s.hidden : s.inner,
                                         down ? s.inner : s.hidden, static_cast<unsigned>(i + 1),
                                         static_cast<std::size_t>(i % 4), s.block));
        }
        for (int part = 0; part < 3; ++part)
            for (int e = 0; e < s.experts; ++e)
                host.push_back(owned[static_cast<std::size_t>(3 * e + part)].weight);
    }
    Experts(const Shape& s, DType type) : Experts(s, [=](int) { return type; }) {}

    ExpertWeights onHost() const { return of(host); }

    std::vector<ReferenceWeight> owned;
    std::vector<Weight> host;  ///< gate, up, down

    static ExpertWeights of(const std::vector<Weight>& all, const Weight* table = nullptr) {
        const auto n = all.size() / 3;
        const std::span<const Weight> span(all);
        return {span.subspan(0, n), span.subspan(n, n), span.subspan(2 * n, n), table};
    }
};

class PlacedExperts {
  public:
    PlacedExperts(Device& device, const Experts& experts)
        : m_weights(placed(device, experts.host)), m_table(device, m_weights) {}
    ExpertWeights weights() const { return Experts::of(m_weights, m_table.data()); }

  private:
    static std::vector<Weight> placed(Device& device, const std::vector<Weight>& host) {
        std::vector<Weight> result;
        for (const Weight& w : host) result.push_back(device.place(w));
        return result;
    }
    std::vector<Weight> m_weights;
    OnDevice<Weight> m_table;
};

// k different experts for each token, in any order.
Ids randomIds(std::int64_t tokens, int k, int experts, unsigned seed) {
    std::mt19937 random(seed);
    Ids order(static_cast<std::size_t>(experts));
    for (int e = 0; e < experts; ++e) order[static_cast<std::size_t>(e)] = e;
    Ids ids;
    for (std::int64_t t = 0; t < tokens; ++t) {
        std::shuffle(order.begin(), order.end(), random);
        ids.insert(ids.end(), order.begin(), order.begin() + k);
    }
    return ids;
}

struct Choice {
    Ids ids;
    std::vector<float> weights;
};

Choice randomChoice(std::int64_t tokens, const Shape& s, unsigned seed) {
    return {randomIds(tokens, s.topK, s.experts, seed),
            randomFloats(static_cast<std::size_t>(tokens * s.topK), seed + 1)};
}

// Tokens [first, first + count) on `device`, added to `initial`.
std::vector<float> run(Device& device, const Shape& s, const ExpertWeights& weights,
                       const ConstMatrix& in, const Choice& choice, std::int64_t first,
                       std::int64_t count, float initial = 1) {
    const auto begin = first * s.topK;
    const auto end = begin + count * s.topK;
    const OnDevice<std::int32_t> ids(device,
                                     {choice.ids.begin() + begin, choice.ids.begin() + end});
    const OnDevice<float> gates(device,
                                {choice.weights.begin() + begin, choice.weights.begin() + end});
    const Result out(device, count, s.hidden, 2, initial);
    device.expertFfn(out.matrix(), in.slice(first, count),
                     {nullptr, ids.data(), gates.data(), count, s.topK}, weights);
    return out.values();
}

// relativeRms between the CPU twin and `device`.
double difference(Device& device, const Shape& s, const Experts& experts, const Choice& choice,
                  Slice slice = {}) {
    const auto tokens = static_cast<std::int64_t>(choice.ids.size()) / s.topK;
    const Activations x(device, tokens, s.hidden, slice, 5);
    CpuDevice cpu(1);
    const auto expected = run(cpu, s, experts.onHost(), x.host(), choice, 0, tokens);
    const PlacedExperts placed(device, experts);
    return relativeRms(expected, run(device, s, placed.weights(), x.device(), choice, 0, tokens));
}

constexpr double kExactTolerance = 3e-6;

class CudaExpertFfn : public DenseTypeTest {};
INSTANTIATE_TEST_SUITE_P(Types, CudaExpertFfn, ::testing::ValuesIn(kAllTypes),
                         [](const auto& test) { return std::string(name(test.param)); });

TEST_P(CudaExpertFfn, ExactEqualsTheCpuTwin) {
    auto& device = deviceOf(Precision::Exact);
    for (const auto& s :
         {Shape{40, 24, 6, 3}, Shape{33, 70, 16, 8, 24}, Shape{9, 5, 3, 1}, Shape{20, 13, 5, 5}}) {
        const Experts experts(s, GetParam());
        for (const std::int64_t tokens : {1, 2, 5, 17})
            EXPECT_LE(difference(device, s, experts, randomChoice(tokens, s, 3), {tokens % 3, 2}),
                      kExactTolerance)
                << tokens << " tokens, " << s.experts << " experts, top " << s.topK;
    }
}

TEST_P(CudaExpertFfn, ExactBitsDoNotDependOnHowManyTokensThereAre) {
    auto& device = deviceOf(Precision::Exact);
    const Shape s{37, 50, 8, 3};
    const Experts experts(s, GetParam());
    const PlacedExperts placed(device, experts);
    const auto choice = randomChoice(17, s, 9);
    const Activations x(device, 17, s.hidden, {0, 1}, 4);
    const auto all = run(device, s, placed.weights(), x.device(), choice, 0, 17);
    for (const std::int64_t count : {1, 2, 3, 8})
        for (std::int64_t first = 0; first + count <= 17; first += count)
            ASSERT_EQ(run(device, s, placed.weights(), x.device(), choice, first, count),
                      rowsOf(all, first, count, s.hidden))
                << first << ", " << count;
}

TEST_P(CudaExpertFfn, FastIsCloseToTheCpuTwin) {
    auto& device = deviceOf(Precision::Fast);
    for (const auto& s : {Shape{40, 24, 6, 3}, Shape{140, 70, 4, 2, 24}, Shape{270, 70, 3, 3}}) {
        const Experts experts(s, GetParam());
        for (const std::int64_t tokens : {1, 33, 70})
            EXPECT_LE(difference(device, s, experts, randomChoice(tokens, s, 3), {tokens % 3, 2}),
                      fastTolerance(s.hidden))
                << tokens << " tokens, " << s.experts << " experts, top " << s.topK;
    }
}

TEST_P(CudaExpertFfn, InEveryLaneOrder) {
    auto& exact = deviceOf(Precision::Exact);
    auto& fast = deviceOf(Precision::Fast);
    const Shape s{70, 40, 4, 2};
    const Experts experts(s, GetParam());
    forEachLaneOrder([&] {
        EXPECT_LE(difference(exact, s, experts, randomChoice(5, s, 1)), kExactTolerance);
        EXPECT_LE(difference(fast, s, experts, randomChoice(50, s, 2)), fastTolerance(s.hidden));
    });
}

// One expert takes all tokens; most are chosen by none.
TEST_P(CudaExpertFfn, OneExpertTakesAllTokens) {
    const Shape s{30, 20, 40, 2};
    const Experts experts(s, GetParam());
    for (const std::int64_t tokens : {7, 90}) {
        Choice choice = randomChoice(tokens, s, 1);
        for (std::size_t i = 0; i < choice.ids.size(); ++i) choice.ids[i] = i % 2 ? 7 : 39;
        auto& exact = deviceOf(Precision::Exact);
        EXPECT_LE(difference(exact, s, experts, choice), kExactTolerance);
        auto& fast = deviceOf(Precision::Fast);
        EXPECT_LE(difference(fast, s, experts, choice), fastTolerance(s.hidden));
    }
}

class CudaExpertFfnTypes : public DenseTest {};

TEST_F(CudaExpertFfnTypes, EveryWeightMayHaveItsOwn) {
    const Shape s{40, 24, 6, 3, 24};
    const Experts experts(s, [](int i) { return kAllTypes[(i * 7 + i / 3) % 4]; });
    auto& exact = deviceOf(Precision::Exact);
    EXPECT_LE(difference(exact, s, experts, randomChoice(5, s, 1)), kExactTolerance);
    auto& fast = deviceOf(Precision::Fast);
    EXPECT_LE(difference(fast, s, experts, randomChoice(60, s, 1)), fastTolerance(s.hidden));
}

// The sum over experts is in ascending order of expert, whatever the order of choices.
class CudaExpertFfnOrder : public DenseTest {};

TEST_F(CudaExpertFfnOrder, IsAscendingByExpert) {
    const Shape s{33, 20, 16, 8};
    Shape one = s;
    one.topK = 1;
    const Experts experts(s, DType::F32);
    auto& device = deviceOf(Precision::Exact);
    const PlacedExperts placed(device, experts);
    const Activations x(device, 1, s.hidden, {}, 4);
    const auto choice = randomChoice(1, s, 2);
    std::vector<float> expected(static_cast<std::size_t>(s.hidden), 1.0f);
    for (std::int32_t e = 0; e < s.experts; ++e)
        for (std::size_t j = 0; j < choice.ids.size(); ++j) {
            if (choice.ids[j] != e) continue;
            const auto alone =
                run(device, one, placed.weights(), x.device(), {{e}, {1.0f}}, 0, 1, 0.0f);
            for (std::size_t c = 0; c < expected.size(); ++c)
                expected[c] = std::fma(choice.weights[j], alone[c], expected[c]);
        }
    EXPECT_EQ(run(device, s, placed.weights(), x.device(), choice, 0, 1), expected);
}

}  // namespace
}  // namespace gatescope::test
