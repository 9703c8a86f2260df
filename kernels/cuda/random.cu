// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cuda/convert.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kernel_arguments.h"

// Random weights for measurements. An element's value follows from the seed, its row and its
// column, so it depends neither on the grid nor on how rows are padded.

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr int kBlocksPerMultiprocessor = 16;
constexpr int kGroup = 4;  ///< columns a thread fills at once; every row stride is a multiple
/// Standard deviation of stored F8E4M3 values; the block scales do the rest. Almost all values then
/// are normal numbers of the format, and none reaches its largest, 448.
constexpr float kStoredDeviation = 32;

// The finaliser of SplitMix64 over a Weyl sequence: statistically sound for counters.
GPU_FUNCTION std::uint64_t mix(std::uint64_t seed, std::uint64_t counter) {
    std::uint64_t z = seed + (counter + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// Two independent standard normal values (Box-Muller).
GPU_FUNCTION float2 normalPair(std::uint64_t seed, std::uint64_t counter) {
    constexpr float kStep = 1.0f / (1 << 24);
    constexpr float kTwoPi = 6.2831853f;
    const std::uint64_t bits = mix(seed, counter);
    // In (0, 1], so that the logarithm is finite.
    const float u = static_cast<float>(static_cast<unsigned>(bits >> 40) + 1) * kStep;
    const float v = static_cast<float>(static_cast<unsigned>(bits) >> 8) * kStep;
    const float radius = sqrtf(-2.0f * logf(u));
    return make_float2(radius * cosf(kTwoPi * v), radius * sinf(kTwoPi * v));
}

// Rounds to nearest, ties to even, a finite value within the range of F16.
GPU_FUNCTION std::uint16_t toF16(float value) {
    const std::uint32_t bits = __float_as_uint(value);
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    std::uint32_t result;
    if (magnitude < 0x38800000u) {
        // Below the smallest normal number, 2^-14: the sum keeps nothing smaller than the unit of
        // subnormals, 2^-24.
        result = __float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3F000000u;
    } else {
        // Rounded to 10 bits of mantissa, with the exponent's bias changed from 127 to 15.
        result = ((magnitude + 0xFFFu + (magnitude >> 13 & 1)) >> 13) - (112u << 10);
    }
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000u) | result);
}

// Stored types: how large a value may become, and its bits.

struct EncodeF32 {
    using Stored = float;
    static constexpr float kLargest = std::numeric_limits<float>::max();
    GPU_FUNCTION static Stored encode(float value) { return value; }
};

struct EncodeBf16 {
    using Stored = std::uint16_t;
    static constexpr float kLargest = 0x1.FEp127f;
    GPU_FUNCTION static Stored encode(float value) { return toBf16(value); }
};

struct EncodeF16 {
    using Stored = std::uint16_t;
    static constexpr float kLargest = 65504;
    GPU_FUNCTION static Stored encode(float value) { return toF16(value); }
};

struct EncodeF8 {
    using Stored = std::uint8_t;
    static constexpr float kLargest = 448;
    GPU_FUNCTION static Stored encode(float value) { return toE4m3(value); }
};

template <typename Encode>
GPU_FUNCTION typename Encode::Stored storedValue(float normal, float deviation) {
    return Encode::encode(fminf(fmaxf(normal * deviation, -Encode::kLargest), Encode::kLargest));
}

template <typename Stored>
struct alignas(kGroup * sizeof(Stored)) Group {
    Stored values[kGroup];
};

template <typename Encode>
__global__ void randomKernel(typename Encode::Stored* data, std::int64_t rows, std::int64_t cols,
                             std::int64_t stride, float deviation, std::uint64_t seed) {
    using Stored = typename Encode::Stored;
    const std::int64_t groups = stride / kGroup;
    const std::int64_t pairs = (cols + 1) / 2;
    const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
    for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < rows * groups;
         i += step) {
        const std::int64_t row = i / groups;
        const std::int64_t col = i % groups * kGroup;
        const std::uint64_t counter = static_cast<std::uint64_t>(row * pairs + col / 2);
        const float2 a = normalPair(seed, counter);
        const float2 b = normalPair(seed, counter + 1);
        const float normals[kGroup] = {a.x, a.y, b.x, b.y};
        Group<Stored> group;
#pragma unroll
        for (int j = 0; j < kGroup; ++j)
            group.values[j] =
                col + j < cols ? storedValue<Encode>(normals[j], deviation) : Stored{0};
        *reinterpret_cast<Group<Stored>*>(data + row * stride + col) = group;
    }
}

__global__ void fillKernel(float* values, std::int64_t count, float value) {
    const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (i < count) values[i] = value;
}

template <typename Encode>
void fillValues(const Weight& w, float deviation, std::uint64_t seed, unsigned blocks,
                cudaStream_t stream) {
    using Stored = typename Encode::Stored;
    launch("random weights", randomKernel<Encode>, Grid{blocks, kThreads}, stream,
           static_cast<Stored*>(const_cast<void*>(w.data)), w.rows, w.cols, w.stride(), deviation,
           seed);
}

void fillScales(const Weight& w, float scale, cudaStream_t stream) {
    const std::int64_t count = (w.rows + w.blockRows - 1) / w.blockRows * w.scaleCols();
    launch("random weights: scales", fillKernel, Grid{blocksFor(count, kThreads), kThreads}, stream,
           const_cast<float*>(w.scales), count, scale);
}

}  // namespace

Weight CudaDevice::random(const RandomFill& fill) {
    const Weight weight = allocateWeight({.dtype = fill.dtype,
                                          .rows = fill.rows,
                                          .cols = fill.cols,
                                          .blockRows = fill.blockRows,
                                          .blockCols = fill.blockCols});
    const auto needed = (weight.rows * (weight.stride() / kGroup) + kThreads - 1) / kThreads;
    const auto most = std::int64_t{m_multiprocessors} * kBlocksPerMultiprocessor;
    const auto blocks = static_cast<unsigned>(std::min(needed, most));
    switch (fill.dtype) {
        case DType::F32:
            fillValues<EncodeF32>(weight, fill.deviation, fill.seed, blocks, m_stream);
            break;
        case DType::BF16:
            fillValues<EncodeBf16>(weight, fill.deviation, fill.seed, blocks, m_stream);
            break;
        case DType::F16:
            fillValues<EncodeF16>(weight, fill.deviation, fill.seed, blocks, m_stream);
            break;
        case DType::F8E4M3:
            fillValues<EncodeF8>(weight, kStoredDeviation, fill.seed, blocks, m_stream);
            fillScales(weight, fill.deviation / kStoredDeviation, m_stream);
            break;
    }
    return weight;
}

}  // namespace gatescope::cuda
