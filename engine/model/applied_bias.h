// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/model/interventions.h"

namespace gatescope {

/// The correction biases a run under interventions has: `own` ([rows][E], the MTP layer last, []
/// for a model without any), replaced or zero where the interventions say so. Experts that are off
/// or forced are no bias.
std::vector<std::vector<float>> biasUnder(const Interventions& interventions,
                                          const RoutingShape& shape,
                                          std::vector<std::vector<float>> own);

}  // namespace gatescope
