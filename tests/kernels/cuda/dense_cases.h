// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/kernels/cuda/twins.h"

// Inputs of the dense products and the routed experts.

namespace gatescope::test {

/// Devices that the tests of a suite share: each takes a while to make.
inline std::unique_ptr<cuda::CudaDevice>& deviceSlot(Precision precision) {
    static std::unique_ptr<cuda::CudaDevice> exact, fast;
    return precision == Precision::Exact ? exact : fast;
}

inline cuda::CudaDevice& deviceOf(Precision precision) {
    auto& device = deviceSlot(precision);
    if (!device) device = std::make_unique<cuda::CudaDevice>(0, precision);
    return *device;
}

/// A test that may use deviceOf().
template <typename Base>
class OnSharedDevices : public Base {
  protected:
    void SetUp() override { GATESCOPE_NEEDS_GPU(); }
    static void TearDownTestSuite() {
        deviceSlot(Precision::Exact).reset();
        deviceSlot(Precision::Fast).reset();
    }
};
using DenseTest = OnSharedDevices<::testing::Test>;
using DenseTypeTest = OnSharedDevices<::testing::TestWithParam<DType>>;

/// Where activations lie: a column slice of a wider matrix, which may be misaligned.
struct Slice {
    std::int64_t offset = 0;
    std::int64_t more = 0;  ///< columns of the wider matrix behind the slice
};

/// Tokens x cols random activations inside a wider matrix of NaNs, here and on a device.
class Activations {
  public:
    Activations(Device& device, std::int64_t tokens, std::int64_t cols, Slice slice, unsigned seed)
        : m_tokens(tokens),
          m_cols(cols),
          m_offset(slice.offset),
          m_stride(slice.offset + cols + slice.more),
          m_host(filled(seed)),
          m_device(device, m_host) {}

    ConstMatrix host() const { return {m_host.data() + m_offset, m_tokens, m_cols, m_stride}; }
    ConstMatrix device() const { return {m_device.data() + m_offset, m_tokens, m_cols, m_stride}; }

  private:
    std::vector<float> filled(unsigned seed) const {
        const auto values = randomFloats(static_cast<std::size_t>(m_tokens * m_cols), seed);
        std::vector<float> wide(static_cast<std::size_t>(m_tokens * m_stride), NAN);
        for (std::int64_t t = 0; t < m_tokens; ++t)
            for (std::int64_t c = 0; c < m_cols; ++c)
                wide[static_cast<std::size_t>(t * m_stride + m_offset + c)] =
                    values[static_cast<std::size_t>(t * m_cols + c)];
        return wide;
    }

    std::int64_t m_tokens, m_cols, m_offset, m_stride;
    std::vector<float> m_host;
    OnDevice<float> m_device;
};

/// A result [tokens, cols] with `gap` columns behind every row that must stay as they are.
class Result {
  public:
    Result(Device& device, std::int64_t tokens, std::int64_t cols, std::int64_t gap = 0,
           float initial = 0)
        : m_tokens(tokens),
          m_cols(cols),
          m_stride(cols + gap),
          m_device(device,
                   std::vector<float>(static_cast<std::size_t>(tokens * m_stride), initial)),
          m_initial(initial) {}

    Matrix matrix() const { return {m_device.data(), m_tokens, m_cols, m_stride}; }
    std::vector<float> values() const {
        const auto wide = m_device.host();
        std::vector<float> result;
        for (std::int64_t i = 0; i < m_tokens * m_stride; ++i) {
            const float value = wide[static_cast<std::size_t>(i)];
            if (i % m_stride < m_cols)
                result.push_back(value);
            else
                EXPECT_EQ(value, m_initial) << "written behind a row's end";
        }
        return result;
    }

  private:
    std::int64_t m_tokens, m_cols, m_stride;
    OnDevice<float> m_device;
    float m_initial;
};

/// Rows [first, first + count) of values [.., cols].
inline std::vector<float> rowsOf(const std::vector<float>& values, std::int64_t first,
                                 std::int64_t count, std::int64_t cols) {
    return {values.begin() + first * cols, values.begin() + (first + count) * cols};
}

inline constexpr DType kAllTypes[] = {DType::F32, DType::BF16, DType::F16, DType::F8E4M3};

/// What float32 sums of `cols` terms of about this size may differ by.
inline double float32Tolerance(const std::vector<float>& expected, std::int64_t cols) {
    double largest = 0;
    for (const float v : expected) largest = std::max(largest, static_cast<double>(std::abs(v)));
    return 1e-7 * (8 + std::sqrt(static_cast<double>(cols))) * largest + 1e-30;
}

/// relativeRms of BF16 factors with so many values in a row; a single one may be a small difference
/// of large numbers.
constexpr double fastTolerance(std::int64_t rows) {
    return rows == 1 ? 2e-2 : 6e-3;
}

}  // namespace gatescope::test
