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

}  // namespace

/// What lies within the axes, for whoever draws the plot's layers.
class RoutingMap::Inside final : public QCPLayerable {
  public:
    explicit Inside(RoutingMap* map) : QCPLayerable(map, QStringLiteral("main")), m_map(map) {}

  protected:
    QRect clipRect() const override { return m_map->axisRect()->rect(); }
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override {
        painter->setAntialiasing(false);
    }
    void draw(QCPPainter* painter) override { m_map->drawInside(painter); }

  private:
    RoutingMap* m_map;
};

RoutingMap::RoutingMap(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    setMinimumSize(25 * kGrid, 15 * kGrid);
    // One buffer for everything: what changes often is painted past it, see paintEvent().
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
    new Inside(this);  // the plot owns it
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange& range) { keepInside(xAxis, range); });
    connect(yAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
            [this](const QCPRange& range) { keepInside(yAxis, range); });
    connect(this, &QCustomPlot::beforeReplot, this, &RoutingMap::beforeDrawing);
    restyle();
}

void RoutingMap::buildScale() {
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

std::size_t RoutingMap::indexOf(int row, int expert) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(m_shape.experts) +
           static_cast<std::size_t>(expert);
}

double RoutingMap::valueAt(int row, int column) const {
    const std::size_t place = indexOf(row, column);
    return m_values[m_experts.empty() ? place : indexOf(row, m_experts[place])];
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
    m_values.assign(routedLayers().size() * static_cast<std::size_t>(std::max(0, shape.experts)),
                    kNaN);
    // A gap of about five pixels at any number of layers.
    m_mtpY = shape.totalLayers + std::max(0.2, 0.012 * shape.totalLayers);
    findDenseBands();
    findHatches();
    m_cursor.reset();
    m_pointed.reset();

    const int experts = std::max(1, shape.experts);
    auto across = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Binary);
    across->setLast(experts - 1.0);
    xAxis->setTicker(across);
    auto down = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Decimal);
    down->setLast(shape.totalLayers - 1.0);
    if (shape.mtpLayer >= 0) {
        down->setNamed(m_mtpY, tr("MTP"));
    }
    yAxis->setTicker(down);
    labelAcross();
    resetZoom();
}

void RoutingMap::setExperts(std::vector<int> experts) {
    Q_ASSERT(experts.empty() ||
             experts.size() == routedLayers().size() * static_cast<std::size_t>(m_shape.experts));
    const bool other = experts.empty() != m_experts.empty();
    m_experts = std::move(experts);
    if (other) {
        labelAcross();
        replot(rpQueuedReplot);
    }
}

void RoutingMap::setValues(const std::vector<double>& values, const MapScale& scale) {
    Q_ASSERT(values.size() == m_values.size());
    m_values = values;
    findHatches();
    if (scale != m_mapScale) {
        m_mapScale = scale;
        applyScale();
        replot(rpQueuedReplot);
    }
    repaintInside();
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
    } else if (m_mapScale.kind == Kind::Weight) {
        for (const double part : {0.0, 0.5, 1.0}) {
            ticker->addTick(part * limit, threeDigits(part * limit));
        }
    } else {
        const QString end = QString::number(limit);  // powers of two: few digits
        const QString half = QString::number(limit / 2);
        ticker->addTick(-limit, QStringLiteral("≤ −") + end);
        ticker->addTick(-limit / 2, QStringLiteral("−") + half);
        ticker->addTick(0, QStringLiteral("0"));
        ticker->addTick(limit / 2, QStringLiteral("+") + half);
        ticker->addTick(limit, QStringLiteral("≥ +") + end);
    }
    m_scale->setDataRange(m_mapScale.range());
    m_scale->axis()->setTicker(ticker);
    m_scale->axis()->setLabel(label);
    applyGradient();
}

void RoutingMap::applyGradient() {
    const QCPColorGradient gradient = m_mapScale.kind == MapScale::Kind::Diverging
                                          ? blueWhiteOrange(isDark(palette()))
                                          : viridis();
    m_scale->setGradient(gradient);
    m_colours =
        CellColours(m_mapScale, gradient, palette().color(QPalette::Active, QPalette::Base).rgb());
}

void RoutingMap::setSelected(std::optional<int> layer, std::optional<int> expert) {
    if (layer != m_selectedLayer || expert != m_selectedExpert) {
        m_selectedLayer = layer;
        m_selectedExpert = expert;
        repaintInside();
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
    const int row = rowOf(cell.layer);
    return row < 0 ? kNaN : m_mapScale.drawn(m_values[indexOf(row, cell.expert)]);
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
