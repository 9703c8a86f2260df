// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/routing_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gatescope::cli {
namespace {

constexpr unsigned bit(Phase phase) {
    return 1U << static_cast<unsigned>(phase);
}
constexpr unsigned kOutput = bit(Phase::Prefill) | bit(Phase::Decode);

/// Rejected drafts were read but are no output; the MTP layer's positions are all drafts.
unsigned phasesOf(const RoutingLoad& load, int row) {
    return load.layerOfRow(row) == load.shape.mtpLayer ? bit(Phase::Draft) : kOutput;
}

/// Viridis as far as 256-colour terminals have it: from purple to yellow, each lighter than the
/// last.
constexpr std::array<int, 9> kViridis{53, 54, 24, 30, 36, 71, 77, 149, 220};
constexpr std::string_view kShades = " .:-=+*#%@";
constexpr int kLabelColumns = 6;    // "L 12  "
constexpr int kNumberColumns = 32;  // behind each row

/// Which of `steps` equal parts of 0..1 a share falls into, ends included.
std::size_t stepOf(double share, std::size_t steps) {
    return static_cast<std::size_t>(
        std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(steps - 1)));
}

/// Tokens below which an expert of a uniform router may well stay unused by chance:
/// (1 - k/E)^n <= 0.05 / E.
std::int64_t tokensToCallUnused(const RoutingShape& shape) {
    if (shape.topK >= shape.experts) return 1;
    const double missed = 1 - static_cast<double>(shape.topK) / shape.experts;
    return static_cast<std::int64_t>(std::ceil(std::log(0.05 / shape.experts) / std::log(missed)));
}

struct Busiest {
    int row = -1;
    int expert = 0;
    double load = 0;
};

/// Over the main model's layers.
Busiest findBusiest(const RoutingLoad& load) {
    Busiest best;
    for (int row = 0; row < static_cast<int>(load.shape.layers.size()); ++row) {
        if (load.tokens(row, kOutput) == 0) continue;
        for (int expert = 0; expert < load.shape.experts; ++expert) {
            const double relative = load.relativeLoad(row, expert, kOutput);
            if (best.row < 0 || relative > best.load) best = {row, expert, relative};
        }
    }
    return best;
}

/// How the experts of a row are put in cells.
struct Cells {
    int count = 0;
    int experts = 1;  ///< per cell; it shows the largest of them
    int width = 1;    ///< characters
};

Cells layOut(const RoutingShape& shape, int columns) {
    const int room = std::max(8, columns - kLabelColumns - kNumberColumns);
    Cells cells;
    cells.experts = (shape.experts + room - 1) / room;
    cells.count = (shape.experts + cells.experts - 1) / cells.experts;
    cells.width = cells.count * 2 <= room ? 2 : 1;
    return cells;
}

double cellLoad(const RoutingLoad& load, int row, int cell, const Cells& cells) {
    const unsigned phases = phasesOf(load, row);
    const int end = std::min(load.shape.experts, (cell + 1) * cells.experts);
    double largest = 0;
    for (int expert = cell * cells.experts; expert < end; ++expert) {
        largest = std::max(largest, load.relativeLoad(row, expert, phases));
    }
    return largest;
}

std::string drawCell(double share, int width, bool colour) {
    if (!colour) {
        return std::string(static_cast<std::size_t>(width), kShades[stepOf(share, kShades.size())]);
    }
    return fmt::format("\x1b[48;5;{}m{:{}}", kViridis[stepOf(share, kViridis.size())], "", width);
}

std::string drawRow(const RoutingLoad& load, int row, const Cells& cells, double top, bool colour) {
    const int layer = load.layerOfRow(row);
    const unsigned phases = phasesOf(load, row);
    const std::int64_t n = load.tokens(row, phases);
    std::string line = layer == load.shape.mtpLayer ? "MTP   " : fmt::format("L {:<4}", layer);
    if (n == 0) return line + "no tokens yet\n";
    for (int cell = 0; cell < cells.count; ++cell) {
        line += drawCell(cellLoad(load, row, cell, cells) / top, cells.width, colour);
    }
    if (colour) line += "\x1b[0m";
    return line + fmt::format("  {:>6.2f} {:>8.2f} {:>8}\n", load.maxVio(row, phases),
                              uniformMaxVio(load.shape.experts, load.shape.topK, n), n);
}

}  // namespace

std::string routingLine(const RoutingLoad& load) {
    const Busiest busiest = findBusiest(load);
    if (busiest.row < 0) return {};
    const std::int64_t n = load.tokens(busiest.row, kOutput);
    return fmt::format(
        "busiest: layer {} expert {}, {:.1f} x its fair share; MaxVio there {:.2f} "
        "(n {}, uniform router {:.2f})",
        load.layerOfRow(busiest.row), busiest.expert, busiest.load,
        load.maxVio(busiest.row, kOutput), n,
        uniformMaxVio(load.shape.experts, load.shape.topK, n));
}

std::string routingMap(const RoutingLoad& load, const MapStyle& style) {
    if (load.rows() == 0) return "This model has no routed layers.\n";
    const Cells cells = layOut(load.shape, style.columns);
    double top = 2;  // a range of its own would make chance look like structure
    for (int row = 0; row < load.rows(); ++row) {
        if (load.tokens(row, phasesOf(load, row)) == 0) continue;
        for (int cell = 0; cell < cells.count; ++cell) {
            top = std::max(top, cellLoad(load, row, cell, cells));
        }
    }
    const int width = std::max(cells.count * cells.width, 8);
    std::string map = fmt::format("{:<6}{:<{}}  {:>6} {:>8} {:>8}\n", "layer", "experts", width,
                                  "MaxVio", "uniform", "n");
    for (int row = 0; row < load.rows(); ++row) {
        map += drawRow(load, row, cells, top, style.colour);
    }
    map += "load ";
    for (int step = 0; step <= 8; ++step) map += drawCell(step / 8.0, 2, style.colour);
    if (style.colour) map += "\x1b[0m";
    map += fmt::format(" 0 to {:.1f} x the fair share c E / (n k)", top);
    if (cells.experts > 1) map += fmt::format("; a cell is the largest of {}", cells.experts);
    map +=
        "\nMaxVio = max load / mean load - 1; uniform: its mean for a router choosing at random\n";
    const std::int64_t enough = tokensToCallUnused(load.shape);
    if (load.tokens(0, kOutput) < enough) {
        map += fmt::format("Below n = {} an unused expert may be chance.\n", enough);
    }
    return map;
}

}  // namespace gatescope::cli
