// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/kernels/cuda/dense_cases.h"

namespace gatescope::test {
namespace {

struct Case {
    DType gate = DType::BF16;
    DType up = DType::BF16;
    std::int64_t tokens = 1;
    std::int64_t rows = 1;
    std::int64_t cols = 1;
    int block = 128;
    Slice slice = {};

    std::string text() const {
        return std::string(name(gate)) + "/" + name(up) + ", " + std::to_string(tokens) +
               " tokens, " + std::to_string(rows) + "x" + std::to_string(cols);
    }
};

// relativeRms between the CPU twin and `device`.
double difference(Device& device, const Case& c, unsigned seed) {
    const auto gate = randomWeight(c.gate, c.rows, c.cols, seed, 1, c.block);
    const auto up = randomWeight(c.up, c.rows, c.cols, seed + 1, 3, c.block);
    const Activations x(device, c.tokens, c.cols, c.slice, seed + 2);
    CpuDevice cpu(1);
    std::vector<float> expected(static_cast<std::size_t>(c.tokens * c.rows));
    cpu.gatedMatmul({expected.data(), c.tokens, c.rows}, x.host(), gate.weight, up.weight);
    const Result out(device, c.tokens, c.rows, 1);
    device.gatedMatmul(out.matrix(), x.device(), device.place(gate.weight),
                       device.place(up.weight));
    return relativeRms(expected, out.values());
}

class CudaGatedMatmul : public DenseTypeTest {};
INSTANTIATE_TEST_SUITE_P(Types, CudaGatedMatmul, ::testing::ValuesIn(kAllTypes),
                         [](const auto& test) { return std::string(name(test.param)); });

TEST_P(CudaGatedMatmul, ExactEqualsTheCpuTwin) {
    auto& device = deviceOf(Precision::Exact);
    const DType type = GetParam();
    for (const std::int64_t tokens : {1, 2, 3, 5, 8, 9, 17})
        for (const std::int64_t rows : {1, 34})
            for (const std::int64_t cols : {7, 300}) {
                const Case c{type, type, tokens, rows, cols, 128, {tokens % 2, 1}};
                EXPECT_LE(difference(device, c, 5), 2e-6) << c.text();
            }
    forEachLaneOrder([&] {
        // Rows so long that several warps share each.
        const Case c{type, type, 2, 5, 4200};
        EXPECT_LE(difference(device, c, 6), 4e-6) << c.text();
    });
}

TEST_P(CudaGatedMatmul, ExactBitsDoNotDependOnHowManyTokensThereAre) {
    auto& device = deviceOf(Precision::Exact);
    const auto gate = randomWeight(GetParam(), 10, 1100, 3);
    const auto up = randomWeight(GetParam(), 10, 1100, 4);
    const Weight g = device.place(gate.weight), u = device.place(up.weight);
    const Activations x(device, 9, 1100, {}, 4);
    const auto product = [&](std::int64_t first, std::int64_t count) {
        const Result out(device, count, 10);
        device.gatedMatmul(out.matrix(), x.device().slice(first, count), g, u);
        return out.values();
    };
    const auto all = product(0, 9);
    for (const std::int64_t count : {1, 2, 3, 5, 8})
        for (std::int64_t first = 0; first + count <= 9; ++first)
            ASSERT_EQ(product(first, count), rowsOf(all, first, count, 10)) << count;
}

TEST_P(CudaGatedMatmul, FastIsCloseToTheCpuTwin) {
    auto& device = deviceOf(Precision::Fast);
    const DType type = GetParam();
    for (const std::int64_t tokens : {1, 8, 9, 33, 70})
        for (const std::int64_t rows : {1, 33, 130}) {
            const Case c{type, type, tokens, rows, 150, 128, {tokens % 3, 2}};
            EXPECT_LE(difference(device, c, 7), fastTolerance(rows)) << c.text();
        }
    forEachLaneOrder([&] {
        // A number of steps at which the second product begins where the first ended.
        const Case c{type, type, 12, 40, 300};
        EXPECT_LE(difference(device, c, 8), fastTolerance(c.rows)) << c.text();
    });
    // Large enough for cuBLAS, where that takes the type.
    if (type != DType::BF16) return;
    EXPECT_LE(difference(device, {type, type, 40, 150, 190}, 9), fastTolerance(150));
}

class CudaGatedMatmulTypes : public DenseTest {};

TEST_F(CudaGatedMatmulTypes, GateAndUpMayDiffer) {
    auto& exact = deviceOf(Precision::Exact);
    auto& fast = deviceOf(Precision::Fast);
    for (const DType gate : kAllTypes)
        for (const DType up : kAllTypes) {
            const Case few{gate, up, 3, 12, 333, 24};
            EXPECT_LE(difference(exact, few, 1), 2e-6) << few.text();
            const Case many{gate, up, 12, 12, 333, 24};
            EXPECT_LE(difference(fast, many, 2), fastTolerance(many.rows)) << many.text();
        }
}

// silu far from zero: nothing overflows on the way.
class CudaGatedMatmulRange : public DenseTest {};

TEST_F(CudaGatedMatmulRange, LargeAndSmallGates) {
    const std::vector<float> gates{-1000, -104, -88, -20, -1e-30f, 0, 1e-30f, 20, 88, 104, 1000};
    const auto n = static_cast<std::int64_t>(gates.size());
    const std::vector<float> ones(gates.size(), 1.0f);
    const Weight gate{.dtype = DType::F32, .rows = n, .cols = 1, .data = gates.data()};
    const Weight up{.dtype = DType::F32, .rows = n, .cols = 1, .data = ones.data()};
    auto& device = deviceOf(Precision::Exact);
    const OnDevice<float> in(device, {1.0f});
    const Result out(device, 1, n);
    device.gatedMatmul(out.matrix(), {in.data(), 1, 1}, device.place(gate), device.place(up));
    const auto values = out.values();
    for (std::size_t i = 0; i < gates.size(); ++i) {
        const double g = gates[i];
        const double expected = g / (1 + std::exp(-g));
        EXPECT_NEAR(values[i], expected, 3e-7 * std::abs(expected) + 1e-37) << g;
    }
}

}  // namespace
}  // namespace gatescope::test
