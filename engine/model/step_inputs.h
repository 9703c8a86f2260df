// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/rope.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// What differs from one pass to the next, in one piece of device memory and one upload: the
/// position of the first token, the rotation angles, the token ids.
class StepInputs {
  public:
    StepInputs(Device& device, std::int64_t ropeDim) : m_ropeDim(ropeDim), m_memory(device) {}

    void upload(Device& device, const Rope& rope, std::span<const std::int32_t> tokens,
                std::int64_t first);

    const std::int64_t* first() const {
        return reinterpret_cast<const std::int64_t*>(m_memory.data());
    }
    /// [T, dr] cos and sin of each pair.
    const float* cosSin() const {
        return reinterpret_cast<const float*>(m_memory.data() + kAngles);
    }
    /// [T]
    const std::int32_t* ids() const {
        return reinterpret_cast<const std::int32_t*>(m_memory.data() + m_idsOffset);
    }

  private:
    static constexpr std::size_t kAngles = 16;

    std::int64_t m_ropeDim;
    std::size_t m_idsOffset = kAngles;
    std::vector<std::byte> m_host;
    DeviceBuffer<std::byte> m_memory;
};

}  // namespace gatescope
