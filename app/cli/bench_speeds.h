// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "app/cli/bench.h"
#include "engine/model/decoder.h"

namespace gatescope::cli {

/// Speeds of one setting, tokens per second, one value per repetition.
struct Speeds {
    std::vector<double> prefill;
    std::vector<double> decode;
};

/// Repetitions with the recorder off and on take turns, so that a slow moment hits both.
struct SpeedMeasurement {
    Speeds off;
    Speeds on;
};

/// What counting costs: all counters of TrafficAnalysis, for one generated token with affinities.
struct AnalysisCost {
    double secondsPerToken = 0;
    std::int64_t tokens = 0;
};

double median(std::vector<double> values);

/// Ids without meaning. Speculation stays off: on such text its acceptance means nothing.
std::vector<std::int32_t> randomIds(std::int64_t count, std::int64_t vocabSize);

/// Throws Error when the context does not hold what is asked for.
SpeedMeasurement measureSpeeds(Decoder& decoder, const BenchOptions& options);
/// Once more through the same tokens, after measureSpeeds(). Zero tokens for a dense model.
AnalysisCost measureAnalysis(Decoder& decoder, const BenchOptions& options);

}  // namespace gatescope::cli
