// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/transcript_legend.h"

#include <QPainter>

#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kSignWidth = 16;

}  // namespace

TranscriptLegend::TranscriptLegend(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    setAccessibleName(tr("Legend"));
    refresh();
}

void TranscriptLegend::setDrafts(bool shown, bool bonus) {
    if (m_drafts != shown || m_bonus != bonus) {
        m_drafts = shown;
        m_bonus = bonus;
        refresh();
    }
}

void TranscriptLegend::setMarked(const QString& text) {
    if (m_marked != text) {
        m_marked = text;
        refresh();
    }
}

void TranscriptLegend::refresh() {
    setVisible(m_drafts || !m_marked.isEmpty());
    setAccessibleDescription(text());
    updateGeometry();
    update();
}

std::vector<TranscriptLegend::Entry> TranscriptLegend::entries() const {
    std::vector<Entry> result;
    if (!m_marked.isEmpty()) {
        result.push_back({Sign::Marked, m_marked});
    }
    if (m_drafts) {
        result.push_back({Sign::Accepted, tr("accepted draft")});
        result.push_back({Sign::Rejected, tr("replaced draft")});
    }
    if (m_drafts && m_bonus) {
        result.push_back({Sign::Bonus, tr("bonus token")});
    }
    return result;
}

QString TranscriptLegend::text() const {
    QStringList texts;
    for (const Entry& entry : entries()) {
        texts.append(entry.text);
    }
    return texts.join(QStringLiteral(" · "));
}

QSize TranscriptLegend::sizeHint() const {
    const QFontMetrics metrics(smallFont(font()));
    return {kGrid, metrics.height() + kGrid};
}

QSize TranscriptLegend::minimumSizeHint() const {
    return sizeHint();
}

void TranscriptLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setFont(smallFont(font()));
    const ThemeColours colours = themeColours(palette());
    const QFontMetrics metrics = painter.fontMetrics();
    int x = 2 * kGrid;
    for (const Entry& entry : entries()) {
        const int room = width() - x - kSignWidth - kGrid - kGrid;
        if (room < 4 * kGrid) {
            break;
        }
        const QRectF sign(x, (height() - metrics.ascent()) / 2.0, kSignWidth, metrics.ascent());
        if (entry.sign == Sign::Marked) {
            QColor tint = colours.accent;
            tint.setAlphaF(isDark(palette()) ? 0.42F : 0.26F);
            painter.setPen(Qt::NoPen);
            painter.setBrush(tint);
            painter.drawRoundedRect(sign, 2, 2);
        } else if (entry.sign == Sign::Bonus) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(colours.muted);
            painter.drawEllipse(QPointF(sign.center().x(), sign.bottom() - 1), 1.5, 1.5);
        } else {
            painter.fillRect(QRectF(sign.left(), sign.bottom() - 2, sign.width(), 2),
                             entry.sign == Sign::Accepted ? colours.accepted : colours.rejected);
        }
        painter.setPen(colours.muted);
        const QString shown = metrics.elidedText(entry.text, Qt::ElideRight, room);
        x += kSignWidth + kGrid * 3 / 4;
        painter.drawText(QRect(x, 0, room, height()), Qt::AlignVCenter | Qt::AlignLeft, shown);
        x += metrics.horizontalAdvance(shown) + 2 * kGrid;
    }
}

}  // namespace gatescope
