// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"
#include "kernels/cuda/latent_rows.h"
#include "kernels/cuda/rms_norm.h"

namespace gatescope::cuda {

namespace {

constexpr unsigned kThreads = 256;
constexpr float kLargestF8 = 448;

// What stands before and after the norm of one latent row.
struct NormedLatent {
    const float* in;      // [latentDim]
    const float* weight;  // [latentDim]
    float factor;
    std::int64_t size;

    GPU_FUNCTION float operator[](std::int64_t i) const { return in[i] * factor * weight[i]; }
};

GPU_FUNCTION float normFactor(const float* in, std::int64_t n, float eps) {
    float squares = 0;
    for (std::int64_t i = kQuad * std::int64_t{threadIdx.x}; i < n; i += kQuad * blockDim.x)
        squares = squaresOf(loadQuad(in, i, n), squares);
    return rmsFactor(blockReduce<Sum>(squares), n, eps);
}

// The scale that brings the largest value of a block to the largest one e4m3 has. A block of zeros
// (or of values so small that the scale would be 0) has scale 1.
GPU_FUNCTION float blockScaleOf(float largest) {
    const float scale = largest / kLargestF8;
    return scale > 0 ? scale : 1.0f;
}

// Each warp takes whole scale blocks.
GPU_FUNCTION void storeScaledLatent(std::byte* row, const LatentLayout& layout,
                                    const NormedLatent& latent) {
    constexpr int kPerLane = static_cast<int>(LatentLayout::kScaleBlock) / kWarp;
    auto* values = reinterpret_cast<std::uint8_t*>(row);
    auto* scales = reinterpret_cast<float*>(row + layout.scaleOffset());
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warps = static_cast<int>(blockDim.x) / kWarp;
    for (int block = static_cast<int>(threadIdx.x) / kWarp; block < layout.scales();
         block += warps) {
        const std::int64_t begin = block * LatentLayout::kScaleBlock + lane;
        float v[kPerLane];
        float largest = 0;
        for (int j = 0; j < kPerLane; ++j) {
            const std::int64_t i = begin + j * kWarp;
            v[j] = i < latent.size ? latent[i] : 0.0f;
            largest = fmaxf(largest, fabsf(v[j]));
        }
        const float scale = blockScaleOf(warpReduce<Max>(largest));
        for (int j = 0; j < kPerLane; ++j)
            if (begin + j * kWarp < latent.size) values[begin + j * kWarp] = toE4m3(v[j] / scale);
        if (lane == 0) scales[block] = scale;
    }
}

template <CacheType Type>
GPU_FUNCTION void storeLatent(std::byte* row, const LatentLayout& layout,
                              const NormedLatent& latent) {
    if constexpr (Type == CacheType::F8) {
        storeScaledLatent(row, layout, latent);
    } else {
        for (std::int64_t i = threadIdx.x; i < latent.size; i += blockDim.x)
            storeRowValue<Type>(row, i, latent[i]);
    }
}

template <CacheType Type>
GPU_FUNCTION void storeRotated(std::byte* rope, const float* in, const float* cosSin,
                               std::int64_t dim) {
    for (std::int64_t j = 2 * std::int64_t{threadIdx.x}; j < dim; j += 2 * blockDim.x) {
        const float c = cosSin[j];
        const float s = cosSin[j + 1];
        storeRowValue<Type>(rope, j, fmaf(in[j], c, -(in[j + 1] * s)));
        storeRowValue<Type>(rope, j + 1, fmaf(in[j], s, in[j + 1] * c));
    }
}

// One block for each token.
template <CacheType Type>
__global__ void latentAppendKernel(LatentCacheView cache, const std::int64_t* first, ConstMatrix kv,
                                   AttentionShape shape, const float* norm, float eps,
                                   const float* cosSin) {
    const std::int64_t t = blockIdx.x;
    const float* in = kv.row(t);
    std::byte* row = cache.row(*first + t);
    const float factor = normFactor(in, shape.latentDim, eps);
    storeLatent<Type>(row, cache.layout, {in, norm, factor, shape.latentDim});
    storeRotated<Type>(row + cache.layout.ropeOffset(), in + shape.latentDim,
                       cosSin + t * shape.ropeDim, shape.ropeDim);
}

}  // namespace

void CudaDevice::latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                              const AttentionShape& shape, const float* norm, float eps,
                              const float* cosSin) {
    withCacheType(cache.layout.type, [&](auto type) {
        launch("latent append", latentAppendKernel<type()>,
               Grid{static_cast<unsigned>(kv.rows), kThreads}, m_stream, cache, position.onDevice,
               kv, shape, norm, eps, cosSin);
    });
}

}  // namespace gatescope::cuda
