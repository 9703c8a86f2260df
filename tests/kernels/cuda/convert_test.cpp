// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/convert.h"

#include <bit>
#include <cstring>

#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

using namespace cuda;

constexpr int kThreads = 64;

template <DType Type>
__global__ void decodeKernel(float* out, const uint4* vectors, int count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= count) return;
    float values[kVectorElements<Type>];
    decodeVector<Type>(vectors[i], values);
    for (int e = 0; e < kVectorElements<Type>; ++e) out[i * kVectorElements<Type> + e] = values[e];
}

template <DType Type>
__global__ void loadKernel(float* out, const std::byte* elements, int count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count) out[i] = loadElement<Type>(elements, i);
}

template <DType Type>
__global__ void toBf16VectorKernel(std::uint32_t* out, const uint4* vectors, int count) {
    constexpr int kPairs = kVectorElements<Type> / 2;
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= count) return;
    std::uint32_t pairs[kPairs];
    decodeToBf16<Type>(vectors[i], pairs);
    for (int e = 0; e < kPairs; ++e) out[i * kPairs + e] = pairs[e];
}

__global__ void toBf16Kernel(std::uint16_t* out, std::uint32_t* pairs, const float* in, int count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= count) return;
    out[i] = toBf16(in[i]);
    pairs[i] = toBf16Pair(in[i], in[count - 1 - i]);
}

__global__ void toE4m3Kernel(std::uint8_t* out, const float* in, int count) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < count) out[i] = toE4m3(in[i]);
}

__global__ void loadWeightKernel(float* out, Weight weight) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= weight.rows * weight.cols) return;
    forType(weight.dtype, [&]<DType Type>() {
        out[i] = loadWeight<Type>(weight, i / weight.cols, i % weight.cols);
    });
}

class Convert : public ::testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        device = std::make_unique<CudaDevice>(0, Precision::Exact);
    }

    // Runs kernel(out, in, count) with `count` threads; returns `results` values.
    template <typename Out, typename In, typename Kernel, typename Param>
    std::vector<Out> run(Kernel kernel, const std::vector<In>& in, int count, std::size_t results,
                         Param* (*castIn)(In*)) {
        const OnDevice<In> input(*device, in);
        const OnDevice<Out> output(*device, std::vector<Out>(results));
        device->synchronize();
        launch("conversion", kernel, Grid{blocksFor(count, kThreads), kThreads}, nullptr,
               output.data(), castIn(input.data()), count);
        EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
        return output.host();
    }

    std::unique_ptr<CudaDevice> device;
};

// Every pattern of 8 or 16 bits, in order.
template <typename T>
std::vector<T> allPatterns() {
    std::vector<T> patterns(std::size_t{1} << (8 * sizeof(T)));
    for (std::size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<T>(i);
    return patterns;
}

bool sameFloat(float a, float b) {
    return std::isnan(a) ? std::isnan(b)
                         : std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

template <typename T>
uint4* asVectors(T* p) {
    return reinterpret_cast<uint4*>(p);
}
template <typename T>
std::byte* asBytes(T* p) {
    return reinterpret_cast<std::byte*>(p);
}
template <typename T>
T* asIs(T* p) {
    return p;
}

TEST_F(Convert, EveryPatternDecodesByDefinition) {
    const auto check = [&]<DType Type, typename T>(const std::vector<T>& patterns,
                                                   float (*definition)(T)) {
        const auto n = patterns.size();
        const auto vectors = static_cast<int>(n / kVectorElements<Type>);
        const auto packed = run<float>(decodeKernel<Type>, patterns, vectors, n, asVectors<T>);
        const auto single =
            run<float>(loadKernel<Type>, patterns, static_cast<int>(n), n, asBytes<T>);
        for (std::size_t i = 0; i < n; ++i) {
            ASSERT_TRUE(sameFloat(packed[i], definition(patterns[i]))) << name(Type) << " " << i;
            ASSERT_TRUE(sameFloat(single[i], definition(patterns[i]))) << name(Type) << " " << i;
        }
    };
    check.operator()<DType::BF16>(allPatterns<std::uint16_t>(), bf16ToFloat);
    check.operator()<DType::F16>(allPatterns<std::uint16_t>(), f16ToFloat);
    check.operator()<DType::F8E4M3>(allPatterns<std::uint8_t>(), f8e4m3ToFloat);
    check.operator()<DType::F32>(
        randomFloats(1000, 1), +[](float x) { return x; });
}

TEST_F(Convert, VectorsBecomeBf16) {
    const auto check = [&]<DType Type, typename T>(const std::vector<T>& patterns,
                                                   float (*definition)(T)) {
        const auto n = patterns.size();
        const auto pairs =
            run<std::uint32_t>(toBf16VectorKernel<Type>, patterns,
                               static_cast<int>(n / kVectorElements<Type>), n / 2, asVectors<T>);
        for (std::size_t i = 0; i < n; ++i) {
            const auto bits = static_cast<std::uint16_t>(pairs[i / 2] >> (16 * (i % 2)));
            const float value = definition(patterns[i]);
            if (Type == DType::F8E4M3 && std::isnan(value)) continue;
            if (std::isnan(value))
                ASSERT_TRUE(std::isnan(bf16ToFloat(bits))) << name(Type) << " " << i;
            else
                ASSERT_EQ(bits, floatToBf16(value)) << name(Type) << " " << i;
        }
    };
    check.operator()<DType::BF16>(allPatterns<std::uint16_t>(), bf16ToFloat);
    check.operator()<DType::F16>(allPatterns<std::uint16_t>(), f16ToFloat);
    check.operator()<DType::F8E4M3>(allPatterns<std::uint8_t>(), f8e4m3ToFloat);
    check.operator()<DType::F32>(
        randomFloats(1000, 1), +[](float x) { return x; });
}

TEST_F(Convert, FloatsRoundToBf16) {
    // Every BF16 value, and what lies just above it, just around the middle, just below the next.
    std::vector<float> values;
    for (std::uint32_t upper = 0; upper < 65536; upper += 7)
        for (const std::uint32_t lower : {0u, 1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu})
            values.push_back(std::bit_cast<float>(upper << 16 | lower));
    const auto n = static_cast<int>(values.size());
    const OnDevice<float> in(*device, values);
    const OnDevice<std::uint16_t> single(*device, std::vector<std::uint16_t>(values.size()));
    const OnDevice<std::uint32_t> pairs(*device, std::vector<std::uint32_t>(values.size()));
    device->synchronize();
    launch("conversion", toBf16Kernel, Grid{blocksFor(n, kThreads), kThreads}, nullptr,
           single.data(), pairs.data(), in.data(), n);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const auto bits = single.host();
    const auto both = pairs.host();
    const auto expect = [](std::uint16_t actual, float value) {
        return std::isnan(value) ? std::isnan(bf16ToFloat(actual)) : actual == floatToBf16(value);
    };
    for (std::size_t i = 0; i < values.size(); ++i) {
        ASSERT_TRUE(expect(bits[i], values[i])) << values[i];
        ASSERT_TRUE(expect(static_cast<std::uint16_t>(both[i] & 0xFFFF), values[i])) << i;
        ASSERT_TRUE(
            expect(static_cast<std::uint16_t>(both[i] >> 16), values[values.size() - 1 - i]))
            << i;
    }
}

// The nearest E4M3 number, of two the even one, at most 448.
std::uint8_t nearestE4m3(float value) {
    if (std::isnan(value)) return static_cast<std::uint8_t>(std::signbit(value) ? 0xFF : 0x7F);
    const double magnitude = std::abs(static_cast<double>(value));
    std::uint8_t best = 0;
    for (std::uint8_t bits = 1; bits < 0x7F; ++bits) {
        const double distance = std::abs(f8e4m3ToFloat(bits) - magnitude);
        const double shortest = std::abs(f8e4m3ToFloat(best) - magnitude);
        if (distance < shortest || (distance == shortest && bits % 2 == 0)) best = bits;
    }
    return static_cast<std::uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}

TEST_F(Convert, FloatsRoundToE4m3) {
    std::vector<float> values{
        0.0f,   1e-30f, 448.0f,   463.9f, 464.0f,
        480.0f, 1e30f,  INFINITY, NAN,    std::numeric_limits<float>::denorm_min()};
    for (std::uint8_t bits = 0; bits < 0x7E; ++bits) {
        const float low = f8e4m3ToFloat(bits);
        const float high = f8e4m3ToFloat(static_cast<std::uint8_t>(bits + 1));
        const float middle = (low + high) / 2;
        for (const float v :
             {low, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1000.0f)})
            values.push_back(v);
    }
    for (const float v : randomFloats(500, 3)) values.push_back(v * 0.02f);
    for (const float v : randomFloats(500, 4)) values.push_back(v * 100);
    for (std::size_t i = 0, n = values.size(); i < n; ++i) values.push_back(-values[i]);
    const auto bits = run<std::uint8_t>(toE4m3Kernel, values, static_cast<int>(values.size()),
                                        values.size(), asIs<float>);
    for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(bits[i], nearestE4m3(values[i])) << values[i];
}

TEST_F(Convert, WeightsCarryTheirBlockScales) {
    for (const auto type : {DType::F32, DType::BF16, DType::F16, DType::F8E4M3}) {
        for (const int block : {128, 24, 1}) {
            const auto w = randomWeight(type, 37, 53, 5, 1, block);
            const Weight placed = device->place(w.weight);
            const OnDevice<float> out(*device, std::vector<float>(w.values.size()));
            device->synchronize();
            launch("weight", loadWeightKernel, Grid{blocksFor(37 * 53, kThreads), kThreads},
                   nullptr, out.data(), placed);
            ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
            const auto values = out.host();
            for (std::size_t i = 0; i < values.size(); ++i)
                ASSERT_EQ(values[i], static_cast<float>(w.values[i])) << name(type) << " " << i;
        }
    }
}

}  // namespace
}  // namespace gatescope::test
