// SPDX-License-Identifier: Apache-2.0
#include "engine/report/page_setter.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "engine/report/figure_cairo.h"
#include "engine/report/utc_time.h"
#include "engine/report/visible_text.h"

namespace gatescope {
namespace {

constexpr double kNumberWidth = 26;  // of page numbers in the contents
constexpr double kHighestCaption = kTextHeight / 3;

const TextStyle& headingStyle(int level) {
    return level <= 1 ? kSectionStyle : kPartStyle;
}

double gapBefore(int level) {
    return level <= 1 ? 20 : 13;
}

double gapAfter(int level) {
    return level <= 1 ? 5 : 4;
}

/// How many of `left` lines stand on this page where `room` fit: no line alone, neither below nor
/// on the next page.
std::size_t linesOnPage(std::size_t left, std::size_t room, bool fresh) {
    if (left <= room) {
        return left;
    }
    std::size_t lines = left - room == 1 ? room - std::min<std::size_t>(room, 1) : room;
    if (left == 3 || lines < 2) {
        lines = 0;
    }
    return fresh ? std::max<std::size_t>({lines, room, 1}) : lines;
}

}  // namespace

void PageSetter::set() {
    for (const DocumentBlock& block : m_document.blocks) {
        if (const auto* heading = std::get_if<DocumentHeading>(&block)) {
            m_headings.push_back(
                {std::max(heading->level, 1), visibleText(heading->text, LineEnds::Folded), 0, 0});
        }
    }
    setTitle();
    setContents();
    for (m_block = 0; m_block < m_document.blocks.size(); ++m_block) {
        if (m_progress && !m_progress("layout", m_block, m_document.blocks.size())) {
            throw Cancelled();
        }
        std::visit([&](const auto& block) { set(block); }, m_document.blocks[m_block]);
    }
}

std::vector<SetLine> PageSetter::linesOf(const std::string& text, const Column& column) const {
    return m_typesetter.lines(text, column.style, kSideMargin + kTextWidth - column.x);
}

void PageSetter::putRun(const SetLine* first, std::size_t count, const Column& column) {
    const double height = static_cast<double>(count) * column.style.line;
    if (column.barWidth > 0) {
        m_flow.put(
            PlacedBox{{kSideMargin, m_flow.y() + 1, column.barWidth, height - 2, column.bar}});
    }
    double top = m_flow.y();
    for (std::size_t i = 0; i < count; ++i) {
        LinePlace place{.x = column.x, .y = top + Typesetter::baseLine(column.style)};
        if (first[i].rightToLeft) {
            place.x = kSideMargin + kTextWidth;
            place.anchor = TextAnchor::End;
        }
        m_flow.put(PlacedLine{first[i], column.style, place});
        top += column.style.line;
    }
    m_flow.advance(height);
}

void PageSetter::putLines(const std::vector<SetLine>& lines, const Column& column) {
    for (std::size_t done = 0; done < lines.size();) {
        const double room = std::max(m_flow.left() / column.style.line + 1e-6, 0.0);
        const std::size_t count =
            linesOnPage(lines.size() - done, static_cast<std::size_t>(room), m_flow.fresh());
        if (count == 0) {
            m_flow.newPage();
            continue;
        }
        putRun(&lines[done], count, column);
        done += count;
    }
}

void PageSetter::setTitle() {
    const auto put = [&](const std::string& text, const TextStyle& style, double gap) {
        if (!text.empty()) {
            m_flow.gap(gap);
            const Column column{.style = style};
            putLines(linesOf(visibleText(text, LineEnds::Folded), column), column);
        }
    };
    put(m_document.title, kTitleStyle, 0);
    put(m_document.subtitle, kSubtitleStyle, 2);
    const std::string separator = m_document.program.empty() ? "" : " \u00B7 ";
    put(m_document.program + separator + isoUtc(m_document.createdMs), kMetaStyle, 5);
    m_flow.gap(7);
    m_flow.put(PlacedBox{{kSideMargin, m_flow.y(), kTextWidth, kRule, Ink::Line}});
    m_flow.advance(kRule);
}

void PageSetter::setContents() {
    if (m_headings.empty()) {
        return;
    }
    m_flow.gap(gapBefore(1));
    const Column title{.style = kPartStyle};
    putLines(linesOf(visibleText(m_document.contentsTitle, LineEnds::Folded), title), title);
    m_flow.gap(gapAfter(1));
    for (std::size_t i = 0; i < m_headings.size(); ++i) {
        const bool section = m_headings[i].level == 1;
        const TextStyle& style = section ? kContentsSectionStyle : kContentsPartStyle;
        const Column column{.style = style, .x = kSideMargin + (section ? 0 : kListIndent)};
        const double width = kSideMargin + kTextWidth - kNumberWidth - column.x;
        const std::vector<SetLine> lines = m_typesetter.lines(m_headings[i].text, style, width);
        m_flow.gap(section && i > 0 ? 3 : 0);
        m_flow.keep(std::min(static_cast<double>(lines.size()) * style.line, kTextHeight));
        putLines(lines, column);
        const double top = m_flow.y() - style.line;
        m_flow.put(PlacedReference{
            .heading = i,
            .style = style,
            .dotsFrom = column.x + m_typesetter.width(lines.back().text, style) + 4,
            .y = top + Typesetter::baseLine(style),
            .link = {column.x, top, kSideMargin + kTextWidth - column.x, style.line, Ink::Text}});
    }
    m_flow.gap(gapBefore(1));
}

void PageSetter::set(const DocumentHeading&) {
    PageHeading& heading = m_headings[m_heading];
    const Column column{.style = headingStyle(heading.level)};
    const std::vector<SetLine> lines = linesOf(heading.text, column);
    m_flow.gap(gapBefore(heading.level));
    const double height = static_cast<double>(lines.size()) * column.style.line;
    m_flow.keep(std::min(height + gapAfter(heading.level) + lead(m_block + 1), kTextHeight));
    heading.page = m_flow.page();
    heading.y = m_flow.y();
    m_flow.put(PlacedTarget{m_heading, heading.y});
    putLines(lines, column);
    m_flow.gap(gapAfter(heading.level));
    ++m_heading;
}

void PageSetter::set(const DocumentParagraph& paragraph) {
    Column column{.style = paragraph.kind == ParagraphKind::Note ? kNoteStyle : kBodyStyle};
    if (paragraph.kind == ParagraphKind::Warning) {
        column.x += kBarIndent;
        column.bar = Ink::Accent;
        column.barWidth = kBarWidth;
    }
    putLines(linesOf(visibleText(paragraph.text, LineEnds::Kept), column), column);
    m_flow.gap(paragraph.kind == ParagraphKind::Warning ? kBlockGap + 2 : kBlockGap);
}

void PageSetter::set(const DocumentList& list) {
    const Column column{.style = kBodyStyle, .x = kSideMargin + kListIndent};
    for (const std::string& item : list.items) {
        std::vector<SetLine> lines = linesOf(visibleText(item, LineEnds::Kept), column);
        m_flow.keep(column.style.line *
                    (lines.size() > 3 ? 2.0 : static_cast<double>(lines.size())));
        m_flow.put(PlacedLine{
            {"\u2022"},
            column.style,
            {.x = kSideMargin + 3, .y = m_flow.y() + Typesetter::baseLine(column.style)}});
        putLines(lines, column);
        m_flow.gap(kListGap);
    }
    m_flow.gap(kBlockGap);
}

double PageSetter::captionHeight(const std::string& caption, const TextStyle& style) const {
    if (caption.empty()) {
        return 0;
    }
    const auto lines =
        m_typesetter.countLines(visibleText(caption, LineEnds::Folded), style, kTextWidth);
    return static_cast<double>(lines) * style.line + kCaptionGap;
}

void PageSetter::setCaption(const std::string& caption, double keptBelow) {
    m_flow.gap(kBlockGap + 2);
    m_flow.keep(std::min(captionHeight(caption, kCaptionStyle) + keptBelow, kTextHeight));
    if (!caption.empty()) {
        const Column column{.style = kCaptionStyle};
        putLines(linesOf(visibleText(caption, LineEnds::Folded), column), column);
        m_flow.gap(kCaptionGap);
    }
}

std::shared_ptr<const TableLayout> PageSetter::tableAt(const DocumentTable& table) {
    std::shared_ptr<const TableLayout>& layout = m_tables[&table];
    if (!layout) {
        layout = std::make_shared<TableLayout>(table, m_typesetter, kTextWidth, m_progress);
    }
    return layout;
}

void PageSetter::set(const DocumentTable& table) {
    const std::shared_ptr<const TableLayout> layout = tableAt(table);
    setCaption(table.caption, layout->lead());
    if (table.columns.empty()) {
        return;
    }
    TableLine next = layout->begin();
    do {
        const TablePart part = layout->fit(next, m_flow.left(), m_flow.fresh());
        if (part.end == next && next != layout->end()) {
            m_flow.newPage();
            continue;
        }
        m_flow.put(PlacedTable{layout, part, m_flow.y()});
        m_flow.advance(part.height);
        next = part.end;
    } while (next != layout->end());
    m_flow.gap(kBlockGap + 4);
}

double PageSetter::figureScale(const Figure& figure, double captionHeight) {
    const double height = kTextHeight - (captionHeight <= kHighestCaption ? captionHeight : 0);
    return std::min({1.0, kTextWidth / figure.width, height / figure.height});
}

void PageSetter::set(const DocumentFigure& block) {
    checkFigure(block.figure);
    m_flow.gap(kBlockGap + 2);
    if (block.figure.width > 0 && block.figure.height > 0) {
        const double below = captionHeight(block.caption, kFigureCaptionStyle);
        const double scale = figureScale(block.figure, below);
        const double height = block.figure.height * scale;
        m_flow.keep(height + (below <= kHighestCaption ? below : 0) - 1e-6);
        m_flow.put(PlacedFigure{&block.figure, kSideMargin, m_flow.y(), scale});
        m_flow.advance(height);
        m_flow.gap(kCaptionGap);
    }
    if (!block.caption.empty()) {
        const Column column{.style = kFigureCaptionStyle};
        putLines(linesOf(visibleText(block.caption, LineEnds::Folded), column), column);
    }
    m_flow.gap(kBlockGap + 4);
}

void PageSetter::set(const DocumentVerbatim& verbatim) {
    const Column column{
        .style = kCodeStyle, .x = kSideMargin + kBarIndent, .barWidth = kThinBarWidth};
    std::string text = visibleText(verbatim.text, LineEnds::Kept);
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    setCaption(verbatim.caption, 2 * kCodeStyle.line);
    putLines(linesOf(text, column), column);
    m_flow.gap(kBlockGap + 2);
}

double PageSetter::lead(std::size_t index) {
    if (index >= m_document.blocks.size()) {
        return 0;
    }
    const DocumentBlock& block = m_document.blocks[index];
    if (const auto* heading = std::get_if<DocumentHeading>(&block)) {
        const TextStyle& style = headingStyle(heading->level);
        return gapBefore(heading->level) + style.line + gapAfter(heading->level) + lead(index + 1);
    }
    if (const auto* table = std::get_if<DocumentTable>(&block)) {
        return kBlockGap + captionHeight(table->caption, kCaptionStyle) + tableAt(*table)->lead();
    }
    if (const auto* figure = std::get_if<DocumentFigure>(&block)) {
        checkFigure(figure->figure);
        const double below = captionHeight(figure->caption, kFigureCaptionStyle);
        const double height = figure->figure.height;
        return kBlockGap + below + (height > 0 ? height * figureScale(figure->figure, below) : 0);
    }
    if (const auto* verbatim = std::get_if<DocumentVerbatim>(&block)) {
        return kBlockGap + captionHeight(verbatim->caption, kCaptionStyle) + 2 * kCodeStyle.line;
    }
    return 3 * kBodyStyle.line;
}

}  // namespace gatescope
