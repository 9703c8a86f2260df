// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "engine/report/page_style.h"
#include "engine/report/table_layout.h"

namespace gatescope {

struct PlacedLine {
    SetLine line;
    TextStyle style;
    LinePlace place;
};

/// A filled rectangle: a rule, a bar beside text.
struct PlacedBox {
    FigureRect box;
};

struct PlacedFigure {
    const Figure* figure = nullptr;
    double x = 0;
    double y = 0;
    double scale = 1;
};

struct PlacedTable {
    std::shared_ptr<const TableLayout> table;
    TablePart part;
    double y = 0;
};

/// What the contents say about a heading: its page, dots on the way there, and a link.
struct PlacedReference {
    std::size_t heading = 0;
    TextStyle style;
    double dotsFrom = 0;
    double y = 0;     ///< of the base line
    FigureRect link;  ///< what can be clicked
};

/// The place that links to a heading lead to.
struct PlacedTarget {
    std::size_t heading = 0;
    double y = 0;
};

using PageItem =
    std::variant<PlacedLine, PlacedBox, PlacedFigure, PlacedTable, PlacedReference, PlacedTarget>;

/// Puts things below each other, page after page. Gaps between blocks vanish at the top of a page.
class PageFlow {
  public:
    std::size_t page() const { return m_pages.size() - 1; }
    /// From the top of the paper to where the next thing begins, gap included.
    double y() const { return m_y + m_gap; }
    double left() const { return kTextBottom - y(); }
    bool fresh() const { return m_fresh; }

    /// At least this much room before the next thing.
    void gap(double height);
    /// Goes to a new page unless so much fits on this one.
    void keep(double height);
    void newPage();
    /// Takes the height for what was put at y().
    void advance(double height);
    void put(PageItem item) { m_pages.back().push_back(std::move(item)); }

    std::vector<std::vector<PageItem>> take() { return std::move(m_pages); }

  private:
    std::vector<std::vector<PageItem>> m_pages{1};
    double m_y = kTopMargin;
    double m_gap = 0;
    bool m_fresh = true;
};

}  // namespace gatescope
