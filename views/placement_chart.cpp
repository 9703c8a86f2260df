// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/placement_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/index_ticker.h"
#include "views/placement_tables.h"
#include "views/plot_legend.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kGroupWidth = 0.76;  // of both bars of a GPU, which are 1 apart

}  // namespace

PlacementChart::PlacementChart(QWidget* parent) : QCustomPlot(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(25 * kGrid, 22 * kGrid);
    setAccessibleName(tr("Load of each GPU"));
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    xAxis->grid()->setVisible(false);
    xAxis->setTicker(QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Binary));
    xAxis->setLabel(tr("GPU"));
    yAxis->setLabel(tr("load over the mean"));
    yAxis->ticker()->setTickCount(4);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, 2 * kGrid, kGrid / 2));
    m_sides = new QCPBarsGroup(this);
    m_sides->setSpacing(0);
    m_before = new QCPBars(xAxis, yAxis);
    m_after = new QCPBars(xAxis, yAxis);
    for (QCPBars* bars : {m_before, m_after}) {
        bars->setPen(Qt::NoPen);
        bars->setWidth(kGroupWidth / 2);
    }
    m_after->setName(tr("placed"));
    placeLegendOnTop(this);
    m_even = new QCPItemLine(this);
    m_cursor = new QCPItemLine(this);
    m_cursor->setVisible(false);
    fill();
    restyle();
}

int PlacementChart::gpus() const {
    return m_plan ? static_cast<int>(m_plan->after.gpuLoads.size()) : 0;
}

void PlacementChart::setPlan(std::shared_ptr<const PlacementPlan> plan) {
    m_plan = std::move(plan);
    fill();
    point(m_pointed < gpus() ? m_pointed : -1);
}

void PlacementChart::fill() {
    double top = 1;
    const auto set = [&top](QCPBars* bars, const std::vector<double>& loads) {
        QVector<double> keys;
        QVector<double> values;
        for (std::size_t gpu = 0; gpu < loads.size(); ++gpu) {
            if (!std::isfinite(loads[gpu])) {
                continue;
            }
            keys.push_back(static_cast<double>(gpu));
            values.push_back(loads[gpu]);
            top = std::max(top, loads[gpu]);
        }
        bars->setData(keys, values, true);
    };
    const bool before = m_plan && m_plan->before;
    set(m_before, before ? m_plan->before->gpuLoads : std::vector<double>());
    set(m_after, m_plan ? m_plan->after.gpuLoads : std::vector<double>());
    if (m_plan) {
        m_before->setName(placementBeforeText(*m_plan));
    }
    for (QCPBars* bars : {m_before, m_after}) {  // in this order from left to right
        bars->removeFromLegend();
        bars->setBarsGroup(nullptr);
        if (bars == m_after || before) {
            bars->addToLegend();
            bars->setBarsGroup(m_sides);
        }
    }
    const double end = std::max(1, gpus()) - 0.5;
    if (auto ticker = xAxis->ticker().dynamicCast<IndexTicker>()) {
        ticker->setLast(end - 0.5);
    }
    xAxis->setRange(-0.5, end);
    yAxis->setRange(0, 1.08 * top);
    m_even->start->setCoords(-0.5, 1);
    m_even->end->setCoords(end, 1);
}

QPointF PlacementChart::pixelOf(int gpu) const {
    return {xAxis->coordToPixel(gpu), static_cast<double>(axisRect()->rect().center().y())};
}

void PlacementChart::point(int gpu) {
    m_pointed = gpu;
    m_cursor->setVisible(gpu >= 0);
    if (gpu >= 0) {
        m_cursor->start->setCoords(gpu, 0);
        m_cursor->end->setCoords(gpu, yAxis->range().upper);
    }
    replot(rpQueuedReplot);
    Q_EMIT pointed(gpu);
}

void PlacementChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int at = static_cast<int>(std::lround(xAxis->pixelToCoord(event->position().x())));
    const bool inside = axisRect()->rect().contains(event->pos()) && at >= 0 && at < gpus();
    point(inside ? at : -1);
    if (inside) {
        QToolTip::showText(event->globalPosition().toPoint(),
                           plainToolTip(gpuLoadText(*m_plan, at)), this);
    }
}

void PlacementChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
}

void PlacementChart::keyPressEvent(QKeyEvent* event) {
    const bool left = event->key() == Qt::Key_Left;
    if (gpus() == 0 || (!left && event->key() != Qt::Key_Right)) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const int from = m_pointed >= 0 ? m_pointed : (left ? gpus() : -1);
    point(std::clamp(from + (left ? -1 : 1), 0, gpus() - 1));
}

void PlacementChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void PlacementChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    m_before->setBrush(colours.neutral);
    m_after->setBrush(colours.accent);
    m_even->setPen(QPen(palette().color(QPalette::Text), 1, Qt::DashLine));
    m_cursor->setPen(QPen(palette().color(QPalette::Text), 1));
    xAxis->setBasePen(Qt::NoPen);
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
