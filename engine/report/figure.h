// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gatescope {

/// What a colour is for. Ink and lines follow the theme of the page; quantities do not.
enum class Ink : std::uint8_t {
    Text,
    Muted,   ///< axes' letters, notes
    Line,    ///< axes, frames
    Accent,  ///< bars and curves
    Second,  ///< the other curve
    NoData,  ///< too little data
};

struct Rgb {
    std::uint8_t r = 0;
    std::uint8_t g = 0;
    std::uint8_t b = 0;
    bool operator==(const Rgb&) const = default;
    auto operator<=>(const Rgb&) const = default;
};

using Colour = std::variant<Ink, Rgb>;

struct FigurePoint {
    double x = 0;
    double y = 0;
};

struct FigureRect {
    double x = 0, y = 0, width = 0, height = 0;
    Colour fill = Ink::Accent;
};

struct FigureLine {
    std::vector<FigurePoint> points;
    Colour stroke = Ink::Line;
    double width = 0.75;
    bool dashed = false;
};

enum class TextAnchor : std::uint8_t { Start, Middle, End };

struct FigureText {
    double x = 0, y = 0;  ///< of the base line
    std::string text;
    double size = 8;
    TextAnchor anchor = TextAnchor::Start;
    Colour fill = Ink::Muted;
    bool upwards = false;  ///< turned a quarter, reading from bottom to top
};

/// Cells of one size, row by row from the top. Equal colours are drawn as one path.
struct FigureGrid {
    double x = 0, y = 0;
    double cellWidth = 0, cellHeight = 0;
    int rows = 0, columns = 0;
    std::vector<Colour> cells;  ///< [rows * columns]
    /// What a page with a script can tell about a cell: name of the map in the report's data,
    /// empty for none.
    std::string map;
};

using FigureItem = std::variant<FigureRect, FigureLine, FigureText, FigureGrid>;

/// A drawing, in points (1/72 inch), y downwards. Writers: SVG, Cairo.
struct Figure {
    double width = 0;
    double height = 0;
    std::string title;  ///< for those who cannot see it
    std::vector<FigureItem> items;
};

}  // namespace gatescope
