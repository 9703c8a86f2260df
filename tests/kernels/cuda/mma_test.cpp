// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/mma.h"

#include "kernels/cuda/async_copy.h"
#include "kernels/cuda/convert.h"
#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

using namespace cuda;

// d [16, 8] = c + a b, a [16, 16], b [16, 8]; matrices row by row in memory. Fragments are gathered
// as the PTX ISA describes m16n8k16: "groupID" is lane / 4, "threadID_in_group" lane % 4.
__global__ void productKernel(float* d, const float* c, const std::uint16_t* a,
                              const std::uint16_t* b) {
    const int group = static_cast<int>(threadIdx.x) / 4;
    const int inGroup = static_cast<int>(threadIdx.x) % 4;
    std::uint32_t fragmentA[4];
    for (int i = 0; i < 8; ++i) {
        const int row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
        const int col = inGroup * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        const std::uint32_t value = a[row * 16 + col];
        fragmentA[i / 2] = i % 2 ? fragmentA[i / 2] | value << 16 : value;
    }
    std::uint32_t fragmentB[2];
    for (int i = 0; i < 4; ++i) {
        const int row = inGroup * 2 + (i & 1) + (i >= 2 ? 8 : 0);
        const std::uint32_t value = b[row * 8 + group];
        fragmentB[i / 2] = i % 2 ? fragmentB[i / 2] | value << 16 : value;
    }
    const auto place = [&](int i) {
        return (i < 2 ? group : group + 8) * 8 + inGroup * 2 + (i & 1);
    };
    float sums[4];
    for (int i = 0; i < 4; ++i) sums[i] = c[place(i)];
    mmaBf16(sums, fragmentA, fragmentB);
    for (int i = 0; i < 4; ++i) d[place(i)] = sums[i];
}

std::vector<std::uint16_t> randomBf16(std::size_t n, unsigned seed) {
    std::vector<std::uint16_t> bits;
    for (const float v : randomFloats(n, seed)) bits.push_back(floatToBf16(v));
    return bits;
}

TEST(Mma, MultipliesByTheDocumentedLayout) {
    GATESCOPE_NEEDS_GPU();
    CudaDevice device(0, Precision::Exact);
    for (unsigned seed = 0; seed < 4; ++seed) {
        const auto a = randomBf16(256, 3 * seed + 1);
        const auto b = randomBf16(128, 3 * seed + 2);
        const auto c = randomFloats(128, 3 * seed + 3);
        forEachLaneOrder([&] {
            const OnDevice<std::uint16_t> onA(device, a), onB(device, b);
            const OnDevice<float> onC(device, c), onD(device, std::vector<float>(128));
            device.synchronize();
            launch("mma", productKernel, Grid{1, kWarp}, nullptr, onD.data(), onC.data(),
                   onA.data(), onB.data());
            ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
            const auto d = onD.host();
            for (std::size_t row = 0; row < 16; ++row)
                for (std::size_t col = 0; col < 8; ++col) {
                    double sum = c[row * 8 + col];
                    for (std::size_t k = 0; k < 16; ++k)
                        sum += static_cast<double>(bf16ToFloat(a[row * 16 + k])) *
                               static_cast<double>(bf16ToFloat(b[k * 8 + col]));
                    ASSERT_NEAR(d[row * 8 + col], sum, 2e-5) << row << ", " << col;
                }
        });
    }
}

// Each thread fetches 16 bytes twice and hands on what its neighbour fetched; odd threads of the
// second group fetch nothing and get zeros.
__global__ void copyKernel(float4* out, const float4* in) {
    __shared__ float4 memory[2][kWarp];
    const unsigned i = threadIdx.x;
    copyAsync(&memory[0][i], in + i);
    commitCopies();
    copyAsync(&memory[1][i], in + kWarp + i, i % 2 == 0);
    commitCopies();
    waitForCopies<1>();
    __syncthreads();
    out[i] = memory[0][(i + 1) % kWarp];
    waitForCopies<0>();
    __syncthreads();
    out[kWarp + i] = memory[1][(i + 1) % kWarp];
}

TEST(AsyncCopy, CopiesAndFillsWithZeros) {
    GATESCOPE_NEEDS_GPU();
    CudaDevice device(0, Precision::Exact);
    const auto values = randomFloats(8 * kWarp, 1);
    forEachLaneOrder([&] {
        const OnDevice<float> in(device, values), out(device, std::vector<float>(values.size()));
        device.synchronize();
        launch("copy", copyKernel, Grid{1, kWarp}, nullptr, reinterpret_cast<float4*>(out.data()),
               reinterpret_cast<const float4*>(in.data()));
        ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
        const auto copied = out.host();
        for (std::size_t i = 0; i < kWarp; ++i)
            for (std::size_t e = 0; e < 4; ++e) {
                const std::size_t next = (i + 1) % kWarp;
                EXPECT_EQ(copied[4 * i + e], values[4 * next + e]);
                EXPECT_EQ(copied[4 * (kWarp + i) + e],
                          next % 2 ? 0.0f : values[4 * (kWarp + next) + e]);
            }
    });
}

}  // namespace
}  // namespace gatescope::test
