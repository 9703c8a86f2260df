// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/cli/options.h"
#include "engine/checkpoint/weight_source.h"
#include "engine/model/decoder.h"

namespace gatescope::cli {

struct BenchOptions {
    CommonOptions common;
    std::string model;
    std::string shape;
    std::string dtype = "bf16";
    int layers = 0;
    int promptTokens = 128;
    int genTokens = 32;
    int depth = 0;
    int repetitions = 3;
    bool operations = false;
    bool speculation = false;
    std::string prompts;  ///< with speculation; empty: the demo model's
    std::string modes;    ///< with speculation; empty: all that the model can
    int perDomain = 4;    ///< prompts; 0: all
    bool json = false;
};

/// What is measured.
struct BenchSubject {
    std::string name;
    std::string dtype;
    std::uint64_t weightBytes = 0;
};

/// Random weights of --shape. Throws Error for a shape there is not.
std::unique_ptr<WeightSource> openShape(const BenchOptions& options, BenchSubject& subject);
std::unique_ptr<Decoder> openDecoder(const WeightSource& source, Device& device,
                                     const DecoderOptions& options, bool quiet);

}  // namespace gatescope::cli
