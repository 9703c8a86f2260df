// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace gatescope::cli {

/// Lines of cells under a header: the first column left, the others right-aligned.
class TextTable {
  public:
    explicit TextTable(std::vector<std::string> header) { add(std::move(header)); }
    void add(std::vector<std::string> row) { m_rows.push_back(std::move(row)); }
    std::string text() const {
        std::string out;
        for (const auto& row : m_rows) {
            std::string line;
            for (std::size_t column = 0; column < row.size(); ++column) {
                line += column == 0 ? fmt::format("{:<{}}", row[column], width(column))
                                    : fmt::format("  {:>{}}", row[column], width(column));
            }
            line.erase(line.find_last_not_of(' ') + 1);
            out += line + "\n";
        }
        return out;
    }

  private:
    std::size_t width(std::size_t column) const {
        std::size_t width = 0;
        for (const auto& row : m_rows) width = std::max(width, columns(row[column]));
        return width;
    }
    /// Code points: fmt pads by them, wide characters being rare in these tables.
    static std::size_t columns(const std::string& text) {
        std::size_t points = 0;
        for (const char c : text) points += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
        return points;
    }

    std::vector<std::vector<std::string>> m_rows;
};

}  // namespace gatescope::cli
