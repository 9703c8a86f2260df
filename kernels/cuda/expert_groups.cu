// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/expert_groups.h"

#include <algorithm>

#include "kernels/cuda/block_reduce.h"
#include "kernels/cuda/kernel_arguments.h"

// A counting sort without atomics: one thread owns an expert and goes through the ids of a chunk of
// pairs in order, so the result is the same on every run. One chunk (every decode step) takes one
// kernel, more take three: count by chunk, lay out, place by chunk.

namespace gatescope::cuda {

namespace {

constexpr int kChunk = 1024;
constexpr int kMaxThreads = 1024;

// The memory behind an ExpertGroups, and what the kernels hand to each other.
struct GroupMemory {
    std::int32_t* pairs;
    std::int32_t* experts;
    std::int32_t* starts;
    std::int32_t* count;
    std::int32_t* tiles;
    std::int32_t* chunkCounts;  ///< [chunks, E] pairs of an expert in a chunk
    std::int32_t* chunkStarts;  ///< [chunks, E] its pairs in the chunks before
    std::int32_t* begins;       ///< [E] where its group begins in pairs
    std::int64_t maxGroups;
    std::int64_t maxTiles;
    std::size_t bytes;
};

template <typename Visit>
void forEachPointer(const GroupMemory& m, const Visit& visit) {
    visit(m.pairs);
    visit(m.experts);
    visit(m.starts);
    visit(m.count);
    visit(m.tiles);
    visit(m.chunkCounts);
    visit(m.chunkStarts);
    visit(m.begins);
}

// What is sorted.
struct PairList {
    const std::int32_t* ids;  ///< [pairs] expert of each pair
    std::int64_t pairs;
    int experts;
    int tileRows;
};

template <typename Visit>
void forEachPointer(const PairList& l, const Visit& visit) {
    visit(l.ids);
}

std::int64_t chunksOf(std::int64_t pairs) {
    return (pairs + kChunk - 1) / kChunk;
}

// A group of n pairs has at most (n + tileRows - 1) / tileRows tiles, and no fewer than one pair to
// a tile.
std::int64_t mostTiles(std::int64_t pairs, std::int64_t groups, std::int64_t tileRows) {
    if (tileRows == 0) return 0;
    return std::min(pairs, (pairs + groups * (tileRows - 1)) / tileRows);
}

GroupMemory divide(void* memory, std::int64_t pairs, int experts, int tileRows) {
    const auto groups = std::min<std::int64_t>(pairs, experts);
    const auto tiles = mostTiles(pairs, groups, tileRows);
    const auto table = pairs > kChunk ? chunksOf(pairs) * experts : 0;
    const auto base = reinterpret_cast<std::uintptr_t>(memory);
    auto next = base;
    const auto part = [&next](std::int64_t count) -> std::int32_t* {
        const auto begin = next;
        next += (static_cast<std::size_t>(count) * sizeof(std::int32_t) + 15) / 16 * 16;
        return count ? reinterpret_cast<std::int32_t*>(begin) : nullptr;
    };
    GroupMemory m{};
    m.pairs = part(pairs);
    m.experts = part(groups);
    m.starts = part(groups + 1);
    m.count = part(2);
    m.tiles = part(2 * tiles);
    m.chunkCounts = part(table);
    m.chunkStarts = part(table);
    m.begins = part(table ? experts : 0);
    m.maxGroups = groups;
    m.maxTiles = tiles;
    m.bytes = next - base;
    return m;
}

GPU_FUNCTION int chunkSize(const PairList& list, std::int64_t chunk) {
    const std::int64_t left = list.pairs - chunk * kChunk;
    return static_cast<int>(left < kChunk ? left : kChunk);
}

GPU_FUNCTION void loadIds(std::int32_t* ids, const PairList& list, std::int64_t chunk) {
    const int size = chunkSize(list, chunk);
    for (int i = threadIdx.x; i < size; i += blockDim.x) ids[i] = list.ids[chunk * kChunk + i];
    __syncthreads();
}

GPU_FUNCTION int countOf(int expert, const std::int32_t* ids, int size) {
    int count = 0;
    for (int i = 0; i < size; ++i) count += ids[i] == expert ? 1 : 0;
    return count;
}

GPU_FUNCTION void place(std::int32_t* to, int expert, const std::int32_t* ids, int size,
                        std::int64_t firstPair) {
    for (int i = 0; i < size; ++i)
        if (ids[i] == expert) *to++ = static_cast<std::int32_t>(firstPair + i);
}

GPU_FUNCTION void writeGroup(const GroupMemory& m, int group, int expert, int start) {
    m.experts[group] = expert;
    m.starts[group] = start;
}

GPU_FUNCTION void writeTiles(const GroupMemory& m, int firstTile, int group, int pairs,
                             int tileRows) {
    std::int32_t* tile = m.tiles + 2 * static_cast<std::int64_t>(firstTile);
    for (int row = 0; row < pairs; row += tileRows, tile += 2) {
        tile[0] = group;
        tile[1] = row;
    }
}

// Writes groups and tiles from the number of pairs of each expert, and where each expert's pairs
// begin. counts and begins [E]; each thread reads the counts of its own experts, those whose index
// is its own modulo the number of threads.
GPU_FUNCTION void layOut(const GroupMemory& m, const PairList& list, const std::int32_t* counts,
                         std::int32_t* begins) {
    int groups = 0;
    int pairs = 0;
    int tiles = 0;
    for (int first = 0; first < list.experts; first += blockDim.x) {
        const int e = first + static_cast<int>(threadIdx.x);
        const int mine = e < list.experts ? counts[e] : 0;
        const int myTiles = list.tileRows ? (mine + list.tileRows - 1) / list.tileRows : 0;
        int newGroups;
        int newPairs;
        int newTiles = 0;
        const int group = groups + blockExclusiveSum(mine > 0 ? 1 : 0, newGroups);
        const int start = pairs + blockExclusiveSum(mine, newPairs);
        const int tile = list.tileRows ? tiles + blockExclusiveSum(myTiles, newTiles) : 0;
        if (mine > 0) writeGroup(m, group, e, start);
        if (myTiles > 0) writeTiles(m, tile, group, mine, list.tileRows);
        if (e < list.experts) begins[e] = start;
        groups += newGroups;
        pairs += newPairs;
        tiles += newTiles;
    }
    if (threadIdx.x != 0) return;
    m.starts[groups] = pairs;
    m.count[0] = groups;
    m.count[1] = tiles;
}

__global__ void __launch_bounds__(kMaxThreads) groupKernel(GroupMemory m, PairList list) {
    GPU_DYN_SHARED(std::int32_t, ids);
    std::int32_t* counts = ids + kChunk;
    const int size = chunkSize(list, 0);
    loadIds(ids, list, 0);
    for (int e = threadIdx.x; e < list.experts; e += blockDim.x) counts[e] = countOf(e, ids, size);
    layOut(m, list, counts, counts);
    for (int e = threadIdx.x; e < list.experts; e += blockDim.x)
        place(m.pairs + counts[e], e, ids, size, 0);
}

__global__ void __launch_bounds__(kMaxThreads) countKernel(GroupMemory m, PairList list) {
    GPU_DYN_SHARED(std::int32_t, ids);
    const std::int64_t chunk = blockIdx.x;
    loadIds(ids, list, chunk);
    for (int e = threadIdx.x; e < list.experts; e += blockDim.x)
        m.chunkCounts[chunk * list.experts + e] = countOf(e, ids, chunkSize(list, chunk));
}

// Running sums of one expert's counts over the chunks; returns the whole.
GPU_FUNCTION int sumChunks(std::int32_t* __restrict__ starts,
                           const std::int32_t* __restrict__ counts, std::int64_t chunks,
                           int experts) {
    int sum = 0;
#pragma unroll 8
    for (std::int64_t c = 0; c < chunks; ++c) {
        starts[c * experts] = sum;
        sum += counts[c * experts];
    }
    return sum;
}

__global__ void __launch_bounds__(kMaxThreads)
    layOutKernel(GroupMemory m, PairList list, std::int64_t chunks) {
    GPU_DYN_SHARED(std::int32_t, counts);
    for (int e = threadIdx.x; e < list.experts; e += blockDim.x)
        counts[e] = sumChunks(m.chunkStarts + e, m.chunkCounts + e, chunks, list.experts);
    layOut(m, list, counts, m.begins);
}

__global__ void __launch_bounds__(kMaxThreads) placeKernel(GroupMemory m, PairList list) {
    GPU_DYN_SHARED(std::int32_t, ids);
    const std::int64_t chunk = blockIdx.x;
    loadIds(ids, list, chunk);
    for (int e = threadIdx.x; e < list.experts; e += blockDim.x)
        place(m.pairs + m.begins[e] + m.chunkStarts[chunk * list.experts + e], e, ids,
              chunkSize(list, chunk), chunk * kChunk);
}

void sortInChunks(const GroupMemory& m, const PairList& list, unsigned threads,
                  cudaStream_t stream) {
    const auto chunks = chunksOf(list.pairs);
    const auto idBytes = kChunk * sizeof(std::int32_t);
    const Grid byChunk{static_cast<unsigned>(chunks), threads, idBytes};
    launch("count pairs by expert", countKernel, byChunk, stream, m, list);
    launch("lay out expert groups", layOutKernel,
           Grid{1, threads, static_cast<std::size_t>(list.experts) * sizeof(std::int32_t)}, stream,
           m, list, chunks);
    launch("place pairs by expert", placeKernel, byChunk, stream, m, list);
}

}  // namespace

std::size_t expertGroupBytes(std::int64_t pairs, int experts, int tileRows) {
    return divide(nullptr, pairs, experts, tileRows).bytes;
}

ExpertGroups groupByExpert(void* memory, const Routing& routing, int experts, int tileRows,
                           cudaStream_t stream) {
    const PairList list{routing.ids, routing.tokens * routing.topK, experts, tileRows};
    const auto m = divide(memory, list.pairs, experts, tileRows);
    const auto threads =
        static_cast<unsigned>(std::min(kMaxThreads, (experts + kWarp - 1) / kWarp * kWarp));
    if (list.pairs <= kChunk) {
        const auto ints = static_cast<std::size_t>(kChunk + experts);
        launch("group pairs by expert", groupKernel, Grid{1, threads, ints * sizeof(std::int32_t)},
               stream, m, list);
    } else {
        sortInChunks(m, list, threads, stream);
    }
    return {m.pairs, m.experts, m.starts, m.count, m.tiles, m.maxGroups, m.maxTiles};
}

}  // namespace gatescope::cuda
