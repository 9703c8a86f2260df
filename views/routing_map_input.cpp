// SPDX-License-Identifier: GPL-3.0-or-later
// RoutingMap: pointer, keyboard and zoom.

#include <algorithm>
#include <cmath>

#include "views/routing_map.h"
#include "views/theme.h"

namespace gatescope {

namespace {
constexpr int kClickSlack = 4;        // pixels a click may move
constexpr double kFewestExperts = 4;  // shown when zoomed in
constexpr double kFewestLayers = 2;
}  // namespace

void RoutingMap::keepInside(QCPAxis* axis, const QCPRange& range) {
    const double upper =
        axis == xAxis ? std::max(1, m_shape.experts) - 0.5 : std::max(0.5, bottom());
    QCPRange wanted = range;
    const double fewest = axis == xAxis ? kFewestExperts : kFewestLayers;
    const double smallest = std::min(fewest, upper + 0.5);
    if (wanted.size() < smallest) {
        const double center = wanted.center();
        wanted = QCPRange(center - smallest / 2, center + smallest / 2);
    }
    wanted = wanted.bounded(-0.5, upper);
    if (wanted != range) {
        axis->setRange(wanted);
    }
}

void RoutingMap::zoomBy(double factor) {
    for (QCPAxis* axis : {xAxis, yAxis}) {
        double center = axis->range().center();
        if (m_cursor) {
            center = axis == xAxis ? columnOf(*m_cursor) : yOf(m_cursor->layer);
        }
        axis->scaleRange(factor, center);
    }
    replot(rpQueuedReplot);
}

void RoutingMap::mousePressEvent(QMouseEvent* event) {
    m_pressed = event->pos();
    m_pressedLeft = event->button() == Qt::LeftButton;
    QCustomPlot::mousePressEvent(event);
}

void RoutingMap::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    m_pointer = event->position();
    const std::optional<MapCell> cell = cellAt(m_pointer);
    if (cell != m_pointed) {
        m_pointed = cell;
        const MapCell at = cell.value_or(MapCell{});
        Q_EMIT cellPointed(at.layer, at.expert);
    }
}

void RoutingMap::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const bool isClick = m_pressedLeft && event->button() == Qt::LeftButton &&
                         (event->pos() - m_pressed).manhattanLength() <= kClickSlack;
    m_pressedLeft = false;
    const std::optional<MapCell> cell = cellAt(event->position());
    if (isClick && cell && cell->expert >= 0) {
        m_cursor = cell;
        Q_EMIT cellChosen(cell->layer, cell->expert);
    }
}

void RoutingMap::mouseDoubleClickEvent(QMouseEvent* event) {
    QCustomPlot::mouseDoubleClickEvent(event);
    m_pressedLeft = false;
    resetZoom();
}

void RoutingMap::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    m_pointed.reset();
    Q_EMIT cellPointed(-1, -1);
}

void RoutingMap::refreshPointed() {
    if (m_pointed) {
        m_pointed = cellAt(m_pointer);
        const MapCell at = m_pointed.value_or(MapCell{});
        Q_EMIT cellPointed(at.layer, at.expert);
    } else if (m_cursor && hasFocus()) {
        Q_EMIT cellPointed(m_cursor->layer, m_cursor->expert);
    }
}

void RoutingMap::moveCursor(int rows, int columns) {
    const std::vector<int> layers = routedLayers();
    if (layers.empty() || m_shape.experts <= 0) {
        return;
    }
    if (!m_cursor) {
        m_cursor = MapCell{layers.front(), expertAt(layers.front(), 0)};
    } else {
        const auto at = std::find(layers.begin(), layers.end(), m_cursor->layer) - layers.begin();
        const auto last = static_cast<std::ptrdiff_t>(layers.size()) - 1;
        const auto row = std::clamp<std::ptrdiff_t>(at + rows, 0, last);
        const int column = std::clamp(columnOf(*m_cursor) + columns, 0, m_shape.experts - 1);
        m_cursor->layer = layers[static_cast<std::size_t>(row)];
        m_cursor->expert = expertAt(m_cursor->layer, column);
    }
    showCursorCell();
}

void RoutingMap::showCursorCell() {
    const auto show = [this](QCPAxis* axis, double at) {
        const QCPRange range = axis->range();
        if (at - 0.5 < range.lower) {
            axis->moveRange(at - 0.5 - range.lower);
            replot(rpQueuedReplot);
        } else if (at + 0.5 > range.upper) {
            axis->moveRange(at + 0.5 - range.upper);
            replot(rpQueuedReplot);
        }
    };
    show(xAxis, columnOf(*m_cursor));
    show(yAxis, yOf(m_cursor->layer));
    repaintInside();
    Q_EMIT cellPointed(m_cursor->layer, m_cursor->expert);
}

void RoutingMap::keyPressEvent(QKeyEvent* event) {
    const int all = std::max(1, m_shape.experts);
    switch (event->key()) {
        case Qt::Key_Left:
            return moveCursor(0, -1);
        case Qt::Key_Right:
            return moveCursor(0, 1);
        case Qt::Key_Up:
            return moveCursor(-1, 0);
        case Qt::Key_Down:
            return moveCursor(1, 0);
        case Qt::Key_PageUp:
            return moveCursor(-10, 0);
        case Qt::Key_PageDown:
            return moveCursor(10, 0);
        case Qt::Key_Home:
            return moveCursor(0, -all);
        case Qt::Key_End:
            return moveCursor(0, all);
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoomBy(0.75);
        case Qt::Key_Minus:
            return zoomBy(1 / 0.75);
        case Qt::Key_0:
            return resetZoom();
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (m_cursor) {
                Q_EMIT cellChosen(m_cursor->layer, m_cursor->expert);
            }
            return;
        default:
            QCustomPlot::keyPressEvent(event);
    }
}

void RoutingMap::focusInEvent(QFocusEvent* event) {
    QCustomPlot::focusInEvent(event);
    if (!m_cursor && m_selectedLayer && !isDense(*m_selectedLayer)) {
        m_cursor = MapCell{*m_selectedLayer, m_selectedExpert.value_or(0)};
    }
    repaintInside();
}

void RoutingMap::focusOutEvent(QFocusEvent* event) {
    QCustomPlot::focusOutEvent(event);
    repaintInside();
}

}  // namespace gatescope
