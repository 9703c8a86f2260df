// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

constexpr DType kTypes[] = {DType::F32, DType::BF16, DType::F16, DType::F8E4M3};

float decode(DType type, const std::byte* at) {
    std::uint16_t half = 0;
    float value = 0;
    switch (type) {
        case DType::F32:
            std::memcpy(&value, at, 4);
            return value;
        case DType::BF16:
            std::memcpy(&half, at, 2);
            return bf16ToFloat(half);
        case DType::F16:
            std::memcpy(&half, at, 2);
            return f16ToFloat(half);
        case DType::F8E4M3:
            return f8e4m3ToFloat(static_cast<std::uint8_t>(*at));
    }
    return value;
}

class CudaRandom : public ::testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        device = std::make_unique<cuda::CudaDevice>(0, Precision::Exact);
    }

    std::vector<std::byte> bytesOf(const Weight& w) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(w.rows * w.stride()) *
                                     elementSize(w.dtype));
        device->synchronize();
        device->download(bytes.data(), w.data, bytes.size());
        return bytes;
    }

    // The values of a weight, without block scales; its gaps must be zero.
    std::vector<float> storedValues(const Weight& w) {
        const auto bytes = bytesOf(w);
        std::vector<float> values;
        for (std::int64_t i = 0; i < w.rows * w.stride(); ++i) {
            const float value =
                decode(w.dtype, bytes.data() + static_cast<std::size_t>(i) * elementSize(w.dtype));
            if (i % w.stride() < w.cols) {
                values.push_back(value);
            } else {
                EXPECT_EQ(value, 0) << "gap at " << i;
            }
        }
        return values;
    }

    std::unique_ptr<cuda::CudaDevice> device;
};

TEST_F(CudaRandom, ValuesAreNormal) {
    for (const auto dtype : kTypes) {
        SCOPED_TRACE(name(dtype));
        const auto w = device->random(
            {.dtype = dtype, .rows = 201, .cols = 333, .deviation = 0.02f, .seed = 1});
        const double scale = dtype == DType::F8E4M3 ? 0.02 / 32 : 1;
        double sum = 0, squares = 0, fourth = 0, neighbours = 0, before = 0;
        const auto values = storedValues(w);
        for (const float stored : values) {
            const double x = stored * scale / 0.02;
            sum += x;
            squares += x * x;
            fourth += x * x * x * x;
            neighbours += x * before;
            before = x;
        }
        // Five standard errors, and the rounding of the stored values.
        const auto n = static_cast<double>(values.size());
        ASSERT_EQ(n, 201 * 333);
        EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
        EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2 / n) + 0.001);
        EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96 / n) + 0.01);
        EXPECT_NEAR(neighbours / n, 0, 5 / std::sqrt(n));
    }
}

TEST_F(CudaRandom, ShapesOfRowsAndScales) {
    for (const auto dtype : kTypes)
        for (const std::int64_t cols : {1, 3, 16, 130}) {
            const auto w = device->random({.dtype = dtype,
                                           .rows = 5,
                                           .cols = cols,
                                           .blockRows = 2,
                                           .blockCols = 64,
                                           .deviation = 0.5f,
                                           .seed = 2});
            EXPECT_EQ(w.dtype, dtype);
            EXPECT_EQ(w.rows, 5);
            EXPECT_EQ(w.cols, cols);
            EXPECT_EQ(storedValues(w).size(), static_cast<std::size_t>(5 * cols));
            if (dtype != DType::F8E4M3) {
                EXPECT_EQ(w.scales, nullptr);
                continue;
            }
            std::vector<float> scales(static_cast<std::size_t>(3 * w.scaleCols()));
            device->download(scales.data(), w.scales, scales.size() * sizeof(float));
            EXPECT_EQ(scales, std::vector<float>(scales.size(), 0.5f / 32));
        }
}

TEST_F(CudaRandom, TheSeedDecidesAndNothingElse) {
    for (const auto dtype : kTypes) {
        const RandomFill fill{.dtype = dtype, .rows = 40, .cols = 301, .deviation = 1, .seed = 3};
        const auto first = bytesOf(device->random(fill));
        EXPECT_EQ(bytesOf(device->random(fill)), first);
        auto other = fill;
        other.seed = 4;
        EXPECT_NE(bytesOf(device->random(other)), first);
#ifdef GATESCOPE_SIMT
        const auto before = simt::options().multiprocessors;
        simt::options().multiprocessors = 1;  // another grid
        device = std::make_unique<cuda::CudaDevice>(0, Precision::Exact);
        EXPECT_EQ(bytesOf(device->random(fill)), first);
        simt::options().multiprocessors = before;
#endif
    }
}

// Rows must not repeat each other, nor one weight a part of another.
TEST_F(CudaRandom, RowsAndSeedsAreUnrelated) {
    const auto a = storedValues(
        device->random({.dtype = DType::F32, .rows = 100, .cols = 101, .deviation = 1, .seed = 5}));
    const auto b = storedValues(
        device->random({.dtype = DType::F32, .rows = 100, .cols = 101, .deviation = 1, .seed = 6}));
    auto all = a;
    all.insert(all.end(), b.begin(), b.end());
    std::sort(all.begin(), all.end());
    const auto different = std::unique(all.begin(), all.end()) - all.begin();
    EXPECT_GT(different, static_cast<std::ptrdiff_t>(a.size() + b.size()) * 99 / 100);
}

TEST_F(CudaRandom, LargeValuesSaturate) {
    for (const auto& [dtype, largest] : {std::pair{DType::F32, std::numeric_limits<float>::max()},
                                         {DType::BF16, 0x1.FEp127f},
                                         {DType::F16, 65504.0f}}) {
        SCOPED_TRACE(name(dtype));
        const auto values = storedValues(device->random(
            {.dtype = dtype, .rows = 8, .cols = 100, .deviation = 3e38f, .seed = 7}));
        for (const float v : values) ASSERT_TRUE(std::isfinite(v));
        EXPECT_EQ(*std::max_element(values.begin(), values.end()), largest);
        EXPECT_EQ(*std::min_element(values.begin(), values.end()), -largest);
    }
}

// The nearest number of each format: compared with the same values in float32.
TEST_F(CudaRandom, StoredValuesAreRoundedToTheNearest) {
    for (const float deviation : {1.0f, 1e-5f}) {  // 1e-5: subnormal numbers of F16
        const RandomFill fill{
            .dtype = DType::F32, .rows = 20, .cols = 200, .deviation = deviation, .seed = 8};
        const auto exact = storedValues(device->random(fill));
        for (const auto& [dtype, mantissa, smallest] :
             {std::tuple{DType::BF16, 7, -133}, {DType::F16, 10, -24}}) {
            auto rounded = fill;
            rounded.dtype = dtype;
            const auto values = storedValues(device->random(rounded));
            for (std::size_t i = 0; i < values.size(); ++i) {
                const int exponent = std::max(std::ilogb(exact[i]) - mantissa, smallest);
                const double step = std::ldexp(1.0, exponent);
                ASSERT_EQ(values[i], std::nearbyint(exact[i] / step) * step) << name(dtype);
            }
        }
    }
}

}  // namespace
}  // namespace gatescope::test
