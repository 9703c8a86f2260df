// SPDX-License-Identifier: GPL-3.0-or-later
// RoutingMap: what is drawn around and over the cells.

#include <algorithm>
#include <cmath>

#include "views/colour_maps.h"
#include "views/routing_map.h"
#include "views/theme.h"

namespace gatescope {

RoutingMap::Outline RoutingMap::makeOutline(Qt::PenStyle style) {
    const auto make = [this](const QPen& pen) {
        auto* rect = new QCPItemRect(this);
        rect->setLayer(QStringLiteral("overlay"));
        rect->setPen(pen);
        rect->setBrush(Qt::NoBrush);
        rect->setSelectable(false);
        rect->setVisible(false);
        return rect;
    };
    // White on black reads on every colour of the map, in light and dark.
    Outline outline;
    outline.outer = make(QPen(Qt::black, 4, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    outline.inner = make(QPen(Qt::white, 2, style, Qt::SquareCap, Qt::MiterJoin));
    return outline;
}

void RoutingMap::buildFrame() {
    buildBorders();
    buildDenseLabels();
    if (m_gap != nullptr) {
        removeItem(m_gap);
        m_gap = nullptr;
    }
    if (m_shape.mtpLayer >= 0) {
        m_gap = new QCPItemRect(this);
        m_gap->setLayer(QStringLiteral("axes"));
        m_gap->setSelectable(false);
        m_gap->setPen(Qt::NoPen);
        m_gap->topLeft->setCoords(-1, m_shape.totalLayers - 0.5);
        m_gap->bottomRight->setCoords(m_shape.experts + 1.0, m_mtpY - 0.5);
    }
    restyle();
}

void RoutingMap::buildBorders() {
    for (QCPItemLine* line : m_borders) {
        removeItem(line);
    }
    m_borders.clear();
    const int size = m_shape.experts / std::max(1, m_shape.groups);
    for (int g = 1; g < m_shape.groups; ++g) {
        auto* line = new QCPItemLine(this);
        line->setLayer(QStringLiteral("axes"));
        line->setSelectable(false);
        line->start->setCoords(g * size - 0.5,
                               m_shape.layers.empty() ? 0 : m_shape.layers.front() - 0.5);
        line->end->setCoords(g * size - 0.5, bottom());
        m_borders.push_back(line);
    }
}

void RoutingMap::buildDenseLabels() {
    for (QCPItemText* label : m_denseLabels) {
        removeItem(label);
    }
    m_denseLabels.clear();
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
    for (const QCPRange& band : m_denseBands) {
        auto* label = new QCPItemText(this);
        label->setLayer(QStringLiteral("axes"));
        label->setSelectable(false);
        label->position->setTypeX(QCPItemPosition::ptAxisRectRatio);
        label->position->setTypeY(QCPItemPosition::ptPlotCoords);
        label->position->setCoords(0.5, band.center());
        label->setText(tr("dense, no router"));
        label->setPadding(QMargins(kGrid, 0, kGrid, 0));
        m_denseLabels.push_back(label);
    }
}

void RoutingMap::setHatched(const std::vector<int>& layers) {
    if (layers == m_hatched) {
        return;
    }
    m_hatched = layers;
    for (QCPItemRect* band : m_hatches) {
        removeItem(band);
    }
    m_hatches.clear();
    int last = -2;
    for (const int layer : layers) {
        const double y = yOf(layer);
        if (layer == last + 1 && layer != m_shape.mtpLayer) {
            m_hatches.back()->bottomRight->setCoords(m_shape.experts - 0.5, y + 0.5);
        } else {
            auto* band = new QCPItemRect(this);
            band->setLayer(QStringLiteral("grid"));  // under the cells, which are transparent there
            band->setSelectable(false);
            band->setPen(Qt::NoPen);
            band->setBrush(hatchBrush(palette()));
            band->topLeft->setCoords(-0.5, y - 0.5);
            band->bottomRight->setCoords(m_shape.experts - 0.5, y + 0.5);
            m_hatches.push_back(band);
        }
        last = layer;
    }
}

void RoutingMap::styleBorders() {
    // White on viridis, which is dark almost everywhere; text colour where the middle is pale.
    QColor colour(255, 255, 255, 150);
    if (m_mapScale.kind == MapScale::Kind::Diverging) {
        colour = palette().color(QPalette::Active, QPalette::Text);
        colour.setAlpha(110);
    }
    for (QCPItemLine* border : m_borders) {
        border->setPen(QPen(colour, 1));
        border->setVisible(m_experts.empty());  // sorted, groups have no place of their own
    }
    xAxis->setLabel(!m_experts.empty()   ? tr("rank by load in its layer, 0 is the largest")
                    : m_shape.groups > 1 ? tr("expert (%1 groups of %2)")
                                               .arg(m_shape.groups)
                                               .arg(m_shape.experts / m_shape.groups)
                                         : tr("expert"));
}

void RoutingMap::restyle() {
    themePlot(this, palette(), font());
    const QColor base = palette().color(QPalette::Active, QPalette::Base);
    const ThemeColours colours = themeColours(palette());
    const auto axes = findChildren<QCPAxis*>();  // the frame of the colour scale too
    for (QCPAxis* axis : axes) {
        axis->setBasePen(Qt::NoPen);
        axis->setTickPen(Qt::NoPen);
    }
    for (QCPItemRect* band : m_hatches) {
        band->setBrush(hatchBrush(palette()));
    }
    if (m_gap != nullptr) {
        m_gap->setBrush(base);
    }
    applyGradient();
    for (QCPItemText* label : m_denseLabels) {
        label->setColor(colours.muted);
        label->setFont(smallFont(font()));
        label->setBrush(base);
        label->setPen(Qt::NoPen);
    }
    replot(rpQueuedReplot);
}

void RoutingMap::beforeDrawing() {
    const int line = QFontMetrics(smallFont(font())).height();
    const QRect rect = axisRect()->rect();
    yAxis->ticker()->setTickCount(std::max(2, rect.height() / (2 * line)));
    xAxis->ticker()->setTickCount(std::max(2, rect.width() / (5 * line)));
    for (std::size_t i = 0; i < m_denseLabels.size(); ++i) {
        const double height = std::abs(yAxis->coordToPixel(m_denseBands[i].upper) -
                                       yAxis->coordToPixel(m_denseBands[i].lower));
        m_denseLabels[i]->setVisible(height >= line &&
                                     yAxis->range().contains(m_denseBands[i].center()));
    }
    placeMarkers();
}

void RoutingMap::placeOutline(const Outline& outline, int layer, int expert, bool visible) {
    outline.outer->setVisible(visible);
    outline.inner->setVisible(visible);
    if (!visible) {
        return;
    }
    const QRect rect = axisRect()->rect();
    // Small cells get an outline of seven pixels around them, large ones along their border.
    const double perX = xAxis->range().size() / std::max(1, rect.width());
    const double perY = yAxis->range().size() / std::max(1, rect.height());
    const double halfX = std::max(0.5, 3.5 * perX);
    const double halfY = std::max(0.5, 3.5 * perY);
    const int column = expert >= 0 ? columnOf({layer, expert}) : -1;
    const double left = expert >= 0 ? column - halfX : -0.5;
    const double right = expert >= 0 ? column + halfX : m_shape.experts - 0.5;
    for (QCPItemRect* item : {outline.outer, outline.inner}) {
        item->topLeft->setCoords(left, yOf(layer) - halfY);
        item->bottomRight->setCoords(right, yOf(layer) + halfY);
    }
}

void RoutingMap::placeMarkers() {
    const auto known = [this](int layer) {
        return (layer >= 0 && layer < m_shape.totalLayers) ||
               (layer >= 0 && layer == m_shape.mtpLayer);
    };
    const int expert = m_selectedExpert.value_or(-1);
    placeOutline(m_selectedOutline, m_selectedLayer.value_or(-1), expert,
                 m_selectedLayer && known(*m_selectedLayer) && expert < m_shape.experts);
    placeOutline(m_cursorOutline, m_cursor ? m_cursor->layer : -1, m_cursor ? m_cursor->expert : -1,
                 m_cursor && hasFocus());
}

}  // namespace gatescope
