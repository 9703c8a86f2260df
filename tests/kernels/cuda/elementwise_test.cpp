// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

// A matrix [rows, cols] inside a larger one, in device memory: `offset` values before the first
// row, `stride` from row to row. What lies around it must stay as it was.
class Inset {
  public:
    Inset(Device& device, const std::vector<float>& values, std::int64_t cols, std::int64_t stride,
          std::int64_t offset)
        : m_rows(static_cast<std::int64_t>(values.size()) / cols),
          m_cols(cols),
          m_stride(stride),
          m_offset(offset),
          m_memory(device, surrounded(values)) {}

    Matrix matrix() const { return {m_memory.data() + m_offset, m_rows, m_cols, m_stride}; }
    std::vector<float> values() const {
        const auto all = m_memory.host();
        std::vector<float> inside;
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(all.size()); ++i) {
            const float value = all[static_cast<std::size_t>(i)];
            if (isInside(i)) {
                inside.push_back(value);
            } else {
                EXPECT_EQ(value, kAround) << "value " << i << " is not part of the matrix";
            }
        }
        return inside;
    }

  private:
    static constexpr float kAround = 12345;

    bool isInside(std::int64_t i) const {
        return i >= m_offset && (i - m_offset) % m_stride < m_cols &&
               (i - m_offset) / m_stride < m_rows;
    }
    std::vector<float> surrounded(const std::vector<float>& values) const {
        std::vector<float> all(static_cast<std::size_t>(m_offset + m_rows * m_stride + 5), kAround);
        auto next = values.begin();
        for (std::size_t i = 0; i < all.size(); ++i)
            if (isInside(static_cast<std::int64_t>(i))) all[i] = *next++;
        return all;
    }

    std::int64_t m_rows, m_cols, m_stride, m_offset;
    OnDevice<float> m_memory;
};

// How the rows of a matrix lie: vectors can be loaded, sometimes, or never.
struct Layout {
    std::int64_t gap;
    std::int64_t offset;
};
constexpr Layout kLayouts[] = {{0, 0}, {4, 8}, {1, 0}, {3, 1}};

class CudaElementwise : public ::testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        device = std::make_unique<cuda::CudaDevice>(0, Precision::Exact);
    }
    std::unique_ptr<cuda::CudaDevice> device;
    CpuDevice cpu{1};
};

TEST_F(CudaElementwise, EmbedExpandsRowsOfEveryType) {
    for (const auto dtype : {DType::F32, DType::BF16, DType::F16, DType::F8E4M3})
        for (const std::int64_t cols : {1, 7, 130, 515})
            for (const int block : {128, 3}) {
                SCOPED_TRACE(std::string(name(dtype)) + ", " + std::to_string(cols) + " columns");
                const auto table = randomWeight(dtype, 11, cols, 5, 1, block);
                const std::vector<std::int32_t> ids{10, 0, 3, 3, 7};
                const OnDevice<std::int32_t> deviceIds(*device, ids);
                const std::vector<float> before(ids.size() * static_cast<std::size_t>(cols));
                const Inset out(*device, before, cols, 2 * cols + 1, cols);
                device->embed(out.matrix(), device->place(table.weight), deviceIds.data());
                const auto values = out.values();
                for (std::size_t i = 0; i < values.size(); ++i) {
                    const auto row = static_cast<std::size_t>(ids[i / static_cast<size_t>(cols)]);
                    const auto at =
                        row * static_cast<std::size_t>(cols) + i % static_cast<std::size_t>(cols);
                    ASSERT_EQ(values[i], static_cast<float>(table.values[at])) << "value " << i;
                }
            }
}

TEST_F(CudaElementwise, RmsNormIsThatOfTheCpu) {
    forEachLaneOrder([&] {
        for (const std::int64_t cols : {1, 3, 31, 128, 130, 1000, 4099})
            for (const auto& layout : kLayouts) {
                const auto x = randomFloats(static_cast<std::size_t>(3 * cols), 1);
                const auto w = randomFloats(static_cast<std::size_t>(cols), 2);
                std::vector<float> expected(x.size());
                cpu.rmsNorm({expected.data(), 3, cols}, {x.data(), 3, cols}, w.data(), 1e-5f);
                const OnDevice<float> weight(*device, w);
                const Inset in(*device, x, cols, cols + layout.gap, layout.offset);
                const Inset out(*device, x, cols, cols + 2, layout.offset);
                device->rmsNorm(out.matrix(), in.matrix(), weight.data(), 1e-5f);
                ASSERT_LT(maxDifference(expected, out.values()), 1e-5) << cols;
                ASSERT_EQ(in.values(), x);
                device->rmsNorm(in.matrix(), in.matrix(), weight.data(), 1e-5f);
                ASSERT_EQ(in.values(), out.values()) << "in place, " << cols;
            }
    });
}

TEST_F(CudaElementwise, RmsNormOfAWideRow) {
    const std::int64_t cols = 7168;
    const auto x = randomFloats(static_cast<std::size_t>(cols), 3);
    const std::vector<float> w(x.size(), 1.0f);
    std::vector<float> expected(x.size());
    cpu.rmsNorm({expected.data(), 1, cols}, {x.data(), 1, cols}, w.data(), 1e-6f);
    const OnDevice<float> weight(*device, w);
    const Inset in(*device, x, cols, cols, 0);
    device->rmsNorm(in.matrix(), in.matrix(), weight.data(), 1e-6f);
    EXPECT_LT(maxDifference(expected, in.values()), 1e-5);
}

// A row that turned to zeros would go on as if nothing had happened.
TEST_F(CudaElementwise, RmsNormOfValuesTooLargeToSquareIsNotFinite) {
    const std::vector<float> x(40, 1e20f), w(20, 1.0f);
    const OnDevice<float> weight(*device, w);
    const Inset in(*device, x, 20, 20, 0);
    device->rmsNorm(in.matrix(), in.matrix(), weight.data(), 1e-6f);
    for (const float v : in.values()) EXPECT_TRUE(std::isnan(v));
}

TEST_F(CudaElementwise, AddRmsNormIsThatOfTheCpu) {
    forEachLaneOrder([&] {
        for (const std::int64_t cols : {1, 3, 31, 128, 130, 1000, 4099})
            for (const auto& layout : kLayouts) {
                auto x = randomFloats(static_cast<std::size_t>(3 * cols), 1);
                const auto block = randomFloats(x.size(), 2);
                const auto w = randomFloats(static_cast<std::size_t>(cols), 3);
                const OnDevice<float> weight(*device, w);
                const Inset sum(*device, x, cols, cols + layout.gap, layout.offset);
                const Inset addend(*device, block, cols, cols + 1, 2);
                const Inset out(*device, x, cols, cols + 2, layout.offset);
                std::vector<float> expected(x.size());
                cpu.addRmsNorm({expected.data(), 3, cols}, {x.data(), 3, cols},
                               {block.data(), 3, cols}, w.data(), 1e-5f);
                device->addRmsNorm(out.matrix(), sum.matrix(), addend.matrix(), weight.data(),
                                   1e-5f);
                ASSERT_EQ(sum.values(), x) << cols;
                ASSERT_LT(maxDifference(expected, out.values()), 1e-5) << cols;
            }
    });
}

// Whatever shares the call, and however its row happens to be aligned.
TEST_F(CudaElementwise, NormsOfARowDoNotDependOnItsSurroundings) {
    const std::int64_t cols = 1027;
    const auto x = randomFloats(static_cast<std::size_t>(5 * cols), 1);
    const OnDevice<float> weight(*device, randomFloats(static_cast<std::size_t>(cols), 2));
    const Inset all(*device, x, cols, cols, 0);
    const Inset sums(*device, x, cols, cols, 0);
    const Inset normed(*device, x, cols, cols, 0);
    device->rmsNorm(all.matrix(), all.matrix(), weight.data(), 1e-6f);
    device->addRmsNorm(normed.matrix(), sums.matrix(), all.matrix(), weight.data(), 1e-6f);
    const auto together = all.values(), togetherNormed = normed.values();
    for (std::ptrdiff_t t = 0; t < 5; ++t) {
        const std::vector<float> row(x.begin() + t * cols, x.begin() + (t + 1) * cols);
        const Inset alone(*device, row, cols, cols, 0), sum(*device, row, cols, cols, 0);
        device->rmsNorm(alone.matrix(), alone.matrix(), weight.data(), 1e-6f);
        const auto values = alone.values();
        ASSERT_TRUE(std::equal(values.begin(), values.end(), together.begin() + t * cols));
        device->addRmsNorm(sum.matrix(), sum.matrix(), alone.matrix(), weight.data(), 1e-6f);
        const auto norms = sum.values();
        ASSERT_TRUE(std::equal(norms.begin(), norms.end(), togetherNormed.begin() + t * cols));
    }
}

TEST_F(CudaElementwise, RotaryIsThatOfTheCpu) {
    const AttentionShape shapes[] = {{.heads = 1, .nopeDim = 0, .ropeDim = 2},
                                     {.heads = 3, .nopeDim = 5, .ropeDim = 6},
                                     {.heads = 16, .nopeDim = 32, .ropeDim = 64},
                                     {.heads = 2, .nopeDim = 4, .ropeDim = 0}};
    for (const auto& shape : shapes)
        for (const auto& layout : kLayouts) {
            const auto cols = shape.heads * shape.queryDim();
            auto q = randomFloats(static_cast<std::size_t>(4 * cols), 1);
            const auto angles = randomFloats(static_cast<std::size_t>(4 * shape.ropeDim + 1), 2);
            const OnDevice<float> cosSin(*device, angles);
            const Inset rotated(*device, q, cols, cols + layout.gap, layout.offset);
            cpu.rotary({q.data(), 4, cols}, shape, angles.data());
            device->rotary(rotated.matrix(), shape, cosSin.data());
            EXPECT_LT(maxDifference(q, rotated.values()), 1e-6);
        }
}

TEST_F(CudaElementwise, AddAndClearTouchTheirRowsOnly) {
    for (const std::int64_t cols : {1, 3, 4, 130, 515, 7168})
        for (const auto& layout : kLayouts) {
            auto a = randomFloats(static_cast<std::size_t>(3 * cols), 1);
            const auto b = randomFloats(a.size(), 2);
            const Inset out(*device, a, cols, cols + layout.gap, layout.offset);
            const Inset in(*device, b, cols, cols + 1, 3);
            device->add(out.matrix(), in.matrix());
            cpu.add({a.data(), 3, cols}, {b.data(), 3, cols});
            ASSERT_EQ(out.values(), a) << cols;
            ASSERT_EQ(in.values(), b) << cols;
            device->clear(out.matrix());
            ASSERT_EQ(out.values(), std::vector<float>(a.size())) << cols;
        }
}

}  // namespace
}  // namespace gatescope::test
