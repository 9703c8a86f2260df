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

QRgb mixed(QRgb under, const QColor& over) {
    const auto mix = [&](int a, int b) { return a + (b - a) * over.alpha() / 255; };
    return qRgb(mix(qRed(under), over.red()), mix(qGreen(under), over.green()),
                mix(qBlue(under), over.blue()));
}

}  // namespace

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
    if (inside().isEmpty()) {
        return;  // not laid out yet
    }
    painter->setAntialiasing(false);
    drawCells(painter);
    const QBrush hatching = hatchBrush(palette());
    for (const QRectF& cells : m_hatches) {
        painter->fillRect(pixelsOf(cells), hatching);
    }
    drawDenseLabels(painter);
    drawMarks(painter);
}

void RoutingMap::drawCells(QCPPainter* painter) {
    const bool isVector = painter->modes().testFlag(QCPPainter::pmVectorized);
    const double ratio = isVector ? kVectorRatio : painter->deviceTransform().m11();
    renderCells(m_image, ratio);
    m_image.setDevicePixelRatio(ratio);
    painter->drawImage(inside().topLeft(),
                       m_image);  // at a point, not into a rectangle: a plain copy
}

/// Every pixel takes the colour of the cell under its middle, at `ratio` pixels in the widget's
/// unit.
void RoutingMap::renderCells(QImage& image, double ratio) const {
    const QRect rect = inside();
    const QSize size(qRound(rect.width() * ratio), qRound(rect.height() * ratio));
    if (image.size() != size) {
        image = QImage(size, QImage::Format_RGB32);
    }
    std::vector<int> columns(static_cast<std::size_t>(size.width()));
    for (std::size_t x = 0; x < columns.size(); ++x) {
        const double pixel = rect.left() + (static_cast<double>(x) + 0.5) / ratio;
        const double column = std::floor(xAxis->pixelToCoord(pixel) + 0.5);
        columns[x] = column >= 0 && column < m_shape.experts ? static_cast<int>(column) : -1;
    }
    const std::vector<int> borders = borderPixels(ratio);
    const QColor border = borderColour();
    int above = -1;
    for (int y = 0; y < size.height(); ++y) {
        const int row = rowOf(layerAt(yAxis->pixelToCoord(rect.top() + (y + 0.5) / ratio)));
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
        if (y > 0 && row == above) {
            std::memcpy(line, image.constScanLine(y - 1), columns.size() * sizeof(QRgb));
        } else {
            renderRow(row, columns, line);
            for (const int x : borders) {
                line[x] = row < 0 ? line[x] : mixed(line[x], border);
            }
        }
        above = row;
    }
}

/// Of the image, where groups of experts meet. Lines of their own would cost more than all cells:
/// Qt hands what is many rows high to other threads.
std::vector<int> RoutingMap::borderPixels(double ratio) const {
    std::vector<int> out;
    if (!m_experts.empty()) {
        return out;  // sorted, groups have no place of their own
    }
    const QRect rect = inside();
    const int width = std::max(1, qRound(ratio));
    const int size = m_shape.experts / std::max(1, m_shape.groups);
    for (int group = 1; group < m_shape.groups; ++group) {
        const double at = xAxis->coordToPixel(group * size - 0.5) - rect.left();
        const int first = qRound(at * ratio) - width / 2;
        for (int x = std::max(0, first); x < std::min(first + width, qRound(rect.width() * ratio));
             ++x) {
            out.push_back(x);
        }
    }
    return out;
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
