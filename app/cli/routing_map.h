// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/analysis/routing_load.h"

namespace gatescope::cli {

/// One line: the busiest expert, and MaxVio of its layer with n and what a uniform router has.
/// Empty without routing.
std::string routingLine(const RoutingLoad& load);

struct MapStyle {
    bool colour = true;  ///< 256-colour blocks; else characters
    int columns = 80;
};

/// Layers by experts as relative load: 1 is the fair share. Prompt and answer positions; the MTP
/// layer's row counts its own. Ends with the definition, n and the uniform baseline per row.
std::string routingMap(const RoutingLoad& load, const MapStyle& style);

}  // namespace gatescope::cli
