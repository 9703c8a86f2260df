// SPDX-License-Identifier: GPL-3.0-or-later
// RoutingMap: the cells, and painting them past the plot's buffer.

#include <QPaintEvent>
#include <algorithm>
#include <cmath>
#include <cstring>

#include "views/routing_map.h"
#include "views/theme.h"

namespace gatescope {

namespace {
constexpr double kVectorRatio = 3;  // pixels of the cells' image in a vector picture's unit
}

/// New values change nothing but what lies within the axes. Thirty times a second that must not
/// cost laying out the axes and drawing them into the plot's buffer again, nor the buffer's way
/// onto the screen.
void RoutingMap::paintEvent(QPaintEvent* event) {
    if (!inside().contains(event->rect())) {
        QCustomPlot::paintEvent(event);
    }
    QCPPainter painter(this);
    painter.setClipRect(inside());
    drawInside(&painter);
}

/// Where the axes map their ranges to: QCustomPlot's pixel rows begin one above its rectangle.
QRect RoutingMap::inside() const {
    return axisRect()->rect().translated(0, -1);
}

QRectF RoutingMap::pixelsOf(const QRectF& cells) const {
    return {QPointF(xAxis->coordToPixel(cells.left()), yAxis->coordToPixel(cells.top())),
            QPointF(xAxis->coordToPixel(cells.right()), yAxis->coordToPixel(cells.bottom()))};
}

void RoutingMap::drawInside(QCPPainter* painter) {
    painter->setAntialiasing(false);
    drawCells(painter);
    const QBrush hatching = hatchBrush(palette());
    for (const QRectF& cells : m_hatches) {
        painter->fillRect(pixelsOf(cells), hatching);
    }
    drawBorders(painter);
    drawDenseLabels(painter);
    drawMarks(painter);
}

void RoutingMap::drawCells(QCPPainter* painter) {
    const bool isVector = painter->modes().testFlag(QCPPainter::pmVectorized);
    renderCells(m_image, isVector ? kVectorRatio : painter->deviceTransform().m11());
    painter->drawImage(QRectF(inside()), m_image);
}

/// Every pixel takes the colour of the cell under its middle, at `ratio` pixels in the widget's
/// unit.
void RoutingMap::renderCells(QImage& image, double ratio) const {
    const QRect rect = inside();
    const QSize size = (QSizeF(rect.size()) * ratio).toSize();
    if (image.size() != size) {
        image = QImage(size, QImage::Format_RGB32);
    }
    std::vector<int> columns(static_cast<std::size_t>(size.width()));
    for (std::size_t x = 0; x < columns.size(); ++x) {
        const double pixel = rect.left() + (static_cast<double>(x) + 0.5) / ratio;
        const double column = std::floor(xAxis->pixelToCoord(pixel) + 0.5);
        columns[x] = column >= 0 && column < m_shape.experts ? static_cast<int>(column) : -1;
    }
    int above = -1;
    for (int y = 0; y < size.height(); ++y) {
        const int row = rowOf(layerAt(yAxis->pixelToCoord(rect.top() + (y + 0.5) / ratio)));
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
        if (y > 0 && row == above) {
            std::memcpy(line, image.constScanLine(y - 1), columns.size() * sizeof(QRgb));
        } else {
            renderRow(row, columns, line);
        }
        above = row;
    }
}

/// row -1: nothing, as for column -1.
void RoutingMap::renderRow(int row, const std::vector<int>& columns, QRgb* line) const {
    int before = -1;
    QRgb colour = m_colours.missing();
    for (std::size_t x = 0; x < columns.size(); ++x) {
        if (columns[x] != before) {
            before = columns[x];
            colour = row < 0 || before < 0 ? m_colours.missing() : m_colours(valueAt(row, before));
        }
        line[x] = colour;
    }
}

}  // namespace gatescope
