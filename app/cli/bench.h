// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "app/cli/options.h"

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
    bool json = false;
};

/// What is measured.
struct BenchSubject {
    std::string name;
    std::string dtype;
    std::uint64_t weightBytes = 0;
};

}  // namespace gatescope::cli
