// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// Tables of expert pairs grow with E^2 (64 MiB a layer here); larger models are refused.
inline constexpr int kMaxPairExperts = 4096;

/// Throws Error unless tables of experts can be kept for this model: 1 <= E <= kMaxPairExperts and
/// 1 <= k <= E. A model without MoE layers passes: it needs no table.
void checkPairShape(const RoutingShape& shape);

/// Throws Error unless the routing is `rows` rows of k slots, each slot empty or an expert of the
/// model, and no expert twice in a row; as many weights as slots. Routing may come from a file, and
/// counters index with it.
void checkChoices(const RoutingShape& shape, const TokenRouting& routing, std::size_t rows);

/// What describes the model's own work on text: not special tokens (their routing is extreme) and
/// not rejected drafts (text that never was). Prefill and decode positions of the main layers,
/// draft positions of the MTP layer.
bool isOrdinaryWork(const RoutedToken& token, bool mtp);

}  // namespace gatescope
