// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_layers_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "views/compare_texts.h"
#include "views/index_ticker.h"
#include "views/plot_legend.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMtpGap = 2;    // layers between the last main layer and the MTP layer
constexpr double kBeside = 0.2;  // of a layer, how far the halves' marks stand from its middle

}  // namespace

CompareLayersChart::CompareLayersChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 15 * kGrid);
    xAxis->grid()->setVisible(false);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    yAxis->ticker()->setTickCount(4);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid, kGrid, kGrid / 2));
    m_zero = new QCPItemStraightLine(this);
    m_zero->point1->setCoords(0, 0);
    m_zero->point2->setCoords(1, 0);
    m_zero->setLayer(QStringLiteral("grid"));
    m_cursor = new QCPItemStraightLine(this);
    m_cursor->setSelectable(false);
    m_cursor->setLayer(QStringLiteral("grid"));
    m_limit = addGraph();
    m_limit->setName(tr("95 % of exchanged"));
    m_selfA = addMarks(tr("halves of A"));
    m_selfB = addMarks(tr("halves of B"));
    m_chance = addMarks(tr("as chance"));
    m_beyond = addMarks(tr("beyond chance"));
    makeLegend();
    restyle();
}

QCPGraph* CompareLayersChart::addMarks(const QString& name) {
    QCPGraph* marks = addGraph();
    marks->setLineStyle(QCPGraph::lsNone);
    marks->setName(name);
    return marks;
}

void CompareLayersChart::makeLegend() {
    placeLegendOnTop(this, 3);
    legend->setRowSpacing(0);
}

const PairComparison* CompareLayersChart::pair() const {
    return m_comparison != nullptr && m_pair < m_comparison->pairs.size()
               ? &m_comparison->pairs[m_pair]
               : nullptr;
}

int CompareLayersChart::rows() const {
    return pair() != nullptr ? static_cast<int>(pair()->layers.size()) : 0;
}

const LayerComparison& CompareLayersChart::row(int index) const {
    return pair()->layers[static_cast<std::size_t>(index)];
}

void CompareLayersChart::setPair(std::shared_ptr<const Comparison> comparison, std::size_t pair) {
    m_comparison = std::move(comparison);
    m_pair = pair;
    m_pointed = std::min(m_pointed, rows() - 1);
    if (rows() > 0) {
        const CompareTexts texts(*m_comparison, *this->pair());
        m_selfA->setName(tr("halves of %1").arg(texts.labelA()));
        m_selfB->setName(tr("halves of %1").arg(texts.labelB()));
    }
    fill();
}

void CompareLayersChart::setSelected(std::optional<int> layer) {
    m_selected = layer;
    placeCursor();
    replot(rpQueuedReplot);
}

double CompareLayersChart::keyOf(int index) const {
    if (!row(index).mtp) {
        return row(index).layer;
    }
    const double last = index > 0 ? row(index - 1).layer : 0;
    return std::max(last + kMtpGap, static_cast<double>(row(index).layer));
}

QPointF CompareLayersChart::pixelOfRow(int index) const {
    const double value = row(index).stratified - row(index).nullMean;
    return {xAxis->coordToPixel(keyOf(index)),
            yAxis->coordToPixel(std::isnan(value) ? yAxis->range().center() : value)};
}

void CompareLayersChart::fillNull() {
    QVector<double> keys, limits;
    for (int i = 0; i < rows(); ++i) {
        if (row(i).mtp && i > 0) {  // its null hangs together with no other
            keys.push_back(keyOf(i) - 0.9);
            limits.push_back(kNaN);
        }
        for (const double side : {-0.5, 0.5}) {
            keys.push_back(keyOf(i) + side);
            limits.push_back(row(i).nullP95 - row(i).nullMean);
        }
    }
    m_limit->setData(keys, limits, true);
}

void CompareLayersChart::fill() {
    double lowest = 0;
    double highest = 0;
    const auto add = [&](QCPGraph* to, double key, double value) {
        if (std::isfinite(value)) {
            to->addData(key, value);
            lowest = std::min(lowest, value);
            highest = std::max(highest, value);
        }
    };
    for (QCPGraph* marks : {m_selfA, m_selfB, m_chance, m_beyond}) {
        marks->data()->clear();
    }
    for (int i = 0; i < rows(); ++i) {
        const LayerComparison& at = row(i);
        add(m_selfA, keyOf(i) - kBeside, at.selfA.divergence.corrected);
        add(m_selfB, keyOf(i) + kBeside, at.selfB.divergence.corrected);
        const bool beyond = at.holm <= pair()->options.alpha;
        add(beyond ? m_beyond : m_chance, keyOf(i), at.stratified - at.nullMean);
        const double limit = at.nullP95 - at.nullMean;
        highest = std::isfinite(limit) ? std::max(highest, limit) : highest;
    }
    fillNull();
    fillAxis();
    const double span = std::max(highest - lowest, 1e-6);
    yAxis->setRange(lowest - 0.08 * span, highest + 0.08 * span);
    xAxis->setLabel(tr("layer"));
    yAxis->setLabel(tr("divergence above chance, bit"));
    placeCursor();
    replot(rpQueuedReplot);
}

void CompareLayersChart::fillAxis() {
    auto ticker = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Decimal);
    const bool mtp = rows() > 0 && row(rows() - 1).mtp;
    const int lastMain = rows() - (mtp ? 2 : 1);
    ticker->setLast(lastMain >= 0 ? row(lastMain).layer : 0);
    if (mtp) {
        ticker->setNamed(keyOf(rows() - 1), tr("MTP"));
    }
    xAxis->setTicker(ticker);
    if (rows() > 0) {
        xAxis->setRange(keyOf(0) - 1, keyOf(rows() - 1) + 1);
    }
}

void CompareLayersChart::placeCursor() {
    int index = m_pointed;
    for (int i = 0; i < rows() && m_pointed < 0; ++i) {
        if (row(i).layer == m_selected) {
            index = i;
        }
    }
    m_cursor->setVisible(index >= 0 && index < rows());
    if (m_cursor->visible()) {
        m_cursor->point1->setCoords(keyOf(index), 0);
        m_cursor->point2->setCoords(keyOf(index), 1);
    }
}

int CompareLayersChart::rowAt(const QPointF& pixel) const {
    int nearest = -1;
    double distance = 2 * kGrid;
    for (int i = 0; i < rows() && axisRect()->rect().contains(pixel.toPoint()); ++i) {
        const double away = std::abs(xAxis->coordToPixel(keyOf(i)) - pixel.x());
        if (away < distance) {
            distance = away;
            nearest = i;
        }
    }
    return nearest;
}

QString CompareLayersChart::pointedText() const {
    return m_pointed < 0 || m_pointed >= rows()
               ? QString()
               : CompareTexts(*m_comparison, *pair()).layer(row(m_pointed));
}

void CompareLayersChart::point(int index) {
    m_pointed = index;
    placeCursor();
    replot(rpQueuedReplot);
    Q_EMIT pointed(pointedText());
}

void CompareLayersChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int index = rowAt(event->position());
    if (index != m_pointed) {
        point(index);
    }
}

void CompareLayersChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const int index = rowAt(event->position());
    if (event->button() == Qt::LeftButton && index >= 0) {
        Q_EMIT layerChosen(row(index).layer);
    }
}

void CompareLayersChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
}

void CompareLayersChart::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter ||
                       event->key() == Qt::Key_Space;
    if (enter && m_pointed >= 0 && m_pointed < rows()) {
        Q_EMIT layerChosen(row(m_pointed).layer);
        return;
    }
    if (rows() == 0) {
        return QCustomPlot::keyPressEvent(event);
    }
    switch (event->key()) {
        case Qt::Key_Left:
            return point(std::max(m_pointed - 1, 0));
        case Qt::Key_Right:
            return point(std::min(m_pointed + 1, rows() - 1));
        case Qt::Key_Home:
            return point(0);
        case Qt::Key_End:
            return point(rows() - 1);
        default:
            QCustomPlot::keyPressEvent(event);
    }
}

void CompareLayersChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr && m_beyond != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void CompareLayersChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    using Shape = QCPScatterStyle;
    m_limit->setPen(QPen(colours.muted, 1, Qt::DashLine));
    m_selfA->setScatterStyle(Shape(Shape::ssTriangle, QPen(colours.neutral, 1), Qt::NoBrush, 5));
    m_selfB->setScatterStyle(
        Shape(Shape::ssTriangleInverted, QPen(colours.neutral, 1), Qt::NoBrush, 5));
    m_chance->setScatterStyle(
        Shape(Shape::ssCircle, QPen(palette().color(QPalette::Text), 1), Qt::NoBrush, 6));
    m_beyond->setScatterStyle(
        Shape(Shape::ssDiamond, QPen(colours.accent, 1), QBrush(colours.accent), 8));
    m_zero->setPen(QPen(colours.grid, 1));
    m_cursor->setPen(QPen(colours.grid, 2));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
