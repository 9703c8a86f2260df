// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/progress.h"
#include "engine/report/document.h"
#include "engine/report/page_flow.h"
#include "engine/report/page_layout.h"
#include "engine/report/typesetter.h"

namespace gatescope {

/// Puts a document's blocks on pages, one after the other. Holds references to what it is given.
class PageSetter {
  public:
    PageSetter(const Document& document, const Typesetter& typesetter, const Progress& progress)
        : m_document(document), m_typesetter(typesetter), m_progress(progress) {}

    /// Once. Throws Error, Cancelled.
    void set();

    std::vector<std::vector<PageItem>> takePages() { return m_flow.take(); }
    std::vector<PageHeading> takeHeadings() { return std::move(m_headings); }

  private:
    /// What lines of a text have in common.
    struct Column {
        TextStyle style;
        double x = kSideMargin;
        Ink bar = Ink::Line;
        double barWidth = 0;  ///< along the left margin; 0: none
    };

    void setTitle();
    void setContents();
    void set(const DocumentHeading& heading);
    void set(const DocumentParagraph& paragraph);
    void set(const DocumentList& list);
    void set(const DocumentTable& table);
    void set(const DocumentFigure& figure);
    void set(const DocumentVerbatim& verbatim);
    void setCaption(const std::string& caption, double keptBelow);
    void putLines(const std::vector<SetLine>& lines, const Column& column);
    void putRun(const SetLine* first, std::size_t count, const Column& column);
    std::vector<SetLine> linesOf(const std::string& text, const Column& column) const;

    /// The least height of the part of block `index` that may stand at the foot of a page.
    double lead(std::size_t index);
    std::shared_ptr<const TableLayout> tableAt(const DocumentTable& table);
    double captionHeight(const std::string& caption, const TextStyle& style) const;
    static double figureScale(const Figure& figure, double captionHeight);

    const Document& m_document;
    const Typesetter& m_typesetter;
    const Progress& m_progress;
    PageFlow m_flow;
    std::vector<PageHeading> m_headings;
    std::map<const DocumentTable*, std::shared_ptr<const TableLayout>> m_tables;
    std::size_t m_block = 0;
    std::size_t m_heading = 0;
};

}  // namespace gatescope
