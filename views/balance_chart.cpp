// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/balance_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "views/formats.h"
#include "views/index_ticker.h"
#include "views/plot_legend.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMtpGap = 2;  // layers between the last main layer and the MTP layer

}  // namespace

BalanceChart::BalanceChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 13 * kGrid);
    xAxis->grid()->setVisible(false);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    yAxis->ticker()->setTickCount(4);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid, kGrid, kGrid / 2));

    m_nullMean = addGraph();
    m_nullMean->setName(tr("uniform router"));
    m_nullP95 = addGraph();
    m_nullP95->setName(tr("95 %"));
    m_all = addGraph();
    m_all->setLineStyle(QCPGraph::lsNone);
    m_stems = new QCPErrorBars(xAxis, yAxis);
    m_stems->setDataPlottable(m_all);
    m_stems->setWhiskerWidth(0);
    m_stems->setSymbolGap(0);
    m_ordinary = addGraph();
    m_ordinary->setLineStyle(QCPGraph::lsNone);
    m_ordinary->setName(tr("as chance"));
    m_beyond = addGraph();
    m_beyond->setLineStyle(QCPGraph::lsNone);
    m_beyond->setName(tr("beyond"));
    m_all->removeFromLegend();
    m_stems->removeFromLegend();
    m_cursor = new QCPItemStraightLine(this);
    m_cursor->setSelectable(false);
    m_cursor->setLayer(QStringLiteral("grid"));

    placeLegendOnTop(this);
    restyle();
}

void BalanceChart::setContent(std::shared_ptr<const BalanceValue> value,
                              const BalanceMetricInfo& metric) {
    m_value = std::move(value);
    m_metric = metric;
    m_pointed = std::min(m_pointed, rows() - 1);
    fill();
}

void BalanceChart::setSelected(std::optional<int> layer) {
    m_selected = layer;
    placeCursor();
    replot(rpQueuedReplot);
}

double BalanceChart::keyOf(int index) const {
    if (!row(index).mtp) {
        return row(index).layer;
    }
    const double last = index > 0 ? row(index - 1).layer : 0;
    return std::max(last + kMtpGap, static_cast<double>(row(index).layer));
}

QPointF BalanceChart::pixelOfRow(int index) const {
    const double value = m_metric.of(row(index)).value;
    return {xAxis->coordToPixel(keyOf(index)),
            yAxis->coordToPixel(std::isnan(value) ? yAxis->range().center() : value)};
}

void BalanceChart::fillNull() {
    QVector<double> keys, means, limits;
    for (int i = 0; i < rows(); ++i) {
        const BalanceMetric& at = m_metric.of(row(i));
        if (row(i).mtp && i > 0) {  // its null hangs together with no other
            keys.push_back(keyOf(i) - 0.9);
            means.push_back(kNaN);
            limits.push_back(kNaN);
        }
        for (const double side : {-0.5, 0.5}) {
            keys.push_back(keyOf(i) + side);
            means.push_back(at.nullMean);
            limits.push_back(at.nullP95);
        }
    }
    m_nullMean->setData(keys, means, true);
    m_nullP95->setData(keys, limits, true);
}

void BalanceChart::fill() {
    QVector<double> keys, values, below, above;
    QVector<double> ordinary[2];
    QVector<double> beyond[2];
    double lowest = std::numeric_limits<double>::infinity();
    double highest = -lowest;
    for (int i = 0; i < rows(); ++i) {
        const BalanceMetric& at = m_metric.of(row(i));
        for (const double value : {at.value, at.nullMean, at.nullP95}) {
            if (!std::isnan(value)) {
                lowest = std::min(lowest, value);
                highest = std::max(highest, value);
            }
        }
        if (std::isnan(at.value)) {
            continue;
        }
        keys.push_back(keyOf(i));
        values.push_back(at.value);
        below.push_back(std::max(0.0, at.excess));
        above.push_back(std::max(0.0, -at.excess));
        auto& series = at.beyond ? beyond : ordinary;
        series[0].push_back(keyOf(i));
        series[1].push_back(at.value);
    }
    m_all->setData(keys, values, true);
    m_stems->setData(below, above);
    m_ordinary->setData(ordinary[0], ordinary[1], true);
    m_beyond->setData(beyond[0], beyond[1], true);
    fillNull();

    fillAxis();
    if (lowest <= highest) {
        const double span = std::max(highest - lowest, 1e-6 * std::max(1.0, std::abs(highest)));
        yAxis->setRange(lowest - 0.08 * span, highest + 0.08 * span);
    }
    xAxis->setLabel(tr("%1, by layer").arg(m_metric.name));
    placeCursor();
    replot(rpQueuedReplot);
}

void BalanceChart::fillAxis() {
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

int BalanceChart::rowOfLayer(std::optional<int> layer) const {
    for (int i = 0; i < rows() && layer; ++i) {
        if (row(i).layer == *layer) {
            return i;
        }
    }
    return -1;
}

void BalanceChart::placeCursor() {
    const int index = m_pointed >= 0 ? m_pointed : rowOfLayer(m_selected);
    m_cursor->setVisible(index >= 0 && index < rows());
    if (m_cursor->visible()) {
        m_cursor->point1->setCoords(keyOf(index), 0);
        m_cursor->point2->setCoords(keyOf(index), 1);
    }
}

int BalanceChart::rowAt(const QPointF& pixel) const {
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

void BalanceChart::point(int index) {
    m_pointed = index;
    placeCursor();
    replot(rpQueuedReplot);
    Q_EMIT pointed(index < 0 ? QString()
                             : balanceLayerName(row(index)) + QStringLiteral(" · ") +
                                   balanceMetricText(m_metric, row(index)));
}

void BalanceChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int index = rowAt(event->position());
    if (index != m_pointed) {
        point(index);
    }
}

void BalanceChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const int index = rowAt(event->position());
    if (event->button() == Qt::LeftButton && index >= 0) {
        Q_EMIT layerChosen(row(index).layer);
    }
}

void BalanceChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
}

void BalanceChart::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter ||
                       event->key() == Qt::Key_Space;
    if (enter && m_pointed >= 0) {
        Q_EMIT layerChosen(row(m_pointed).layer);
        return;
    }
    if (rows() == 0 || (event->key() != Qt::Key_Left && event->key() != Qt::Key_Right)) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const int step = event->key() == Qt::Key_Left ? -1 : 1;
    const int from = m_pointed >= 0 ? m_pointed : rowOfLayer(m_selected);
    point(std::clamp(from + step, 0, rows() - 1));
}

void BalanceChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void BalanceChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    const QColor strong = palette().color(QPalette::Text);
    m_nullMean->setPen(QPen(colours.muted, 1));
    m_nullP95->setPen(QPen(colours.muted, 1, Qt::DashLine));
    m_stems->setPen(QPen(colours.neutral, 1));
    m_ordinary->setPen(QPen(colours.neutral, 1));
    m_beyond->setPen(QPen(strong, 1));
    m_ordinary->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(colours.muted, 1),
                                                palette().color(QPalette::Base), 5));
    m_beyond->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, QPen(strong, 1), strong, 6));
    m_cursor->setPen(QPen(colours.accent, 1));
    xAxis->setBasePen(Qt::NoPen);
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
