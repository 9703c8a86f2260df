// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/weight_arena.h"

#include <cuda_runtime_api.h>

#include "kernels/cuda/device_memory.h"

namespace gatescope::cuda {

WeightArena::~WeightArena() {
    for (void* piece : m_pieces) cudaFree(piece);
}

void* WeightArena::allocate(std::size_t bytes) {
    const auto size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    // A large weight gets a piece of its own, and what is left of the running one stays in use.
    if (size > kPiece / 4) {
        m_pieces.push_back(allocateDeviceMemory(size));
        return m_pieces.back();
    }
    if (size > m_left) {
        m_pieces.push_back(allocateDeviceMemory(kPiece));
        m_at = static_cast<std::byte*>(m_pieces.back());
        m_left = kPiece;
    }
    void* memory = m_at;
    m_at += size;
    m_left -= size;
    return memory;
}

}  // namespace gatescope::cuda
