// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/cli/bench.h"
#include "engine/analysis/speculation_stats.h"
#include "engine/decode/generation.h"

namespace gatescope::cli {

/// One way to decode: "off", "mtp2", "lookup", "auto", ...
struct SpeculationMode {
    std::string name;
    Speculate speculate = Speculate::Off;
    int drafts = 0;  ///< as GenerationParams::drafts
};

/// From --modes; `off` is put in front where it is missing, as the others are compared with it.
/// Throws UsageError.
std::vector<SpeculationMode> speculationModes(const std::string& list);

/// What one mode did with the prompts of one domain.
struct ModeFigures {
    std::vector<double> tokensPerSecond;  ///< decode, of all prompts together, by repetition
    std::vector<double> ratios;           ///< to `off` in the same repetition
    SpeculationStats stats;               ///< over all timed repetitions
    SpeculationValue timed;               ///< the same with times, without routing
    SpeculationValue recorded;            ///< one pass more with routing, whose times do not count
};

/// Where a mode's text left the text of `off`.
struct TextDifference {
    std::string mode;
    int prompt = 0;             ///< number of the prompt, from 0
    std::int64_t position = 0;  ///< in the answer, from 0
    /// Log of how much more probable the first token of `off` was than its second: a near-tie is
    /// near 0. NaN where that is not known.
    double margin = 0;
    std::int64_t positions = 0;  ///< that differ in this answer
};

struct DomainFigures {
    std::string domain;
    int prompts = 0;
    std::int64_t tokens = 0;         ///< decoded by `off` in one repetition
    std::vector<ModeFigures> modes;  ///< as SpeculationBench::modes
};

struct SpeculationBench {
    BenchSubject subject;
    int layers = 0;
    int moeLayers = 0;
    int topK = 0;
    std::string device;
    std::string precision;
    bool randomWeights = false;
    std::vector<SpeculationMode> modes;
    std::vector<DomainFigures> domains;  ///< with several, the last one is "all"
    std::int64_t answersCompared = 0;    ///< with the text of `off`
    std::vector<TextDifference> differences;
};

/// Greedy answers to prompts of several domains under every mode in turn, prompt by prompt, so that
/// a slow moment hits all modes alike. Every mode keeps what it learned from prompt to prompt.
SpeculationBench measureSpeculation(const BenchOptions& options);

std::string speculationBenchText(const SpeculationBench& bench, const BenchOptions& options);
std::string speculationBenchJson(const SpeculationBench& bench, const BenchOptions& options);

/// Runs `bench --speculation`. In exact arithmetic a text that differs is a failure.
int benchSpeculation(const BenchOptions& options);

}  // namespace gatescope::cli
