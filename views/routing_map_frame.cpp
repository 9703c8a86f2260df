// SPDX-License-Identifier: GPL-3.0-or-later
// RoutingMap: what is drawn around the cells and over them.

#include <algorithm>
#include <cmath>

#include "views/routing_map.h"
#include "views/theme.h"

namespace gatescope {

void RoutingMap::findDenseBands() {
    m_denseBands.clear();
    for (int layer = 0; layer < m_shape.totalLayers; ++layer) {
        if (!isDense(layer)) {
            continue;
        }
        if (!m_denseBands.empty() && m_denseBands.back().upper == layer - 0.5) {
            m_denseBands.back().upper += 1;
        } else {
            m_denseBands.emplace_back(layer - 0.5, layer + 0.5);
        }
    }
}

void RoutingMap::findHatches() {
    m_hatches.clear();
    const int experts = std::max(1, m_shape.experts);
    const auto add = [this](double y, int first, int end) {
        const QRectF cells(first - 0.5, y - 0.5, end - first, 1);
        QRectF* last = m_hatches.empty() ? nullptr : &m_hatches.back();
        if (last != nullptr && last->bottom() == cells.top() && last->left() == cells.left() &&
            last->width() == cells.width()) {
            last->setBottom(cells.bottom());  // one band: its pattern has no seams
        } else {
            m_hatches.push_back(cells);
        }
    };
    for (const QCPRange& band : m_denseBands) {
        m_hatches.emplace_back(-0.5, band.lower, experts, band.size());
    }
    const std::vector<int> layers = routedLayers();
    for (int row = 0; row < static_cast<int>(layers.size()); ++row) {
        int first = 0;  // of the cells without a value up to `column`
        for (int column = 0; column <= experts; ++column) {
            if (column < experts && std::isnan(valueAt(row, column))) {
                continue;
            }
            if (first < column) {
                add(yOf(layers[static_cast<std::size_t>(row)]), first, column);
            }
            first = column + 1;
        }
    }
}

void RoutingMap::labelAcross() {
    xAxis->setLabel(!m_experts.empty()   ? tr("rank by load in its layer, 0 is the largest")
                    : m_shape.groups > 1 ? tr("expert (%1 groups of %2)")
                                               .arg(m_shape.groups)
                                               .arg(m_shape.experts / m_shape.groups)
                                         : tr("expert"));
}

void RoutingMap::restyle() {
    themePlot(this, palette(), font());
    const auto axes = findChildren<QCPAxis*>();  // the frame of the colour scale too
    for (QCPAxis* axis : axes) {
        axis->setBasePen(Qt::NoPen);
        axis->setTickPen(Qt::NoPen);
    }
    applyGradient();
    replot(rpQueuedReplot);
}

void RoutingMap::beforeDrawing() {
    const int line = QFontMetrics(smallFont(font())).height();
    const QRect rect = axisRect()->rect();
    yAxis->ticker()->setTickCount(std::max(2, rect.height() / (2 * line)));
    xAxis->ticker()->setTickCount(std::max(2, rect.width() / (5 * line)));
}

/// White on viridis, which is dark almost everywhere; text colour where the middle is pale.
QColor RoutingMap::borderColour() const {
    QColor colour(255, 255, 255, 150);
    if (m_mapScale.kind == MapScale::Kind::Diverging) {
        colour = palette().color(QPalette::Active, QPalette::Text);
        colour.setAlpha(110);
    }
    return colour;
}

void RoutingMap::drawDenseLabels(QCPPainter* painter) const {
    const QFont small = smallFont(font());
    const QFontMetrics metrics(small);
    const QString text = tr("dense, no router");
    for (const QCPRange& band : m_denseBands) {
        const QRectF all = pixelsOf(QRectF(-0.5, band.lower, m_shape.experts, band.size()));
        if (all.height() < metrics.height() || !yAxis->range().contains(band.center())) {
            continue;
        }
        QRectF place(metrics.boundingRect(text).adjusted(-kGrid, 0, kGrid, 0));
        place.moveCenter(QPointF(QRectF(inside()).center().x(), all.center().y()));
        painter->fillRect(place, m_colours.missing());
        painter->setFont(small);
        painter->setPen(themeColours(palette()).muted);
        painter->drawText(place, Qt::AlignCenter, text);
    }
}

/// expert -1: the whole row.
void RoutingMap::drawOutline(QCPPainter* painter, int layer, int expert, Qt::PenStyle style) const {
    // Small cells get an outline of seven pixels around them, large ones along their border.
    const QRect rect = axisRect()->rect();
    const double halfX = std::max(0.5, 3.5 * xAxis->range().size() / std::max(1, rect.width()));
    const double halfY = std::max(0.5, 3.5 * yAxis->range().size() / std::max(1, rect.height()));
    const int column = expert >= 0 ? columnOf({layer, expert}) : -1;
    const double left = expert >= 0 ? column - halfX : -0.5;
    const double right = expert >= 0 ? column + halfX : m_shape.experts - 0.5;
    const QRectF around = pixelsOf(QRectF(left, yOf(layer) - halfY, right - left, 2 * halfY));
    // White on black reads on every colour of the map, in light and dark.
    painter->setAntialiasing(true);
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(Qt::black, 4, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    painter->drawRect(around);
    painter->setPen(QPen(Qt::white, 2, style, Qt::SquareCap, Qt::MiterJoin));
    painter->drawRect(around);
    painter->setAntialiasing(false);
}

void RoutingMap::drawMarks(QCPPainter* painter) const {
    const int layer = m_selectedLayer.value_or(-1);
    const bool known =
        (layer >= 0 && layer < m_shape.totalLayers) || (layer >= 0 && layer == m_shape.mtpLayer);
    const int expert = m_selectedExpert.value_or(-1);
    if (known && expert < m_shape.experts) {
        drawOutline(painter, layer, expert, Qt::SolidLine);
    }
    if (m_cursor && hasFocus()) {
        drawOutline(painter, m_cursor->layer, m_cursor->expert, Qt::DotLine);
    }
}

}  // namespace gatescope
