// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens_strip.h"

#include <QKeyEvent>
#include <QPainter>
#include <algorithm>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr qreal kGap = 2;
constexpr qreal kPadding = 5;  // left and right of a token's text
constexpr int kMostChars = 20;
constexpr int kFarStep = 10;
constexpr qreal kMarkHeight = 3;  // line of a draft's fate

}  // namespace

QString stripText(const TokenCell& cell) {
    if (cell.bytes.isEmpty()) {
        return QStringLiteral("#%1").arg(cell.id);
    }
    QString text = tokenText(cell.bytes, kMostChars);
    return text.replace(u' ', QChar(0x2423));
}

TokensStrip::TokensStrip(QWidget* parent) : QWidget(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAccessibleName(tr("Tokens"));
}

QSize TokensStrip::sizeHint() const {
    return {40 * kGrid,
            QFontMetrics(font()).height() + QFontMetrics(smallFont(font())).height() + 2 * kGrid};
}

QSize TokensStrip::minimumSizeHint() const {
    return {10 * kGrid, sizeHint().height()};
}

void TokensStrip::setTokens(int count, std::function<TokenCell(int index)> cellAt) {
    m_count = cellAt ? std::max(0, count) : 0;
    m_cellAt = std::move(cellAt);
    m_current = std::min(m_current, m_count - 1);
    m_pinned = m_pinned < m_count ? m_pinned : -1;
    m_pointed = -1;
    layOut();
}

void TokensStrip::setCurrent(int index) {
    m_current = std::clamp(index, -1, m_count - 1);
    if (m_current >= 0) {
        scrollTo(m_current);
    }
    update();
}

void TokensStrip::setPinned(int index) {
    m_pinned = std::clamp(index, -1, m_count - 1);
    update();
}

int TokensStrip::last() const {
    return m_placed.empty() ? -1 : m_first + static_cast<int>(m_placed.size()) - 1;
}

int TokensStrip::indexAt(const QPoint& pixel) const {
    for (std::size_t i = 0; i < m_placed.size(); ++i) {
        if (m_placed[i].rect.contains(pixel)) {
            return m_first + static_cast<int>(i);
        }
    }
    return -1;
}

QRectF TokensStrip::rectOf(int index) const {
    return index >= m_first && index <= last()
               ? m_placed[static_cast<std::size_t>(index - m_first)].rect
               : QRectF();
}

qreal TokensStrip::widthOf(const QString& text) const {
    const qreal narrowest = 2 * kGrid;
    return std::max(narrowest, QFontMetricsF(font()).horizontalAdvance(text)) + 2 * kPadding;
}

void TokensStrip::layOutFrom(int first) {
    m_first = std::clamp(first, 0, std::max(0, m_count - 1));
    m_placed.clear();
    qreal x = 0;
    for (int i = m_first; i < m_count && x < width(); ++i) {
        Placed placed;
        placed.cell = m_cellAt(i);
        placed.text = stripText(placed.cell);
        placed.rect = QRectF(x, 0, widthOf(placed.text), height());
        x = placed.rect.right() + kGap;
        m_placed.push_back(std::move(placed));
    }
}

/// The present place, but without free room at the right while there are tokens at the left.
void TokensStrip::layOut() {
    layOutFrom(m_first);
    if (!m_placed.empty() && m_first > 0 && m_placed.back().rect.right() < width()) {
        const int end = m_count - 1;
        qreal room = width();
        int first = m_count;
        while (first > 0) {
            room -= widthOf(stripText(m_cellAt(first - 1))) + (first <= end ? kGap : 0);
            if (room < 0) {
                break;
            }
            --first;
        }
        layOutFrom(std::min(first, end));
    }
    update();
}

/// Into view, and a neighbour with it.
void TokensStrip::scrollTo(int index) {
    const int before = std::max(0, index - 1);
    const int after = std::min(m_count - 1, index + 1);
    if (before < m_first) {
        layOutFrom(before);
    } else if (after > last() || rectOf(after).right() > width()) {
        qreal room = width() - widthOf(stripText(m_cellAt(after)));
        int first = after;
        while (first > 0 && room >= 0) {
            room -= widthOf(stripText(m_cellAt(first - 1))) + kGap;
            first -= room >= 0 ? 1 : 0;
        }
        layOutFrom(std::min(first, index));
    }
}

void TokensStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    for (std::size_t i = 0; i < m_placed.size(); ++i) {
        paintCell(painter, m_first + static_cast<int>(i), m_placed[i]);
    }
}

void TokensStrip::paintCell(QPainter& painter, int index, const Placed& placed) const {
    const ThemeColours colours = themeColours(palette());
    const TokenCell& cell = placed.cell;
    const QRectF rect = placed.rect.adjusted(0.75, 0.75, -0.75, -0.75);
    const bool isCurrent = index == m_current;
    QColor fill = colours.accent;
    fill.setAlpha(56);
    painter.setPen(Qt::NoPen);
    painter.setBrush(isCurrent     ? QBrush(fill)
                     : cell.prompt ? QBrush(colours.grid)
                                   : palette().brush(QPalette::AlternateBase));
    painter.drawRoundedRect(rect, 3, 3);
    if (cell.special) {
        painter.setBrush(hatchBrush(palette()));
        painter.drawRoundedRect(rect, 3, 3);
    }
    if (isCurrent || index == m_pointed || index == m_pinned) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(isCurrent ? colours.accent : palette().color(QPalette::Text), 1.5,
                            index == m_pinned ? Qt::DashLine : Qt::SolidLine));
        painter.drawRoundedRect(rect, 3, 3);
    }
    if (cell.draft != TokenEvent::Draft::None) {
        QRectF mark(rect.left() + 3, rect.bottom() - kMarkHeight, rect.width() - 6, kMarkHeight);
        if (cell.draft == TokenEvent::Draft::Bonus) {  // nobody's draft: a quiet mark
            mark =
                QRectF(rect.center().x() - kMarkHeight, mark.top(), 2 * kMarkHeight, kMarkHeight);
        }
        painter.fillRect(mark, cell.draft == TokenEvent::Draft::Accepted   ? colours.accepted
                               : cell.draft == TokenEvent::Draft::Rejected ? colours.rejected
                                                                           : colours.muted);
    }
    const QRectF inside = rect.adjusted(kPadding, 2, -kPadding, -kMarkHeight - 2);
    painter.setFont(font());
    painter.setPen(cell.prompt || cell.main == nullptr ? colours.muted
                                                       : palette().color(QPalette::Text));
    painter.drawText(inside, Qt::AlignTop | Qt::AlignHCenter | Qt::TextSingleLine, placed.text);
    painter.setFont(tabularFont(smallFont(font())));
    painter.setPen(colours.muted);
    const QString number = QString::number(cell.number);
    if (QFontMetricsF(painter.font()).horizontalAdvance(number) <= rect.width() - 4) {
        painter.drawText(inside, Qt::AlignBottom | Qt::AlignHCenter | Qt::TextDontClip, number);
    }
}

void TokensStrip::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    layOut();
    if (m_current >= 0) {
        scrollTo(m_current);
    }
}

void TokensStrip::mousePressEvent(QMouseEvent* event) {
    const int index = indexAt(event->pos());
    if (event->button() == Qt::LeftButton && index >= 0) {
        Q_EMIT chosen(index);
    }
}

void TokensStrip::mouseMoveEvent(QMouseEvent* event) {
    const int index = indexAt(event->pos());
    if (index != m_pointed) {
        m_pointed = index;
        update();
        Q_EMIT pointed(index);
    }
}

void TokensStrip::leaveEvent(QEvent* event) {
    QWidget::leaveEvent(event);
    m_pointed = -1;
    update();
    Q_EMIT pointed(-1);
}

void TokensStrip::wheelEvent(QWheelEvent* event) {
    const QPoint angle = event->angleDelta();
    const int turned = angle.x() != 0 ? angle.x() : angle.y();
    if (turned != 0 && m_count > 0) {
        m_first = std::clamp(m_first + (turned > 0 ? -3 : 3), 0, m_count - 1);
        layOut();
    }
    event->accept();
}

void TokensStrip::step(int index) {
    if (m_count > 0) {
        Q_EMIT stepped(std::clamp(index, 0, m_count - 1));
    }
}

void TokensStrip::keyPressEvent(QKeyEvent* event) {
    const int by = (event->modifiers() & Qt::ControlModifier) != 0 ? kFarStep : 1;
    switch (event->key()) {
        case Qt::Key_Left:
            return step(m_current < 0 ? m_count - 1 : m_current - by);
        case Qt::Key_Right:
            return step(m_current < 0 ? 0 : m_current + by);
        case Qt::Key_Home:
            return step(0);
        case Qt::Key_End:
            return step(m_count - 1);
        case Qt::Key_P:
            Q_EMIT pinWanted();
            return;
        default:
            QWidget::keyPressEvent(event);
    }
}

void TokensStrip::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) {
        updateGeometry();
        layOut();
    }
}

}  // namespace gatescope
