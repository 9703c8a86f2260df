// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/kernel_arguments.h"

// Several blocks share a row of logits: each finds the k largest of its part and what the part adds
// to the sum; one block for each row then does the same with what they found. Parts depend on the
// length of the row alone.

namespace gatescope::cuda {

namespace {

constexpr unsigned kMaxThreads = 256;
constexpr std::int64_t kPart = 2048;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A logit and its id as one number: the larger logit has the larger key, of equal ones the lower
// id. 0 is nobody's key.
using Key = unsigned long long;

// What the blocks of a row found; [T, parts] each, keys [T, parts, k], a part's largest first.
struct Candidates {
    Key* keys;
    double* sums;          ///< sum of exp(logit - largest)
    float* largest;        ///< among the part's logits
    std::int32_t* finite;  ///< whether all of the part's logits are
    std::int64_t parts;
};

template <typename Visit>
void forEachPointer(const Candidates& c, const Visit& visit) {
    visit(c.keys);
    visit(c.sums);
    visit(c.largest);
    visit(c.finite);
}

GPU_FUNCTION Key keyOf(float logit, std::int64_t id) {
    // Floats compare like their bits once those of negative ones are inverted. Adding 0 makes -0
    // equal to 0; NaN comes last, so that ids stay valid.
    const unsigned bits = __float_as_uint(logit + 0.0f);
    const unsigned ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<Key>(logit == logit ? ordered : 0u) << 32 | (~static_cast<unsigned>(id));
}

GPU_FUNCTION std::int32_t idOf(Key key) {
    return key ? static_cast<std::int32_t>(~static_cast<unsigned>(key)) : 0;
}

// The largest key below `bound` among this thread's share of keyAt(0) to keyAt(count - 1).
template <typename KeyAt>
GPU_FUNCTION Key largestBelow(Key bound, std::int64_t count, const KeyAt& keyAt) {
    Key best = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        const Key key = keyAt(i);
        if (key < bound && key > best) best = key;
    }
    return best;
}

// Calls emit(j, key) with the k largest keys, largest first, in every thread; 0 when there are no
// more. Keys differ, so exactly one thread has to look for its next one.
template <typename KeyAt, typename Emit>
GPU_FUNCTION void largestKeys(int k, std::int64_t count, const KeyAt& keyAt, const Emit& emit) {
    Key mine = largestBelow(~Key{0}, count, keyAt);
    for (int j = 0; j < k; ++j) {
        const Key best = blockReduce<Max>(mine);
        emit(j, best);
        if (best != 0 && best == mine) mine = largestBelow(best, count, keyAt);
    }
}

// exp(x - largest), where nothing is larger than `largest`.
GPU_FUNCTION float weightOf(float x, float largest) {
    return largest == -kInfinity ? 0.0f : expf(x - largest);
}

GPU_FUNCTION void summarise(const Candidates& c, std::int64_t slot, const float* logits,
                            std::int64_t count) {
    float largest = -kInfinity;
    int finite = 1;
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) {
        largest = Max()(logits[i], largest);
        if (!(fabsf(logits[i]) < kInfinity)) finite = 0;
    }
    largest = blockReduce<Max>(largest);
    finite = blockReduce<Min>(finite);
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x)
        sum += weightOf(logits[i], largest);
    sum = blockReduce<Sum>(sum);
    if (threadIdx.x != 0) return;
    c.largest[slot] = largest;
    c.finite[slot] = finite;
    c.sums[slot] = sum;
}

__global__ void __launch_bounds__(kMaxThreads)
    topOfPartKernel(Candidates c, ConstMatrix logits, std::int64_t limit, int k) {
    const std::int64_t begin = std::int64_t{blockIdx.x} * kPart;
    const std::int64_t slot = std::int64_t{blockIdx.y} * c.parts + blockIdx.x;
    const std::int64_t count = min(kPart, logits.cols - begin);
    const float* part = logits.row(blockIdx.y) + begin;
    summarise(c, slot, part, count);
    largestKeys(
        k, min(count, limit - begin), [&](std::int64_t i) { return keyOf(part[i], begin + i); },
        [&](int j, Key key) {
            if (threadIdx.x == 0) c.keys[slot * k + j] = key;
        });
}

GPU_FUNCTION void sumUp(const TopLogits& top, const Candidates& c, std::int64_t row) {
    float largest = -kInfinity;
    int finite = 1;
    const std::int64_t first = row * c.parts;
    for (std::int64_t p = threadIdx.x; p < c.parts; p += blockDim.x) {
        largest = Max()(c.largest[first + p], largest);
        finite = Min()(c.finite[first + p], finite);
    }
    largest = blockReduce<Max>(largest);
    finite = blockReduce<Min>(finite);
    double sum = 0;
    for (std::int64_t p = threadIdx.x; p < c.parts; p += blockDim.x)
        sum += c.sums[first + p] * weightOf(c.largest[first + p], largest);
    sum = blockReduce<Sum>(sum);
    if (threadIdx.x != 0) return;
    top.finite[row] = finite;
    top.logSum[row] =
        finite ? static_cast<float>(largest + log(sum)) : std::numeric_limits<float>::quiet_NaN();
}

__global__ void __launch_bounds__(kMaxThreads)
    topOfRowKernel(TopLogits top, Candidates c, ConstMatrix logits) {
    const std::int64_t row = blockIdx.x;
    const Key* keys = c.keys + row * c.parts * top.k;
    sumUp(top, c, row);
    largestKeys(
        top.k, c.parts * top.k, [&](std::int64_t i) { return keys[i]; },
        [&](int j, Key key) {
            if (threadIdx.x != 0) return;
            const std::int32_t id = idOf(key);
            top.ids[row * top.k + j] = id;
            top.values[row * top.k + j] = logits.row(row)[id];
        });
}

// For a block that goes through `items` values, several to a thread. Must not depend on k, or the
// sum's order would.
unsigned threadsFor(std::int64_t items, std::int64_t perThread) {
    const auto threads = (items + perThread * kWarp - 1) / (perThread * kWarp) * kWarp;
    return static_cast<unsigned>(std::min<std::int64_t>(threads, kMaxThreads));
}

}  // namespace

void CudaDevice::topLogits(TopLogits top, ConstMatrix logits) {
    const auto parts = (logits.cols + kPart - 1) / kPart;
    const auto slots = logits.rows * parts;
    const auto bytes = slots * (top.k * sizeof(Key) + sizeof(double) + 2 * sizeof(float));
    auto* keys = reinterpret_cast<Key*>(
        scratch<std::byte>(Scratch::TopLogits, static_cast<std::int64_t>(bytes)));
    auto* sums = reinterpret_cast<double*>(keys + slots * top.k);
    auto* largest = reinterpret_cast<float*>(sums + slots);
    const Candidates c{keys, sums, largest, reinterpret_cast<std::int32_t*>(largest + slots),
                       parts};
    launch("top logits of a part", topOfPartKernel,
           Grid{{static_cast<unsigned>(parts), static_cast<unsigned>(logits.rows)},
                threadsFor(std::min(kPart, logits.cols), 8)},
           m_stream, c, logits, top.limit, top.k);
    launch("top logits of a row", topOfRowKernel,
           Grid{static_cast<unsigned>(logits.rows), threadsFor(parts, 1)}, m_stream, top, c,
           logits);
}

}  // namespace gatescope::cuda
