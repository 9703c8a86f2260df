// SPDX-License-Identifier: Apache-2.0
#include "engine/model/step_inputs.h"

#include <cstring>

namespace gatescope {

void StepInputs::upload(Device& device, const Rope& rope, std::span<const std::int32_t> tokens,
                        std::int64_t first) {
    const auto count = static_cast<std::int64_t>(tokens.size());
    m_idsOffset = kAngles + static_cast<std::size_t>(count * m_ropeDim) * sizeof(float);
    m_host.resize(m_idsOffset + tokens.size_bytes());
    std::memcpy(m_host.data(), &first, sizeof(first));
    rope.fill(reinterpret_cast<float*>(m_host.data() + kAngles), first, count);
    std::memcpy(m_host.data() + m_idsOffset, tokens.data(), tokens.size_bytes());
    device.upload(m_memory.require(m_host.size()), m_host.data(), m_host.size());
}

}  // namespace gatescope
