// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "app/cli/bench.h"
#include "app/cli/bench_limits.h"
#include "app/cli/bench_speeds.h"

namespace gatescope::cli {

/// Everything one run of the bench command found out.
struct BenchResult {
    BenchSubject subject;
    int layers = 0;
    std::string device;  ///< where what runs
    std::string precision;
    std::string cacheType;
    std::int64_t peakMemoryBytes = 0;  ///< of this process, in host memory
    SpeedMeasurement speeds;
    AnalysisCost analysis;
    Limits limits;
    std::optional<OperationProfile> operations;
};

std::string benchJson(const BenchResult& result, const BenchOptions& options);
std::string benchText(const BenchResult& result, const BenchOptions& options);

}  // namespace gatescope::cli
