// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/analysis/aligned_comparison.h"
#include "engine/analysis/comparison.h"

namespace gatescope::cli {

/// What `compare` found.
struct CompareReport {
    std::string file;
    std::vector<std::string> sides;  ///< session numbers as they were asked for
    Comparison comparison;
    /// By pair; nothing where the two sides did not see the same prompts.
    std::vector<std::optional<AlignedComparison>> aligned;
    bool forced = false;   ///< `aligned` is of A's tokens run anew through both sides
    std::size_t top = 20;  ///< shifted experts that the tables list
};

/// What can be said about a pair and what cannot, in sentences; one a line.
std::string verdictText(const CompareReport& report, const PairComparison& pair);
/// "no_tokens", "too_few_units", "no_difference", "difference", "self_difference".
std::string verdictName(ComparisonVerdict::Kind kind);

/// For people: sentences, runs, layers, experts, same tokens; every figure with its n.
std::string compareTables(const CompareReport& report);

/// Everything: each statistic with "n", each test with "p_value".
nlohmann::ordered_json compareJson(const CompareReport& report);

}  // namespace gatescope::cli
