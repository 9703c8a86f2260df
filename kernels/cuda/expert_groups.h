// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>

#include "kernels/device.h"

namespace gatescope::cuda {

/// The (token, choice) pairs of a routing sorted by expert, so that each expert's weights are read
/// once for all tokens that chose it. All pointers lead into the device's memory; with T tokens and
/// k choices there are P = T k pairs.
struct ExpertGroups {
    const std::int32_t* pairs = nullptr;  ///< [P] pair t * k + j, by expert, then by pair
    const std::int32_t* experts =
        nullptr;  ///< [G] experts chosen by anyone, ascending; G = count[0]
    const std::int32_t* starts = nullptr;  ///< [G + 1] where each group begins in pairs
    const std::int32_t* count = nullptr;   ///< [2] G, then the number of tiles
    /// [2 * count[1]] group, and its first pair counted from the group's beginning; a tile covers
    /// up to `tileRows` pairs of one group.
    const std::int32_t* tiles = nullptr;
    std::int64_t maxGroups = 0;  ///< G is at most this; for grids
    std::int64_t maxTiles = 0;   ///< likewise for tiles
};

template <typename Visit>
void forEachPointer(const ExpertGroups& g, const Visit& visit) {
    visit(g.pairs);
    visit(g.experts);
    visit(g.starts);
    visit(g.count);
    visit(g.tiles);
}

/// Device memory that groupByExpert needs, in bytes.
std::size_t expertGroupBytes(std::int64_t pairs, int experts, int tileRows);

/// Groups the pairs of a routing among `experts` experts into `memory`, expertGroupBytes() at any
/// 16-byte boundary. tileRows 0: no tiles. Neither waits nor reads anything back.
ExpertGroups groupByExpert(void* memory, const Routing& routing, int experts, int tileRows,
                           cudaStream_t stream);

}  // namespace gatescope::cuda
