// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace gatescope {

/// What one update of the correction bias adds (auxiliary-loss-free load balancing, DeepSeek-V3
/// report, section 2.1.2). Raw: d_i = gamma * sign(mean(load) - load_i), with sign(0) = 0.
/// MeanCentred: d_i - mean(d), so that the mean of the bias stays where it is; the choice of the
/// router is the same, because a constant added to all biases changes nothing.
enum class BiasRule { Raw, MeanCentred };

/// One batch of the training rule: bias [E] moves by the loads [E] counted since the last update,
/// gamma at a time. Whether a load lies above, at or below the mean is decided in integers, so an
/// expert exactly at the mean stays. The sum is made in double and rounded once. Throws Error for
/// sizes that differ, a negative load, or a gamma that is negative or not finite.
void updateBias(std::span<float> bias, std::span<const std::int64_t> load, double gamma,
                BiasRule rule = BiasRule::Raw);
void updateBias(std::span<double> bias, std::span<const std::int64_t> load, double gamma,
                BiasRule rule = BiasRule::Raw);

}  // namespace gatescope
