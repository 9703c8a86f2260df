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
    // One buffer for everything: a second one of this size costs more at 30 pictures a second than
    // drawing the cells again does when the cursor moves.
    layer(QStringLiteral("overlay"))->setMode(QCPLayer::lmLogical);
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

    buildScale();
    m_selectedOutline = makeOutline(Qt::SolidLine);
    m_cursorOutline = makeOutline(Qt::DotLine);
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange& range) { keepInside(xAxis, range); });
    connect(yAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange& range) { keepInside(yAxis, range); });
    connect(this, &QCustomPlot::beforeReplot, this, &RoutingMap::beforeDrawing);
    restyle();
}

void RoutingMap::buildScale() {
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
    applyScale();
}

bool RoutingMap::isDense(int layer) const {
    return layer != m_shape.mtpLayer &&
           !std::binary_search(m_shape.layers.begin(), m_shape.layers.end(), layer);
}

int RoutingMap::rowOf(int layer) const {
    if (m_shape.mtpLayer >= 0 && layer == m_shape.mtpLayer) {
        return static_cast<int>(m_shape.layers.size());
    }
    const auto found = std::lower_bound(m_shape.layers.begin(), m_shape.layers.end(), layer);
    return found != m_shape.layers.end() && *found == layer
               ? static_cast<int>(found - m_shape.layers.begin())
               : -1;
}

int RoutingMap::expertAt(int layer, int column) const {
    const int row = rowOf(layer);
    return m_experts.empty() || row < 0
               ? column
               : m_experts[static_cast<std::size_t>(row * m_shape.experts + column)];
}

int RoutingMap::columnOf(MapCell cell) const {
    const int row = rowOf(cell.layer);
    if (m_experts.empty() || row < 0) {
        return cell.expert;
    }
    const auto first = m_experts.begin() + static_cast<std::ptrdiff_t>(row) * m_shape.experts;
    const auto found = std::find(first, first + m_shape.experts, cell.expert);
    return found == first + m_shape.experts ? cell.expert : static_cast<int>(found - first);
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
    m_experts.clear();
    setHatched({});
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
    buildFrame();
    resetZoom();
}

void RoutingMap::setExperts(std::vector<int> experts) {
    Q_ASSERT(experts.empty() ||
             experts.size() == routedLayers().size() * static_cast<std::size_t>(m_shape.experts));
    const bool other = experts.empty() != m_experts.empty();
    m_experts = std::move(experts);
    if (other) {
        styleBorders();
    }
}

void RoutingMap::setValues(const std::vector<double>& values, const MapScale& scale) {
    const std::vector<int> layers = routedLayers();
    Q_ASSERT(values.size() == layers.size() * static_cast<std::size_t>(m_shape.experts));
    const bool relative = scale.kind == MapScale::Kind::Relative;
    std::vector<int> hatched;
    for (int layer = 0; layer < m_shape.totalLayers; ++layer) {
        if (isDense(layer)) {
            hatched.push_back(layer);
        }
    }
    std::size_t index = 0;
    for (std::size_t row = 0; row < layers.size(); ++row) {
        const bool mtp = row == m_shape.layers.size();
        const double* own = values.data() + row * static_cast<std::size_t>(m_shape.experts);
        QCPColorMapData* cells = mtp ? m_mtp->data() : m_main->data();
        const int y = mtp ? 0 : layers[row];
        const bool single = mtp || m_shape.totalLayers == 1;
        bool missing = false;
        for (int column = 0; column < m_shape.experts; ++column, ++index) {
            const double value = own[m_experts.empty() ? column : m_experts[index]];
            const double drawn = relative ? std::log2(1.0 + value) : value;
            missing = missing || std::isnan(value);
            cells->setCell(column, y, drawn);
            if (single) {
                cells->setCell(column, y + 1, drawn);
            }
        }
        if (missing) {
            hatched.push_back(layers[row]);
        }
    }
    std::sort(hatched.begin(), hatched.end());
    setHatched(hatched);
    if (scale != m_mapScale) {
        m_mapScale = scale;
        applyScale();
    }
    placeMarkers();
    replot(rpQueuedReplot);
}

void RoutingMap::applyScale() {
    using Kind = MapScale::Kind;
    const double limit = m_mapScale.limit;
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    QString label = m_mapScale.name;
    if (m_mapScale.kind == Kind::Relative) {
        ticker->addTick(0, QStringLiteral("0"));
        ticker->addTick(std::log2(1.5), QStringLiteral("½×"));
        ticker->addTick(1, QStringLiteral("1×"));
        ticker->addTick(std::log2(3.0), QStringLiteral("2×"));
        ticker->addTick(2, QStringLiteral("≥ 3×"));
        label = tr("%1, log₂(1 + x)").arg(label);
        m_scale->setDataRange({0, 2});
    } else if (m_mapScale.kind == Kind::Weight) {
        for (const double part : {0.0, 0.5, 1.0}) {
            ticker->addTick(part * limit, threeDigits(part * limit));
        }
        m_scale->setDataRange({0, limit});
    } else {
        const QString end = QString::number(limit);  // powers of two: few digits
        const QString half = QString::number(limit / 2);
        ticker->addTick(-limit, QStringLiteral("≤ −") + end);
        ticker->addTick(-limit / 2, QStringLiteral("−") + half);
        ticker->addTick(0, QStringLiteral("0"));
        ticker->addTick(limit / 2, QStringLiteral("+") + half);
        ticker->addTick(limit, QStringLiteral("≥ +") + end);
        m_scale->setDataRange({-limit, limit});
    }
    m_scale->axis()->setTicker(ticker);
    m_scale->axis()->setLabel(label);
    applyGradient();
}

void RoutingMap::applyGradient() {
    m_scale->setGradient(m_mapScale.kind == MapScale::Kind::Diverging
                             ? blueWhiteOrange(isDark(palette()))
                             : viridis());
    styleBorders();
}

void RoutingMap::setSelected(std::optional<int> layer, std::optional<int> expert) {
    if (layer != m_selectedLayer || expert != m_selectedExpert) {
        m_selectedLayer = layer;
        m_selectedExpert = expert;
        placeMarkers();
        replot(rpQueuedReplot);
    }
}

std::optional<MapCell> RoutingMap::cellAt(const QPointF& pixel) const {
    if (m_shape.experts <= 0 || !axisRect()->rect().contains(pixel.toPoint())) {
        return std::nullopt;
    }
    const int layer = layerAt(yAxis->pixelToCoord(pixel.y()));
    const int column = qRound(xAxis->pixelToCoord(pixel.x()));
    if (layer < 0 || column < 0 || column >= m_shape.experts) {
        return std::nullopt;
    }
    return MapCell{layer, isDense(layer) ? -1 : expertAt(layer, column)};
}

QPointF RoutingMap::pixelOf(MapCell cell) const {
    return {xAxis->coordToPixel(columnOf(cell)), yAxis->coordToPixel(yOf(cell.layer))};
}

double RoutingMap::drawnValue(MapCell cell) const {
    if (cell.expert < 0 || cell.expert >= m_shape.experts) {
        return kNaN;
    }
    const int column = columnOf(cell);
    return m_shape.mtpLayer >= 0 && cell.layer == m_shape.mtpLayer
               ? m_mtp->data()->cell(column, 0)
               : m_main->data()->cell(column, cell.layer);
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

void RoutingMap::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_scale != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

}  // namespace gatescope
