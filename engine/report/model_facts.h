// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/analysis/routing_load.h"
#include "engine/report/report_value.h"
#include "engine/session/session_log.h"

namespace gatescope {

/// What a report says of the model that a session ran; not where it is.
ReportedModel reportedModel(const SessionInfo& session);

/// Type of the weights as config.json has it: "bfloat16", "FP8 (E4M3), blocks of 128 x 128". Empty
/// where it does not say.
std::string quantisationText(std::string_view configJson);

/// The correction biases [rows][E] of the session's model, from `dir` or, where that is empty, from
/// where the session says the model is. Empty if that is not there or no longer this model.
std::vector<std::vector<float>> biasesOf(const SessionInfo& session,
                                         const std::filesystem::path& dir);

/// [E] counts of a row that training would see: ordinary prompt and answer positions; of the MTP
/// row drafts.
std::vector<std::int64_t> trainedLoads(const RoutingLoad& load, int row);

/// Fills what depends on the biases; with none it stays unknown.
void describeBias(ReportedBiasRow& row, std::vector<float> bias,
                  const std::vector<std::int64_t>& load);

}  // namespace gatescope
