// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"

// The gate of DeepSeek-V3 and V2, one block for each token; see kernels/cpu/route.cpp. An expert's
// place is the number of experts that come before it. With NaN out of the way, "larger, or equal
// and of lower index" is a strict order of all experts, so the places are 0 to E - 1, each once:
// whatever the logits, the ids are valid and distinct.

namespace gatescope::cuda {

namespace {

constexpr int kMaxThreads = 1024;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// NaN counts as the largest: its weight then carries it to the output, where it is noticed.
GPU_FUNCTION float comparable(float x) {
    return x == x ? x : kInfinity;
}

GPU_FUNCTION int placeOf(const float* values, int count, int index) {
    const float mine = values[index];
    int place = 0;
    for (int i = 0; i < count; ++i)
        place += values[i] > mine || (values[i] == mine && i < index) ? 1 : 0;
    return place;
}

GPU_FUNCTION void sigmoids(float* scores, const float* logits, int experts) {
    for (int e = threadIdx.x; e < experts; e += blockDim.x)
        scores[e] = 1.0f / (1.0f + expf(-logits[e]));
}

GPU_FUNCTION void softmax(float* scores, const float* logits, int experts) {
    float largest = -kInfinity;
    for (int e = threadIdx.x; e < experts; e += blockDim.x) largest = Max()(logits[e], largest);
    largest = blockReduce<Max>(largest);
    float sum = 0;
    for (int e = threadIdx.x; e < experts; e += blockDim.x)
        sum += scores[e] = expf(logits[e] - largest);
    sum = blockReduce<Sum>(sum);
    for (int e = threadIdx.x; e < experts; e += blockDim.x) scores[e] /= sum;
}

GPU_FUNCTION float groupScore(const float* choice, int size, bool topTwo) {
    float first = -kInfinity;
    float second = -kInfinity;
    for (int i = 0; i < size; ++i) {
        const float value = choice[i];
        if (value > first) {
            second = first;
            first = value;
        } else if (value > second) {
            second = value;
        }
    }
    return topTwo && size > 1 ? comparable(first + second) : first;
}

// Minus infinity for the experts outside the kept groups. groupScores [groups] is scratch memory.
GPU_FUNCTION void limitToGroups(float* choice, float* groupScores, const RouteParams& p) {
    const int size = p.experts / p.groups;
    for (int g = threadIdx.x; g < p.groups; g += blockDim.x)
        groupScores[g] = groupScore(choice + g * size, size, p.groupTopTwo);
    __syncthreads();
    for (int e = threadIdx.x; e < size * p.groups; e += blockDim.x)
        if (placeOf(groupScores, p.groups, e / size) >= p.topkGroups) choice[e] = -kInfinity;
    __syncthreads();
}

// In the order of the CPU: the sum begins with 1e-20, which keeps all-zero affinities from dividing
// by zero. chosen [k]: affinities of the chosen experts.
GPU_FUNCTION void gateWeights(float* weights, const float* chosen, const RouteParams& p) {
    float sum = 1e-20f;
    for (int j = 0; j < p.topK; ++j) sum += chosen[j];
    float factor = p.scalingFactor;
    if (p.normTopkProb) factor = (p.scaleNormalised ? p.scalingFactor : 1.0f) / sum;
    for (int j = threadIdx.x; j < p.topK; j += blockDim.x) weights[j] = chosen[j] * factor;
}

__global__ void __launch_bounds__(kMaxThreads)
    routeKernel(Routing routing, ConstMatrix logits, const float* bias, RouteParams p) {
    GPU_DYN_SHARED(float, choice);
    float* groupScores = choice + p.experts;
    float* chosen = groupScores + p.groups;
    const std::int64_t t = blockIdx.x;
    float* scores = routing.scores + t * p.experts;
    // Each thread reads the scores it wrote itself.
    if (p.sigmoid) {
        sigmoids(scores, logits.row(t), p.experts);
    } else {
        softmax(scores, logits.row(t), p.experts);
    }
    for (int e = threadIdx.x; e < p.experts; e += blockDim.x)
        choice[e] = comparable(bias ? scores[e] + bias[e] : scores[e]);
    __syncthreads();
    if (p.limitGroups && p.topkGroups < p.groups) limitToGroups(choice, groupScores, p);
    for (int e = threadIdx.x; e < p.experts; e += blockDim.x) {
        const int place = placeOf(choice, p.experts, e);
        if (place >= p.topK) continue;
        routing.ids[t * p.topK + place] = e;
        chosen[place] = scores[e];
    }
    __syncthreads();
    gateWeights(routing.weights + t * p.topK, chosen, p);
}

}  // namespace

void CudaDevice::route(Routing routing, ConstMatrix logits, const float* bias,
                       const RouteParams& params) {
    const auto threads = std::min(kMaxThreads, (params.experts + kWarp - 1) / kWarp * kWarp);
    const auto floats = static_cast<std::size_t>(params.experts + params.groups + params.topK);
    launch("route", routeKernel,
           Grid{static_cast<unsigned>(routing.tokens), static_cast<unsigned>(threads),
                floats * sizeof(float)},
           m_stream, routing, logits, bias, params);
}

}  // namespace gatescope::cuda
