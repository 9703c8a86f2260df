// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "engine/analysis/speculation_stats.h"

namespace gatescope::cli {

/// Counters of speculation in Prometheus' text format, under vLLM's names: drafts (verify steps),
/// draft tokens, accepted tokens, and accepted tokens by position, from 0.
std::string prometheusText(const SpeculationRates& rates, const std::string& model);

/// Replaces the file at once, so that a collector never reads half of it. Throws Error.
void writeMetricsFile(const std::filesystem::path& file, const std::string& text);

}  // namespace gatescope::cli
