// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "engine/model/forward_observer.h"
#include "engine/model/run_routing.h"
#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// Routing of all MoE layers of one forward pass, kept in device memory until the pass is over and
/// then copied out once: no layer waits for the host.
class StepRouting {
  public:
    StepRouting(Device& device, int experts);

    /// Makes room for the MoE layers `layers` (absolute indices) of `tokens` tokens, which choose
    /// as `routing` says.
    void begin(std::span<const int> layers, std::int64_t tokens, const RunRouting& routing);
    /// Where the i-th MoE layer of this pass writes its routing.
    Routing slot(int i) const;
    /// Hands the routing of all slots to the observer.
    void report(ForwardObserver& observer);

  private:
    Device* m_device;
    int m_experts;
    int m_topK = 0;  ///< the most a layer chooses
    /// Scores [layers, T, E], ids [layers, T, k] and weights [layers, T, k] behind each other, so
    /// that one copy brings all. A layer that chooses fewer fills the beginning of its part.
    struct Parts {
        float* scores;
        std::int32_t* ids;
        float* weights;
    };
    Parts parts(std::byte* memory) const;
    std::size_t rows() const { return m_slots.size() * static_cast<std::size_t>(m_tokens); }
    std::size_t bytes() const;

    struct Slot {
        int layer;
        int topK;
    };
    std::vector<Slot> m_slots;
    std::int64_t m_tokens = 0;
    DeviceBuffer<std::byte> m_memory;
    std::vector<std::byte> m_host;
};

}  // namespace gatescope
