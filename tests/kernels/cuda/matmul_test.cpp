// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/kernels/cuda/dense_cases.h"

namespace gatescope::test {
namespace {

struct Case {
    DType type = DType::BF16;
    std::int64_t tokens = 1;
    std::int64_t rows = 1;
    std::int64_t cols = 1;
    int block = 128;
    Slice slice = {};

    std::string text() const {
        return std::string(name(type)) + ", " + std::to_string(tokens) + " tokens, " +
               std::to_string(rows) + "x" + std::to_string(cols) + ", blocks of " +
               std::to_string(block) + ", offset " + std::to_string(slice.offset);
    }
};

class CudaMatmul : public DenseTypeTest {};
INSTANTIATE_TEST_SUITE_P(Types, CudaMatmul, ::testing::ValuesIn(kAllTypes),
                         [](const auto& test) { return std::string(name(test.param)); });

using Operation = void (Device::*)(Matrix, ConstMatrix, const Weight&);

// The product on both devices.
struct Products {
    std::vector<float> expected;
    std::vector<float> actual;
};

Products multiply(Device& device, const Case& c, unsigned seed,
                  Operation operation = &Device::matmul) {
    const auto w = randomWeight(c.type, c.rows, c.cols, seed, seed % 4, c.block);
    const Activations x(device, c.tokens, c.cols, c.slice, seed + 1);
    CpuDevice cpu(1);
    Products p;
    p.expected.resize(static_cast<std::size_t>(c.tokens * c.rows));
    cpu.matmul({p.expected.data(), c.tokens, c.rows}, x.host(), w.weight);
    const Result out(device, c.tokens, c.rows, 3);
    (device.*operation)(out.matrix(), x.device(), device.place(w.weight));
    p.actual = out.values();
    return p;
}

void expectExact(Device& device, const Case& c, unsigned seed,
                 Operation operation = &Device::matmul) {
    const auto p = multiply(device, c, seed, operation);
    EXPECT_LE(maxDifference(p.expected, p.actual), float32Tolerance(p.expected, c.cols))
        << c.text();
}

void expectFast(Device& device, const Case& c, unsigned seed) {
    const auto p = multiply(device, c, seed);
    EXPECT_LE(relativeRms(p.expected, p.actual), fastTolerance(c.rows)) << c.text();
}

TEST_P(CudaMatmul, ExactEqualsTheCpuTwin) {
    auto& device = deviceOf(Precision::Exact);
    unsigned seed = 1;
    for (const std::int64_t tokens : {1, 2, 3, 5, 8, 9, 17})
        for (const std::int64_t rows : {1, 6, 33})
            for (const std::int64_t cols : {1, 7, 129, 600})
                expectExact(device, {GetParam(), tokens, rows, cols}, ++seed);
}

TEST_P(CudaMatmul, ExactOfManyTokensAndLongRows) {
    auto& device = deviceOf(Precision::Exact);
    expectExact(device, {GetParam(), 70, 37, 150}, 1);
    // Rows so long that several warps share each.
    expectExact(device, {GetParam(), 2, 5, 8209}, 2);
    expectExact(device, {GetParam(), 9, 9, 2048}, 3);
}

TEST_P(CudaMatmul, ExactOfMisalignedActivations) {
    auto& device = deviceOf(Precision::Exact);
    for (const Slice slice : {Slice{1, 0}, Slice{4, 3}, Slice{2, 6}})
        for (const std::int64_t tokens : {1, 4, 9})
            expectExact(device, {GetParam(), tokens, 10, 300, 128, slice}, 7);
}

TEST_P(CudaMatmul, ExactBitsDoNotDependOnHowManyTokensThereAre) {
    auto& device = deviceOf(Precision::Exact);
    const std::int64_t rows = 13;
    for (const std::int64_t cols : {45, 2100}) {
        const auto w = randomWeight(GetParam(), rows, cols, 3, 1, 24);
        const Weight weight = device.place(w.weight);
        const Activations x(device, 17, cols, {0, 3}, 4);
        const auto product = [&](std::int64_t first, std::int64_t count) {
            const Result out(device, count, rows);
            device.matmul(out.matrix(), x.device().slice(first, count), weight);
            return out.values();
        };
        const auto all = product(0, 17);
        for (const std::int64_t count : {1, 2, 3, 5, 8, 9})
            for (std::int64_t first = 0; first + count <= 17; first += count)
                ASSERT_EQ(product(first, count), rowsOf(all, first, count, rows))
                    << first << " to " << first + count;
    }
}

TEST_P(CudaMatmul, ExactInEveryLaneOrder) {
    auto& device = deviceOf(Precision::Exact);
    forEachLaneOrder([&] {
        expectExact(device, {GetParam(), 3, 9, 4200}, 11);
        expectExact(device, {GetParam(), 9, 9, 70}, 12);
    });
}

TEST_P(CudaMatmul, FastIsCloseToTheCpuTwin) {
    auto& device = deviceOf(Precision::Fast);
    unsigned seed = 1;
    for (const std::int64_t tokens : {1, 8, 9, 17, 64, 70})
        for (const std::int64_t rows : {1, 33, 130})
            for (const std::int64_t cols : {5, 64, 200})
                expectFast(device, {GetParam(), tokens, rows, cols}, ++seed);
    expectFast(device, {GetParam(), 33, 20, 1000, 128, {1, 2}}, 1);
}

TEST_P(CudaMatmul, FastLargeProduct) {
    auto& device = deviceOf(Precision::Fast);
    expectFast(device, {GetParam(), 40, 150, 180, 128, {3, 1}}, 5);
    // Large enough for cuBLAS, where that takes the type.
    if (GetParam() == DType::BF16) expectFast(device, {GetParam(), 40, 150, 190, 128, {3, 1}}, 6);
}

TEST_P(CudaMatmul, FastInEveryLaneOrder) {
    auto& device = deviceOf(Precision::Fast);
    forEachLaneOrder([&] { expectFast(device, {GetParam(), 41, 70, 330}, 9); });
}

class CudaMatmulF8 : public DenseTest {};

TEST_F(CudaMatmulF8, BlocksOfAnySize) {
    auto& exact = deviceOf(Precision::Exact);
    auto& fast = deviceOf(Precision::Fast);
    for (const int block : {1, 5, 16, 24, 48, 64, 100, 192, 1000}) {
        for (const std::int64_t tokens : {1, 3})
            expectExact(exact, {DType::F8E4M3, tokens, 70, 333, block}, 3);
        expectFast(fast, {DType::F8E4M3, 20, 70, 333, block}, 4);
    }
}

TEST_F(CudaMatmulF8, BlocksNeedNotBeSquare) {
    auto w = randomWeight(DType::F8E4M3, 70, 200, 3, 0, 1);
    w.weight.blockRows = 3;
    w.weight.blockCols = 64;
    const auto x = randomFloats(20 * 200, 4);
    CpuDevice cpu(1);
    std::vector<float> expected(20 * 70);
    cpu.matmul({expected.data(), 20, 70}, {x.data(), 20, 200}, w.weight);
    for (const auto precision : {Precision::Exact, Precision::Fast}) {
        auto& device = deviceOf(precision);
        const OnDevice<float> in(device, x);
        const Result out(device, 20, 70);
        device.matmul(out.matrix(), {in.data(), 20, 200}, device.place(w.weight));
        EXPECT_LE(relativeRms(expected, out.values()),
                  precision == Precision::Exact ? 1e-6 : fastTolerance(70));
    }
}

// What a router decides must not depend on the device's precision.
TEST_P(CudaMatmul, RouterIsExactOnAFastDevice) {
    auto& device = deviceOf(Precision::Fast);
    for (const std::int64_t tokens : {1, 9, 33})
        expectExact(device, {GetParam(), tokens, 16, 700}, 5, &Device::routerMatmul);
}

class CudaMatmulEmpty : public DenseTest {};

TEST_F(CudaMatmulEmpty, NoTokensAreNoWork) {
    for (const auto precision : {Precision::Exact, Precision::Fast}) {
        auto& device = deviceOf(precision);
        const auto w = randomWeight(DType::BF16, 4, 4, 1);
        const OnDevice<float> out(device, {1, 2, 3, 4});
        device.matmul({out.data(), 0, 4}, {out.data(), 0, 4}, device.place(w.weight));
        EXPECT_EQ(out.host(), (std::vector<float>{1, 2, 3, 4}));
    }
}

}  // namespace
}  // namespace gatescope::test
