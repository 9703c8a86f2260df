// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/progress.h"
#include "engine/report/document.h"
#include "engine/report/typesetter.h"

namespace gatescope {

/// A line of a table's row. Row 0 holds the titles of the columns, row 1 is the first of the table.
struct TableLine {
    std::size_t row = 0;
    std::size_t line = 0;
    bool operator==(const TableLine&) const = default;
};

/// What of a table stands on one page: the lines before `end`, under the titles again where they
/// are not the first of them.
struct TablePart {
    TableLine begin;
    TableLine end;
    double height = 0;
};

/// A table fitted to a width: how wide its columns are and how many lines each row takes. Holds no
/// text, so that a table of any length takes a few bytes a row. Table and typesetter outlive it.
class TableLayout {
  public:
    /// Throws Error for a row with more cells than the table has columns, Cancelled.
    TableLayout(const DocumentTable& table, const Typesetter& typesetter, double width,
                const Progress& progress);

    TableLine begin() const { return {m_titlesRepeat ? 1U : 0U, 0}; }
    TableLine end() const { return {m_lines.size(), 0}; }
    /// As much from `begin` on as fits; rows stay whole unless they are long. Nothing fits:
    /// part.end == begin. `fresh`: on an empty page, where something is always taken.
    TablePart fit(TableLine begin, double height, bool fresh) const;
    /// The least height of a first part.
    double lead() const;

    void draw(cairo_t* cairo, const TablePart& part, double x, double y) const;

  private:
    struct Column {
        TextStyle style;
        TextStyle titleStyle;
        TextAnchor anchor = TextAnchor::Start;
        double x = 0;
        double width = 0;
    };

    std::string cell(std::size_t row, std::size_t column) const;
    const TextStyle& styleOf(std::size_t row, const Column& column) const;
    std::vector<double> widthsOfContent(const Progress& progress);
    std::vector<double> leastWidths(double most) const;
    void chooseWidths(const std::vector<double>& content, double width);
    void countRowLines(const Progress& progress);
    void scaleLetters(double factor);
    double rowHeight(std::size_t lines) const;
    double titlesHeight() const { return m_titlesRepeat ? rowHeight(m_lines[0]) : 0; }
    using RowLines = std::vector<std::vector<SetLine>>;
    RowLines linesOf(std::size_t row) const;
    void drawRow(cairo_t* cairo, std::size_t row, std::size_t first, std::size_t last,
                 double y) const;

    const DocumentTable& m_table;
    const Typesetter& m_typesetter;
    std::vector<Column> m_columns;
    std::vector<std::uint32_t> m_lines;  ///< of each row
    bool m_titlesRepeat = true;
    double m_width = 0;
    /// The long row drawn last, which goes on on the next page.
    mutable std::size_t m_longRow = static_cast<std::size_t>(-1);
    mutable RowLines m_longRowLines;
};

}  // namespace gatescope
