// SPDX-License-Identifier: GPL-3.0-or-later
// Where the transcript's tokens stand and what is painted under and over the text.
#include <QAbstractTextDocumentLayout>
#include <QPainter>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextLayout>
#include <algorithm>
#include <cmath>

#include "views/theme.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

QColor withAlpha(QColor colour, double alpha) {
    colour.setAlphaF(static_cast<float>(alpha));
    return colour;
}

}  // namespace

std::vector<QRectF> TranscriptView::rects(const Span& span) const {
    std::vector<QRectF> places;
    const QPointF scroll(horizontalScrollBar()->value(), verticalScrollBar()->value());
    const int end = span.start + span.length;
    for (QTextBlock block = document()->findBlock(span.start);
         block.isValid() && block.position() <= end; block = block.next()) {
        const QPointF origin =
            document()->documentLayout()->blockBoundingRect(block).topLeft() - scroll;
        const QTextLayout* layout = block.layout();
        const int from = std::max(span.start - block.position(), 0);
        const int to = std::min(end - block.position(), block.length() - 1);
        for (int i = 0; i < layout->lineCount(); ++i) {
            const QTextLine line = layout->lineAt(i);
            const int lineEnd = line.textStart() + line.textLength();
            const int first = std::max(from, line.textStart());
            const int last = std::min(to, lineEnd);
            const bool emptySpan = from == to && from >= line.textStart() && from <= lineEnd;
            if (first >= last && !emptySpan) {
                continue;
            }
            const double x1 = line.cursorToX(first);
            const double x2 = line.cursorToX(last);
            // Ascent and descent, not the line's height: that includes the line spacing.
            const QRectF place(std::min(x1, x2),
                               line.y() + line.height() - line.descent() - line.ascent(),
                               std::max(std::abs(x2 - x1), 3.0), line.ascent() + line.descent());
            places.push_back(place.translated(origin));
            if (emptySpan) {
                break;
            }
        }
    }
    return places;
}

QRect TranscriptView::tokenRect(std::int32_t position) const {
    const Span* span = spanOf(position);
    if (span == nullptr) {
        return {};
    }
    const std::vector<QRectF> places = rects(*span);
    return places.empty() ? QRect() : places.front().toAlignedRect();
}

const TranscriptView::Span* TranscriptView::spanAt(const QPoint& viewportPoint) const {
    const QPointF scroll(horizontalScrollBar()->value(), verticalScrollBar()->value());
    const int at = document()->documentLayout()->hitTest(viewportPoint + scroll, Qt::FuzzyHit);
    if (at < 0 || m_spans.empty()) {
        return nullptr;
    }
    auto after = std::upper_bound(m_spans.begin(), m_spans.end(), at,
                                  [](int wanted, const Span& span) { return wanted < span.start; });
    // hitTest() rounds to the nearer edge of a character, so the token before may be the one.
    for (int tries = 0; tries < 3 && after != m_spans.begin(); ++tries) {
        --after;
        for (const QRectF& place : rects(*after)) {
            if (after->length > 0 && place.adjusted(0, -2, 0, 3).contains(viewportPoint)) {
                return &*after;
            }
        }
    }
    return nullptr;
}

int TranscriptView::neighbourLine(int index, int direction) const {
    const std::vector<QRectF> here = rects(m_spans[static_cast<std::size_t>(index)]);
    if (here.empty()) {
        return index + direction;
    }
    const double x = here.front().center().x();
    int best = index;
    double lineTop = here.front().top();
    bool found = false;
    for (int i = index + direction; i >= 0 && i < static_cast<int>(m_spans.size());
         i += direction) {
        const std::vector<QRectF> places = rects(m_spans[static_cast<std::size_t>(i)]);
        if (places.empty() || std::abs(places.front().top() - here.front().top()) < 1) {
            continue;
        }
        if (!found) {
            lineTop = places.front().top();
            best = i;
            found = true;
        } else if (std::abs(places.front().top() - lineTop) >= 1) {
            break;
        }
        const std::vector<QRectF> bestPlaces = rects(m_spans[static_cast<std::size_t>(best)]);
        if (std::abs(places.front().center().x() - x) <
            std::abs(bestPlaces.front().center().x() - x)) {
            best = i;
        }
    }
    return best;
}

/// The tokens that may touch `clip`: [first, last).
std::pair<std::size_t, std::size_t> TranscriptView::visibleSpans(const QRect& clip) const {
    const QPointF scroll(horizontalScrollBar()->value(), verticalScrollBar()->value());
    const auto* layout = document()->documentLayout();
    const int from = layout->hitTest(QPointF(0, clip.top() - 2 * kGrid) + scroll, Qt::FuzzyHit);
    const int to = layout->hitTest(QPointF(viewport()->width(), clip.bottom() + 2 * kGrid) + scroll,
                                   Qt::FuzzyHit);
    const auto byStart = [](const Span& span, int wanted) { return span.start < wanted; };
    auto first = std::lower_bound(m_spans.begin(), m_spans.end(), from, byStart);
    if (first != m_spans.begin()) {
        --first;  // may reach into the clip from before
    }
    const auto last = std::lower_bound(m_spans.begin(), m_spans.end(), to + 1, byStart);
    return {static_cast<std::size_t>(first - m_spans.begin()),
            static_cast<std::size_t>(last - m_spans.begin())};
}

void TranscriptView::paintEvent(QPaintEvent* event) {
    {
        QPainter painter(viewport());
        painter.setRenderHint(QPainter::Antialiasing);
        paintGround(painter, event->rect());
    }
    QTextEdit::paintEvent(event);
    QPainter painter(viewport());
    painter.setRenderHint(QPainter::Antialiasing);
    paintOver(painter, event->rect());
}

void TranscriptView::paintGround(QPainter& painter, const QRect& clip) const {
    const ThemeColours colours = themeColours(palette());
    const auto* layout = document()->documentLayout();
    const double scroll = verticalScrollBar()->value();
    painter.setPen(Qt::NoPen);
    for (std::size_t i = 0; i < m_turns.size(); ++i) {
        if (m_turns[i].turn != Turn::User) {
            continue;
        }
        const QRectF top = layout->blockBoundingRect(document()->findBlock(m_turns[i].start));
        const int end =
            i + 1 < m_turns.size() ? m_turns[i + 1].start - 1 : document()->characterCount() - 1;
        const QRectF bottom = layout->blockBoundingRect(document()->findBlock(end));
        const QRectF panel(2 * kGrid, top.top() - scroll - 6, viewport()->width() - 4 * kGrid,
                           bottom.bottom() - top.top() + 12);
        if (panel.bottom() < clip.top() || panel.top() > clip.bottom()) {
            continue;
        }
        painter.setBrush(withAlpha(colours.neutral, 0.16));
        painter.drawRoundedRect(panel, 6, 6);
    }
    if (m_marked.empty()) {
        return;
    }
    painter.setBrush(withAlpha(colours.accent, isDark(palette()) ? 0.42 : 0.26));
    const auto [first, last] = visibleSpans(clip);
    for (std::size_t i = first; i < last; ++i) {
        if (isMarked(m_spans[i].position)) {
            for (const QRectF& place : rects(m_spans[i])) {
                painter.drawRoundedRect(place.adjusted(0.5, 0, -0.5, 1), 2, 2);
            }
        }
    }
}

void TranscriptView::paintDraft(QPainter& painter, TokenEvent::Draft draft,
                                const QRectF& place) const {
    const ThemeColours colours = themeColours(palette());
    const double y = std::round(place.bottom()) + 1;
    if (draft == TokenEvent::Draft::Bonus) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(colours.muted);
        painter.drawEllipse(QPointF(place.center().x(), y), 1.5, 1.5);
        return;
    }
    painter.setPen(QPen(draft == TokenEvent::Draft::Accepted ? colours.accepted : colours.rejected,
                        2, Qt::SolidLine, Qt::FlatCap));
    painter.drawLine(QPointF(place.left() + 0.5, y), QPointF(place.right() - 0.5, y));
}

void TranscriptView::paintOver(QPainter& painter, const QRect& clip) const {
    const ThemeColours colours = themeColours(palette());
    const auto [first, last] = visibleSpans(clip);
    for (std::size_t i = first; i < last; ++i) {
        const Span& span = m_spans[i];
        const bool selected = m_selected == span.position;
        const bool coloured = m_colour == Colour::Acceptance && span.length > 0 &&
                              span.draft != TokenEvent::Draft::None;
        if (!coloured && !selected) {
            continue;
        }
        for (const QRectF& place : rects(span)) {
            if (coloured) {
                paintDraft(painter, span.draft, place);
            }
            if (selected) {
                painter.setPen(QPen(palette().color(QPalette::Text), 1.5));
                painter.setBrush(Qt::NoBrush);
                painter.drawRoundedRect(place.adjusted(-1, -1.5, 1, 3), 3, 3);
            }
        }
    }
    if (m_streaming && !m_turns.empty() && m_turns.back().turn == Turn::Answer) {
        const std::vector<QRectF> places = rects({document()->characterCount() - 1, 0, -1, {}});
        if (!places.empty()) {
            const QRectF& end = places.front();
            painter.fillRect(QRectF(end.left() + 2, end.top() + 1, 7, end.height() - 2),
                             colours.muted);
        }
    }
}

}  // namespace gatescope
