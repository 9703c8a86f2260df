// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/group_strip.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {
constexpr qreal kGap = 2;
constexpr qreal kRoomForScore = 56;  // narrower cells show their number only
}  // namespace

GroupStrip::GroupStrip(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Expert groups"));
}

void GroupStrip::setGroups(const ChoiceRanking& ranking, const QString& rule) {
    m_scores = ranking.groupScores;
    m_kept = ranking.keptGroups;
    m_keptWithoutBias = ranking.keptGroupsWithoutBias;
    m_rule = rule;
    QStringList numbers;
    for (const int group : m_kept) {
        numbers += QString::number(group);
    }
    setAccessibleDescription(tr("kept: %1").arg(numbers.join(u' ')));
    update();
}

bool GroupStrip::isKept(int group) const {
    return std::find(m_kept.begin(), m_kept.end(), group) != m_kept.end();
}

bool GroupStrip::isKeptWithoutBias(int group) const {
    return std::find(m_keptWithoutBias.begin(), m_keptWithoutBias.end(), group) !=
           m_keptWithoutBias.end();
}

QString GroupStrip::stateText(int group) const {
    if (isKept(group) == isKeptWithoutBias(group)) {
        return isKept(group) ? tr("kept") : tr("not kept");
    }
    return isKept(group) ? tr("kept only because of the bias")
                         : tr("not kept, but would be with b = 0");
}

QSize GroupStrip::sizeHint() const {
    return {10 * kGrid, QFontMetrics(smallFont(font())).height() + kGrid};
}

QRectF GroupStrip::cell(int group) const {
    const qreal step = (width() + kGap) / std::max<qreal>(1, static_cast<qreal>(m_scores.size()));
    return {group * step, 0, std::max<qreal>(1, step - kGap), static_cast<qreal>(height())};
}

void GroupStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const ThemeColours colours = themeColours(palette());
    painter.setFont(tabularFont(smallFont(font())));
    for (int g = 0; g < static_cast<int>(m_scores.size()); ++g) {
        const QRectF rect = cell(g);
        QColor fill = colours.accepted;
        fill.setAlpha(56);
        painter.setPen(Qt::NoPen);
        painter.setBrush(isKept(g) ? fill : colours.grid);
        painter.drawRoundedRect(rect, 3, 3);
        if (isKept(g) != isKeptWithoutBias(g)) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(colours.bias, 1.5, isKept(g) ? Qt::SolidLine : Qt::DashLine));
            painter.drawRoundedRect(rect.adjusted(0.75, 0.75, -0.75, -0.75), 3, 3);
        }
        painter.setPen(isKept(g) ? palette().color(QPalette::Text) : colours.muted);
        const QRectF inside = rect.adjusted(kGrid / 2, 0, -kGrid / 2, 0);
        if (rect.width() < kRoomForScore) {
            painter.drawText(inside, Qt::AlignCenter, QString::number(g));
        } else {
            painter.drawText(inside, Qt::AlignVCenter | Qt::AlignLeft, QString::number(g));
            painter.setPen(colours.muted);
            painter.drawText(
                inside, Qt::AlignVCenter | Qt::AlignRight,
                threeDigits(static_cast<double>(m_scores[static_cast<std::size_t>(g)])));
        }
    }
}

bool GroupStrip::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) {
        return QWidget::event(event);
    }
    const auto* help = static_cast<QHelpEvent*>(event);
    for (int g = 0; g < static_cast<int>(m_scores.size()); ++g) {
        if (cell(g).contains(help->pos())) {
            const QString text = tr("group %1 · %2 · score %3\n%4")
                                     .arg(QString::number(g), stateText(g),
                                          allDigits(m_scores[static_cast<std::size_t>(g)]), m_rule);
            QToolTip::showText(help->globalPos(), plainToolTip(text), this);
            return true;
        }
    }
    QToolTip::hideText();
    return true;
}

}  // namespace gatescope
