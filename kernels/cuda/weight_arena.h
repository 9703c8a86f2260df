// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace gatescope::cuda {

/// Memory for weights, taken from the device in large pieces: a model has tens of thousands of
/// them, and none is given back before the device itself goes.
class WeightArena {
  public:
    WeightArena() = default;
    ~WeightArena();
    WeightArena(const WeightArena&) = delete;
    WeightArena& operator=(const WeightArena&) = delete;

    /// Aligned to 256 bytes. Throws DeviceMemoryError.
    void* allocate(std::size_t bytes);

  private:
    static constexpr std::size_t kAlignment = 256;
    static constexpr std::size_t kPiece = 64 << 20;

    std::vector<void*> m_pieces;
    std::byte* m_at = nullptr;
    std::size_t m_left = 0;
};

}  // namespace gatescope::cuda
