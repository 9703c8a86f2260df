// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "engine/model/forward_observer.h"
#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// Routing of all MoE layers of one forward pass, kept in device memory until the pass is over and
/// then copied out once: no layer waits for the host.
class StepRouting {
  public:
    StepRouting(Device& device, int experts, int topK);

    /// Makes room for `layers` MoE layers of `tokens` tokens.
    void begin(int layers, std::int64_t tokens);
    /// Where the i-th MoE layer of this pass writes its routing.
    Routing slot(int i) const;
    /// Hands the routing of all slots to the observer; layerIndices[i] names slot i.
    void report(ForwardObserver& observer, std::span<const int> layerIndices);

  private:
    Device* m_device;
    int m_experts;
    int m_topK;
    /// Scores [layers, T, E], ids [layers, T, k] and weights [layers, T, k] behind each other, so
    /// that one copy brings all.
    struct Parts {
        float* scores;
        std::int32_t* ids;
        float* weights;
    };
    Parts parts(std::byte* memory) const;
    std::size_t rows() const { return static_cast<std::size_t>(m_layers * m_tokens); }
    std::size_t bytes() const;

    std::int64_t m_layers = 0;
    std::int64_t m_tokens = 0;
    DeviceBuffer<std::byte> m_memory;
    std::vector<std::byte> m_host;
};

}  // namespace gatescope
