// SPDX-License-Identifier: Apache-2.0
#include "engine/report/table_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "engine/error.h"
#include "engine/report/inks.h"
#include "engine/report/page_style.h"
#include "engine/report/visible_text.h"

namespace gatescope {
namespace {

constexpr std::size_t kRowsPerReport = 512;
// Rows with more lines may break between two of them.
constexpr std::size_t kWholeLines = 12;
constexpr std::size_t kTitleLines = 12;
constexpr double kSmallestLetters = 6;

double sum(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Between `least` and `wanted`, `all` together: what the others leave is shared equally among
/// those that want more than that.
std::vector<double> shareOut(const std::vector<double>& least, const std::vector<double>& wanted,
                             double all) {
    std::vector<std::size_t> order(least.size());
    std::iota(order.begin(), order.end(), 0);
    const auto wish = [&](std::size_t c) { return wanted[c] - least[c]; };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return wish(a) < wish(b); });
    std::vector<double> widths = least;
    double over = std::max(all - sum(least), 0.0);
    for (std::size_t i = 0; i < order.size(); ++i) {
        const double share = std::min(wish(order[i]), over / static_cast<double>(order.size() - i));
        widths[order[i]] += share;
        over -= share;
    }
    return widths;
}

void report(const Progress& progress, std::size_t row, std::size_t rows) {
    if (progress && row % kRowsPerReport == 0 && !progress("table", row, rows)) {
        throw Cancelled();
    }
}

void rule(cairo_t* cairo, double x, double y, double width, double thickness, Ink ink) {
    const Rgb colour = kLightInks.of(ink);
    cairo_set_source_rgb(cairo, colour.r / 255.0, colour.g / 255.0, colour.b / 255.0);
    cairo_rectangle(cairo, x, y - thickness / 2, width, thickness);
    cairo_fill(cairo);
}

}  // namespace

TableLayout::TableLayout(const DocumentTable& table, const Typesetter& typesetter, double width,
                         const Progress& progress)
    : m_table(table), m_typesetter(typesetter) {
    for (const DocumentColumn& column : table.columns) {
        Column set;
        set.style = kCellStyle;
        set.style.code = column.code;
        set.style.tabularFigures = column.number;
        set.style.size *= column.code ? 0.94 : 1;  // fixed pitch looks larger
        set.titleStyle = kCellStyle;
        set.titleStyle.bold = true;
        set.anchor = column.number ? TextAnchor::End : TextAnchor::Start;
        m_columns.push_back(set);
    }
    m_lines.assign(table.rows.size() + 1, 1);
    chooseWidths(widthsOfContent(progress), width);
    countRowLines(progress);
    m_titlesRepeat = m_lines[0] <= kTitleLines;
}

std::string TableLayout::cell(std::size_t row, std::size_t column) const {
    if (row == 0) {
        return visibleText(m_table.columns[column].title, LineEnds::Kept);
    }
    const std::vector<std::string>& cells = m_table.rows[row - 1];
    return column < cells.size() ? visibleText(cells[column], LineEnds::Kept) : std::string();
}

const TextStyle& TableLayout::styleOf(std::size_t row, const Column& column) const {
    return row == 0 ? column.titleStyle : column.style;
}

std::vector<double> TableLayout::widthsOfContent(const Progress& progress) {
    std::vector<double> widths(m_columns.size(), 0);
    for (std::size_t row = 0; row < m_lines.size(); ++row) {
        report(progress, row, 2 * m_lines.size());
        if (row > 0 && m_table.rows[row - 1].size() > m_columns.size()) {
            throw fileError("report", visibleText(m_table.caption, LineEnds::Folded),
                            fmt::format("row {} has {} cells for {} columns", row,
                                        m_table.rows[row - 1].size(), m_columns.size()));
        }
        for (std::size_t c = 0; c < m_columns.size(); ++c) {
            widths[c] = std::max(
                widths[c], m_typesetter.width(cell(row, c), styleOf(row, m_columns[c])) + 0.1);
        }
    }
    return widths;
}

std::vector<double> TableLayout::leastWidths(double most) const {
    std::vector<double> least(m_columns.size(), 0);
    for (std::size_t row = 0; row < m_lines.size(); ++row) {
        for (std::size_t c = 0; c < m_columns.size(); ++c) {
            if (least[c] < most) {
                const TextStyle& style = styleOf(row, m_columns[c]);
                // Numbers are read in one piece.
                const double width = m_columns[c].style.tabularFigures && row > 0
                                         ? m_typesetter.width(cell(row, c), style)
                                         : m_typesetter.narrowest(cell(row, c), style);
                least[c] = std::min(std::max(least[c], width + 0.1), most);
            }
        }
    }
    return least;
}

void TableLayout::scaleLetters(double factor) {
    for (Column& column : m_columns) {
        for (TextStyle* style : {&column.style, &column.titleStyle}) {
            style->size *= factor;
            style->line *= factor;
        }
    }
}

/// Content that fits keeps its width. Otherwise every column has room for its longest word, and the
/// rest goes to those that want little first, so that only long cells are broken. Letters become
/// smaller where even words do not fit, and then words break.
void TableLayout::chooseWidths(const std::vector<double>& content, double width) {
    if (m_columns.empty()) {
        return;
    }
    const auto count = static_cast<double>(m_columns.size());
    const double gap = std::min(kCellGap, 0.3 * width / count);
    const double all = std::max(width - gap * (count - 1), 1.0);
    std::vector<double> widths = content;
    if (sum(content) > all) {
        std::vector<double> least = leastWidths(std::max(all / count, 0.3 * all));
        const double factor = std::clamp(all / sum(least), kSmallestLetters / kCellStyle.size, 1.0);
        scaleLetters(factor);
        const double squeeze = std::min(all / (sum(least) * factor), 1.0);
        for (std::size_t c = 0; c < widths.size(); ++c) {
            least[c] *= factor * squeeze;
            widths[c] = std::max(content[c] * factor, least[c]);
        }
        widths = shareOut(least, widths, all);
    }
    double x = 0;
    for (std::size_t c = 0; c < widths.size(); ++c) {
        m_columns[c].x = x;
        m_columns[c].width = widths[c];
        x += widths[c] + gap;
    }
    m_width = x - gap;
}

void TableLayout::countRowLines(const Progress& progress) {
    for (std::size_t row = 0; row < m_lines.size(); ++row) {
        report(progress, m_lines.size() + row, 2 * m_lines.size());
        std::size_t most = 1;
        for (std::size_t c = 0; c < m_columns.size(); ++c) {
            const Column& column = m_columns[c];
            most = std::max(most, m_typesetter.countLines(cell(row, c), styleOf(row, column),
                                                          column.width + 0.05));
        }
        m_lines[row] = static_cast<std::uint32_t>(most);
    }
}

double TableLayout::rowHeight(std::size_t lines) const {
    const double line = m_columns.empty() ? kCellStyle.line : m_columns[0].style.line;
    return static_cast<double>(lines) * line + 2 * kCellPad;
}

double TableLayout::lead() const {
    const std::size_t first = begin().row;
    const std::size_t lines =
        first < m_lines.size() ? std::min<std::size_t>(m_lines[first], kWholeLines) : 0;
    return titlesHeight() + (lines > 0 ? rowHeight(lines) : 0);
}

TablePart TableLayout::fit(TableLine begin, double height, bool fresh) const {
    TablePart part{begin, begin, titlesHeight()};
    while (part.end.row < m_lines.size()) {
        const std::size_t lines = m_lines[part.end.row] - part.end.line;
        if (part.height + rowHeight(lines) <= height) {
            part.height += rowHeight(lines);
            part.end = {part.end.row + 1, 0};
            continue;
        }
        const double room = (height - part.height - rowHeight(0)) / (rowHeight(1) - rowHeight(0));
        std::size_t fitting = room > 0 ? static_cast<std::size_t>(room) : 0;
        const bool taken = part.end != begin;
        if (fresh && !taken) {
            fitting = std::max<std::size_t>(fitting, 1);
        } else if (m_lines[part.end.row] <= kWholeLines || fitting < 3) {
            break;
        }
        fitting = std::min(fitting, lines);
        part.height += rowHeight(fitting);
        part.end.line += fitting;
        if (part.end.line == m_lines[part.end.row]) {
            part.end = {part.end.row + 1, 0};
        }
        break;
    }
    return part;
}

TableLayout::RowLines TableLayout::linesOf(std::size_t row) const {
    RowLines lines;
    for (std::size_t c = 0; c < m_columns.size(); ++c) {
        const Column& column = m_columns[c];
        lines.push_back(
            m_typesetter.lines(cell(row, c), styleOf(row, column), column.width + 0.05));
    }
    return lines;
}

void TableLayout::drawRow(cairo_t* cairo, std::size_t row, std::size_t first, std::size_t last,
                          double y) const {
    const Rgb ink = kLightInks.text;
    cairo_set_source_rgb(cairo, ink.r / 255.0, ink.g / 255.0, ink.b / 255.0);
    const bool isLong = m_lines[row] > kWholeLines;
    if (isLong && m_longRow != row) {
        m_longRowLines = linesOf(row);
        m_longRow = row;
    }
    const RowLines own = isLong ? RowLines() : linesOf(row);
    for (std::size_t c = 0; c < m_columns.size(); ++c) {
        const Column& column = m_columns[c];
        const TextStyle& style = styleOf(row, column);
        const std::vector<SetLine>& lines = isLong ? m_longRowLines[c] : own[c];
        const bool end = column.anchor == TextAnchor::End;
        for (std::size_t i = first; i < std::min(last, lines.size()); ++i) {
            const double top = y + kCellPad + static_cast<double>(i - first) * style.line;
            m_typesetter.draw(
                cairo, lines[i], style,
                {.x = column.x + (end ? column.width : 0),
                 .y = top + Typesetter::baseLine(kCellStyle) * style.line / kCellStyle.line,
                 .anchor = column.anchor});
        }
    }
}

void TableLayout::draw(cairo_t* cairo, const TablePart& part, double x, double y) const {
    cairo_save(cairo);
    cairo_translate(cairo, x, y);
    double at = 0;
    if (m_titlesRepeat) {
        drawRow(cairo, 0, 0, m_lines[0], at);
        at += titlesHeight();
    }
    for (TableLine line = part.begin; line != part.end;) {
        const bool whole = line.row < part.end.row;
        const std::size_t last = whole ? m_lines[line.row] : part.end.line;
        if (line != begin()) {
            const bool underTitles = line == part.begin || line.row == 1;
            if (!underTitles) {
                rule(cairo, 0, at, m_width, kThinRule, Ink::Line);
            }
        }
        drawRow(cairo, line.row, line.line, last, at);
        at += rowHeight(last - line.line);
        line = whole ? TableLine{line.row + 1, 0} : part.end;
    }
    rule(cairo, 0, 0, m_width, kRule, Ink::Muted);
    if (m_titlesRepeat) {
        rule(cairo, 0, titlesHeight(), m_width, kRule, Ink::Muted);
    }
    rule(cairo, 0, at, m_width, kRule, Ink::Muted);
    cairo_restore(cairo);
}

}  // namespace gatescope
