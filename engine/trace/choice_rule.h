// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/device.h"

namespace gatescope {

/// How one layer chose, for whoever works the choice out again from the affinities. Biases are [E]
/// in host memory, null where none takes part; they outlive the rule's use.
struct ChoiceRule {
    RouteParams params;
    const std::vector<float>* bias = nullptr;  ///< what the router added
    /// What remains without the correction bias: experts that an intervention holds off or forces.
    const std::vector<float>* withoutBias = nullptr;
};

}  // namespace gatescope
