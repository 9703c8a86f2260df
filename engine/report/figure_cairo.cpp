// SPDX-License-Identifier: Apache-2.0
#include "engine/report/figure_cairo.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <numbers>

#include "engine/error.h"
#include "engine/report/inks.h"
#include "engine/report/visible_text.h"

namespace gatescope {
namespace {

// Cairo's own coordinates end at 2^23.
constexpr double kFarthest = 1e5;
// Cells reach under their neighbours to the right and below: otherwise paper shines through the
// seams wherever a viewer smooths edges.
constexpr double kUnderlap = 0.08;

Rgb printed(const Colour& colour) {
    const Rgb* rgb = std::get_if<Rgb>(&colour);
    return rgb ? *rgb : kLightInks.of(std::get<Ink>(colour));
}

void setSource(cairo_t* cairo, const Colour& colour) {
    const Rgb rgb = printed(colour);
    cairo_set_source_rgb(cairo, rgb.r / 255.0, rgb.g / 255.0, rgb.b / 255.0);
}

class FigureChecker {
  public:
    explicit FigureChecker(const Figure& figure) : m_figure(figure) {}

    void check() const {
        numbers({m_figure.width, m_figure.height});
        for (const FigureItem& item : m_figure.items) {
            std::visit([&](const auto& part) { check(part); }, item);
        }
    }

  private:
    Error error(const std::string& cause) const {
        const std::string title = visibleText(m_figure.title, LineEnds::Folded);
        return fileError("report", "figure \"" + title + "\"", cause);
    }
    void numbers(std::initializer_list<double> values) const {
        for (const double value : values) {
            if (!(std::abs(value) <= kFarthest)) {
                throw error(fmt::format("{} is no place on a page", value));
            }
        }
    }
    void check(const FigureRect& rect) const { numbers({rect.x, rect.y, rect.width, rect.height}); }
    void check(const FigureText& text) const { numbers({text.x, text.y, text.size}); }
    void check(const FigureLine& line) const {
        numbers({line.width});
        for (const FigurePoint& point : line.points) {
            numbers({point.x, point.y});
        }
    }
    void check(const FigureGrid& grid) const {
        numbers({grid.x, grid.y, grid.cellWidth, grid.cellHeight, grid.cellWidth * grid.columns,
                 grid.cellHeight * grid.rows});
        const auto rows = static_cast<std::size_t>(std::max(grid.rows, 0));
        const auto columns = static_cast<std::size_t>(std::max(grid.columns, 0));
        if (grid.cells.size() != rows * columns) {
            throw error(fmt::format("a grid of {} x {} has {} cells", grid.rows, grid.columns,
                                    grid.cells.size()));
        }
    }

    const Figure& m_figure;
};

/// A run of cells of one colour in a row.
struct CellRun {
    Rgb colour;
    int row = 0;
    int column = 0;
    int length = 0;
};

std::vector<CellRun> runsOf(const FigureGrid& grid) {
    std::vector<CellRun> runs;
    std::size_t i = 0;
    for (int row = 0; row < grid.rows; ++row) {
        for (int column = 0; column < grid.columns; ++column) {
            const Rgb colour = printed(grid.cells[i++]);
            if (column > 0 && runs.back().colour == colour) {
                ++runs.back().length;
            } else {
                runs.push_back({colour, row, column, 1});
            }
        }
    }
    std::stable_sort(runs.begin(), runs.end(),
                     [](const CellRun& a, const CellRun& b) { return a.colour < b.colour; });
    return runs;
}

Rgb meanColour(const FigureGrid& grid) {
    std::array<double, 3> sums{};
    for (const Colour& cell : grid.cells) {
        const Rgb rgb = printed(cell);
        sums[0] += rgb.r;
        sums[1] += rgb.g;
        sums[2] += rgb.b;
    }
    const auto mean = [&](double sum) {
        return static_cast<std::uint8_t>(sum / static_cast<double>(grid.cells.size()));
    };
    return {mean(sums[0]), mean(sums[1]), mean(sums[2])};
}

void draw(cairo_t* cairo, const FigureGrid& grid, const Typesetter&) {
    if (grid.cells.empty()) {
        return;
    }
    // Behind the cells, so that what still shows between them is no lighter than they are.
    setSource(cairo, meanColour(grid));
    cairo_rectangle(cairo, grid.x, grid.y, grid.cellWidth * grid.columns,
                    grid.cellHeight * grid.rows);
    cairo_fill(cairo);
    const std::vector<CellRun> runs = runsOf(grid);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const CellRun& run = runs[i];
        const bool lastColumn = run.column + run.length == grid.columns;
        const bool lastRow = run.row + 1 == grid.rows;
        cairo_rectangle(cairo, grid.x + run.column * grid.cellWidth,
                        grid.y + run.row * grid.cellHeight,
                        (run.length + (lastColumn ? 0 : kUnderlap)) * grid.cellWidth,
                        (1 + (lastRow ? 0 : kUnderlap)) * grid.cellHeight);
        if (i + 1 == runs.size() || runs[i + 1].colour != run.colour) {
            setSource(cairo, run.colour);
            cairo_fill(cairo);
        }
    }
}

void draw(cairo_t* cairo, const FigureRect& rect, const Typesetter&) {
    setSource(cairo, rect.fill);
    cairo_rectangle(cairo, rect.x, rect.y, rect.width, rect.height);
    cairo_fill(cairo);
}

void draw(cairo_t* cairo, const FigureLine& line, const Typesetter&) {
    if (line.points.empty() || line.width <= 0) {
        return;
    }
    setSource(cairo, line.stroke);
    cairo_set_line_width(cairo, line.width);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    const std::array<double, 2> dashes = {3, 2};
    cairo_set_dash(cairo, dashes.data(), line.dashed ? 2 : 0, 0);
    for (const FigurePoint& point : line.points) {
        cairo_line_to(cairo, point.x, point.y);
    }
    cairo_stroke(cairo);
}

void draw(cairo_t* cairo, const FigureText& text, const Typesetter& typesetter) {
    if (text.size <= 0 || text.text.empty()) {
        return;
    }
    setSource(cairo, text.fill);
    cairo_save(cairo);
    cairo_translate(cairo, text.x, text.y);
    if (text.upwards) {
        cairo_rotate(cairo, -std::numbers::pi / 2);
    }
    const TextStyle style{.size = text.size, .line = text.size, .tabularFigures = true};
    typesetter.draw(cairo, {visibleText(text.text, LineEnds::Folded)}, style,
                    {.anchor = text.anchor});
    cairo_restore(cairo);
}

}  // namespace

void checkFigure(const Figure& figure) {
    FigureChecker(figure).check();
}

void drawFigure(cairo_t* cairo, const Figure& figure, const Typesetter& typesetter) {
    checkFigure(figure);
    for (const FigureItem& item : figure.items) {
        cairo_save(cairo);
        cairo_new_path(cairo);
        std::visit([&](const auto& part) { draw(cairo, part, typesetter); }, item);
        cairo_restore(cairo);
    }
}

}  // namespace gatescope
