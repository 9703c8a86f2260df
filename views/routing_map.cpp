// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_map.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/colour_maps.h"
#include "views/formats.h"
#include "views/index_ticker.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kClickSlack = 4;        // pixels a click may move
constexpr double kFewestExperts = 4;  // shown when zoomed in
constexpr double kFewestLayers = 2;

bool sameShape(const RoutingShape& a, const RoutingShape& b) {
    return a.layers == b.layers && a.mtpLayer == b.mtpLayer && a.totalLayers == b.totalLayers &&
           a.experts == b.experts && a.groups == b.groups;
}

/// Sets rows [first, first + count). QCPColorMap gives a single row no height: it becomes two
/// halves.
void setRows(QCPColorMap* map, int experts, double first, int count) {
    map->data()->setSize(experts, std::max(2, count));
    const double half = count == 1 ? 0.25 : 0;
    map->data()->setRange({0, experts - 1.0}, {first - half, first + count - 1 + half});
    map->data()->fill(kNaN);
}

QCPColorMap* makeMap(QCustomPlot* plot) {
    auto* map = new QCPColorMap(plot->xAxis, plot->yAxis);
    map->setInterpolate(false);
    map->setTightBoundary(false);
    return map;
}

}  // namespace

RoutingMap::RoutingMap(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    setMinimumSize(25 * kGrid, 15 * kGrid);
    axisRect()->setupFullAxesBox(false);
    for (QCPAxis* axis : {xAxis, yAxis, xAxis2, yAxis2}) {
        axis->grid()->setVisible(false);
        axis->setBasePen(Qt::NoPen);
        axis->setTickLength(0, kGrid / 2);
        axis->setTickPen(Qt::NoPen);
        axis->setSubTicks(false);
    }
    xAxis2->setVisible(false);
    yAxis2->setVisible(false);
    yAxis->setRangeReversed(true);
    xAxis->setLabelPadding(2);
    yAxis->setLabel(tr("layer"));

    m_main = makeMap(this);
    m_mtp = makeMap(this);
    m_scale = new QCPColorScale(this);
    m_scale->setType(QCPAxis::atRight);
    m_scale->setBarWidth(kGrid + 2);
    m_scale->setRangeDrag(false);
    m_scale->setRangeZoom(false);
    m_scale->axis()->setSubTicks(false);
    m_scale->axis()->setTickLength(0, 3);
    m_scale->axis()->setPadding(kGrid / 2);
    plotLayout()->addElement(0, 1, m_scale);
    plotLayout()->setColumnSpacing(kGrid);
    auto* group = new QCPMarginGroup(this);
    for (QCPLayoutElement* element :
         {static_cast<QCPLayoutElement*>(axisRect()), static_cast<QCPLayoutElement*>(m_scale)}) {
        element->setMarginGroup(QCP::msTop | QCP::msBottom, group);
    }
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid, kGrid, kGrid));
    m_main->setColorScale(m_scale);
    m_mtp->setColorScale(m_scale);
    m_scale->setGradient(viridis());

    m_selectedOutline = makeOutline(Qt::SolidLine);
    m_cursorOutline = makeOutline(Qt::DotLine);
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange& range) { keepInside(xAxis, range, kFewestExperts); });
    connect(yAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange& range) { keepInside(yAxis, range, kFewestLayers); });
    connect(this, &QCustomPlot::beforeReplot, this, &RoutingMap::beforeDrawing);
    restyle();
}

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

bool RoutingMap::isDense(int layer) const {
    return layer != m_shape.mtpLayer &&
           !std::binary_search(m_shape.layers.begin(), m_shape.layers.end(), layer);
}

double RoutingMap::yOf(int layer) const {
    return m_shape.mtpLayer >= 0 && layer == m_shape.mtpLayer ? m_mtpY : layer;
}

int RoutingMap::layerAt(double y) const {
    if (y >= -0.5 && y < m_shape.totalLayers - 0.5) {
        return qRound(y);
    }
    return m_shape.mtpLayer >= 0 && std::abs(y - m_mtpY) <= 0.5 ? m_shape.mtpLayer : -1;
}

double RoutingMap::bottom() const {
    return m_shape.mtpLayer >= 0 ? m_mtpY + 0.5 : m_shape.totalLayers - 0.5;
}

std::vector<int> RoutingMap::routedLayers() const {
    std::vector<int> layers = m_shape.layers;
    if (m_shape.mtpLayer >= 0) {
        layers.push_back(m_shape.mtpLayer);
    }
    return layers;
}

void RoutingMap::setShape(const RoutingShape& shape) {
    if (sameShape(shape, m_shape)) {
        m_shape = shape;
        return;
    }
    m_shape = shape;
    // A gap of about five pixels at any number of layers.
    m_mtpY = shape.totalLayers + std::max(0.2, 0.012 * shape.totalLayers);
    const int experts = std::max(1, shape.experts);
    setRows(m_main, experts, 0, std::max(1, shape.totalLayers));
    setRows(m_mtp, experts, m_mtpY, 1);
    m_mtp->setVisible(shape.mtpLayer >= 0);
    m_cursor.reset();
    m_pointed.reset();

    auto across = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Binary);
    across->setLast(experts - 1.0);
    xAxis->setTicker(across);
    auto down = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Decimal);
    down->setLast(shape.totalLayers - 1.0);
    if (shape.mtpLayer >= 0) {
        down->setNamed(m_mtpY, tr("MTP"));
    }
    yAxis->setTicker(down);
    xAxis->setLabel(
        shape.groups > 1
            ? tr("expert (%1 groups of %2)").arg(shape.groups).arg(experts / shape.groups)
            : tr("expert"));
    buildDecorations();
    resetZoom();
}

void RoutingMap::buildDecorations() {
    for (QCPAbstractItem* item : m_borders) {
        removeItem(item);
    }
    for (QCPItemText* label : m_denseLabels) {
        removeItem(label);
    }
    m_borders.clear();
    m_denseLabels.clear();
    m_denseBands.clear();
    if (m_gap != nullptr) {
        removeItem(m_gap);
        m_gap = nullptr;
    }
    if (m_shape.groups > 1) {
        const int size = m_shape.experts / m_shape.groups;
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
    if (m_shape.mtpLayer >= 0) {
        m_gap = new QCPItemRect(this);
        m_gap->setLayer(QStringLiteral("axes"));
        m_gap->setSelectable(false);
        m_gap->setPen(Qt::NoPen);
        m_gap->topLeft->setCoords(-1, m_shape.totalLayers - 0.5);
        m_gap->bottomRight->setCoords(m_shape.experts + 1.0, m_mtpY - 0.5);
    }
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
    restyle();
}

void RoutingMap::setValues(const std::vector<double>& values, bool relative) {
    const auto experts = static_cast<std::size_t>(m_shape.experts);
    const std::vector<int> layers = routedLayers();
    Q_ASSERT(values.size() == layers.size() * experts);
    for (std::size_t row = 0; row < layers.size(); ++row) {
        const bool mtp = row == m_shape.layers.size();
        QCPColorMapData* cells = mtp ? m_mtp->data() : m_main->data();
        const int y = mtp ? 0 : layers[row];
        const bool single = mtp || m_shape.totalLayers == 1;
        for (std::size_t e = 0; e < experts; ++e) {
            const double value = values[row * experts + e];
            const double drawn = relative ? std::log2(1.0 + value) : value;
            cells->setCell(static_cast<int>(e), y, drawn);
            if (single) {
                cells->setCell(static_cast<int>(e), y + 1, drawn);
            }
        }
    }
    placeMarkers();
    replot(rpQueuedReplot);
}

void RoutingMap::setRelativeValues(const std::vector<double>& values, const QString& name) {
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    ticker->addTick(0, QStringLiteral("0"));
    ticker->addTick(std::log2(1.5), QStringLiteral("½×"));
    ticker->addTick(1, QStringLiteral("1×"));
    ticker->addTick(std::log2(3.0), QStringLiteral("2×"));
    ticker->addTick(2, QStringLiteral("≥ 3×"));
    m_scale->axis()->setTicker(ticker);
    m_scale->axis()->setLabel(tr("%1, log₂(1 + x)").arg(name));
    m_scale->setDataRange({0, 2});
    setValues(values, true);
}

void RoutingMap::setWeights(const std::vector<double>& values, double largest,
                            const QString& name) {
    const double top = largest > 0 ? largest : 1;
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    for (const double part : {0.0, 0.5, 1.0}) {
        ticker->addTick(part * top, threeDigits(part * top));
    }
    m_scale->axis()->setTicker(ticker);
    m_scale->axis()->setLabel(name);
    m_scale->setDataRange({0, top});
    setValues(values, false);
}

void RoutingMap::setSelected(std::optional<int> layer, std::optional<int> expert) {
    m_selectedLayer = layer;
    m_selectedExpert = expert;
    placeMarkers();
    QCustomPlot::layer(QStringLiteral("overlay"))->replot();
}

std::optional<MapCell> RoutingMap::cellAt(const QPointF& pixel) const {
    if (m_shape.experts <= 0 || !axisRect()->rect().contains(pixel.toPoint())) {
        return std::nullopt;
    }
    const int layer = layerAt(yAxis->pixelToCoord(pixel.y()));
    const int expert = qRound(xAxis->pixelToCoord(pixel.x()));
    if (layer < 0 || expert < 0 || expert >= m_shape.experts) {
        return std::nullopt;
    }
    return MapCell{layer, isDense(layer) ? -1 : expert};
}

QPointF RoutingMap::pixelOf(MapCell cell) const {
    return {xAxis->coordToPixel(cell.expert), yAxis->coordToPixel(yOf(cell.layer))};
}

double RoutingMap::drawnValue(MapCell cell) const {
    if (cell.expert < 0 || cell.expert >= m_shape.experts) {
        return kNaN;
    }
    return m_shape.mtpLayer >= 0 && cell.layer == m_shape.mtpLayer
               ? m_mtp->data()->cell(cell.expert, 0)
               : m_main->data()->cell(cell.expert, cell.layer);
}

void RoutingMap::showTip(const QString& text) {
    if (text.isEmpty()) {
        QToolTip::hideText();
    } else {
        QToolTip::showText(QCursor::pos(), plainToolTip(text), this);
    }
}

void RoutingMap::resetZoom() {
    xAxis->setRange(-0.5, std::max(1, m_shape.experts) - 0.5);
    yAxis->setRange(-0.5, std::max(0.5, bottom()));
    replot(rpQueuedReplot);
}

void RoutingMap::keepInside(QCPAxis* axis, const QCPRange& range, double minimum) {
    const double upper =
        axis == xAxis ? std::max(1, m_shape.experts) - 0.5 : std::max(0.5, bottom());
    QCPRange wanted = range;
    const double smallest = std::min(minimum, upper + 0.5);
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
            center = axis == xAxis ? m_cursor->expert : yOf(m_cursor->layer);
        }
        axis->scaleRange(factor, center);
    }
    replot(rpQueuedReplot);
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
    axisRect()->setBackground(hatchBrush(palette()));  // shows wherever the maps are transparent
    if (m_gap != nullptr) {
        m_gap->setBrush(base);
    }
    for (QCPAbstractItem* border : m_borders) {
        static_cast<QCPItemLine*>(border)->setPen(QPen(QColor(255, 255, 255, 110), 1));
    }
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
    const double left = expert >= 0 ? expert - halfX : -0.5;
    const double right = expert >= 0 ? expert + halfX : m_shape.experts - 0.5;
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

void RoutingMap::mousePressEvent(QMouseEvent* event) {
    m_pressed = event->pos();
    m_pressedLeft = event->button() == Qt::LeftButton;
    QCustomPlot::mousePressEvent(event);
}

void RoutingMap::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const std::optional<MapCell> cell = cellAt(event->position());
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

void RoutingMap::moveCursor(int rows, int experts) {
    const std::vector<int> layers = routedLayers();
    if (layers.empty() || m_shape.experts <= 0) {
        return;
    }
    if (!m_cursor) {
        m_cursor = MapCell{layers.front(), 0};
    } else {
        const auto at = std::find(layers.begin(), layers.end(), m_cursor->layer) - layers.begin();
        const auto last = static_cast<std::ptrdiff_t>(layers.size()) - 1;
        const auto row = std::clamp<std::ptrdiff_t>(at + rows, 0, last);
        m_cursor->layer = layers[static_cast<std::size_t>(row)];
        m_cursor->expert = std::clamp(m_cursor->expert + experts, 0, m_shape.experts - 1);
    }
    showCursorCell();
}

void RoutingMap::showCursorCell() {
    const auto show = [](QCPAxis* axis, double at) {
        const QCPRange range = axis->range();
        if (at - 0.5 < range.lower) {
            axis->moveRange(at - 0.5 - range.lower);
        } else if (at + 0.5 > range.upper) {
            axis->moveRange(at + 0.5 - range.upper);
        }
    };
    show(xAxis, m_cursor->expert);
    show(yAxis, yOf(m_cursor->layer));
    placeMarkers();
    replot(rpQueuedReplot);
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
    placeMarkers();
    layer(QStringLiteral("overlay"))->replot();
}

void RoutingMap::focusOutEvent(QFocusEvent* event) {
    QCustomPlot::focusOutEvent(event);
    placeMarkers();
    layer(QStringLiteral("overlay"))->replot();
}

void RoutingMap::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_scale != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

}  // namespace gatescope
