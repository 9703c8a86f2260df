// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "engine/model/loaded_model.h"

namespace gatescope {

/// Adds where and how a model runs (--device, --threads, --precision, --cache-type, --max-context,
/// --experts-on-cpu) to a command line of either program. `options` must outlive the parsing.
void addLoadOptions(CLI::App& command, LoadOptions& options, const std::string& group);

/// What the device asked for does not have, in one sentence; empty if all is well. Said before any
/// file is opened.
std::string loadProblem(const LoadOptions& options);

}  // namespace gatescope
