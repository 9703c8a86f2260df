// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

// The strip lies below the rate's zero, in the rate's own coordinates (a share of 1).
constexpr double kStripTop = -0.10;
constexpr double kStripBottom = -0.28;
constexpr int kCellPixels = 4;
constexpr std::size_t kFewestForRate = 8;

}  // namespace

SpeculationChart::SpeculationChart(QWidget* parent) : QCustomPlot(parent) {
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 15 * kGrid);
    xAxis->setSubTicks(false);
    xAxis->setTickLength(0, 0);
    xAxis->grid()->setVisible(false);
    xAxis->setLabel(tr("verify step"));
    xAxis->setLabelPadding(2);
    xAxis->ticker()->setTickCount(6);
    xAxis->setNumberFormat(QStringLiteral("f"));
    xAxis->setNumberPrecision(0);
    auto percent = QSharedPointer<QCPAxisTickerText>::create();
    for (const double share : {0.0, 0.5, 1.0}) {
        percent->addTick(share, QString::number(qRound(100 * share)) + QStringLiteral("\u202F%"));
    }
    yAxis->setTicker(percent);
    yAxis->setSubTicks(false);
    yAxis->setTickLength(0, 0);
    yAxis->setRange(kStripBottom, 1.08);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid, kGrid, kGrid));

    const auto makeBars = [this] {
        auto* bars = new QCPBars(xAxis, yAxis);
        bars->setBaseValue(kStripBottom);
        bars->setStackingGap(0);
        bars->setAntialiased(false);
        bars->setPen(Qt::NoPen);
        return bars;
    };
    m_rejected = makeBars();
    m_accepted = makeBars();  // drawn over it
    m_accepted->setName(tr("accepted"));
    m_rejected->setName(tr("rejected"));
    m_mean = addGraph();
    m_mean->setName(tr("mean"));
    m_rate = addGraph();
    m_rate->setName(tr("acceptance, last %1 steps").arg(kWindow));
    for (QCPAbstractPlottable* plottable : {static_cast<QCPAbstractPlottable*>(m_mean),
                                            static_cast<QCPAbstractPlottable*>(m_accepted),
                                            static_cast<QCPAbstractPlottable*>(m_rejected)}) {
        plottable->removeFromLegend();
    }
    plotLayout()->insertRow(0);
    auto* row = new QCPLayoutGrid;
    plotLayout()->addElement(0, 0, row);
    row->addElement(0, 0, legend);
    row->addElement(0, 1, new QCPLayoutElement(this));  // takes the room the legend leaves
    row->setColumnStretchFactor(0, 0.001);
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    for (QCPAbstractPlottable* plottable : {static_cast<QCPAbstractPlottable*>(m_accepted),
                                            static_cast<QCPAbstractPlottable*>(m_rejected)}) {
        plottable->addToLegend();
    }
    legend->setVisible(true);
    legend->setMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    legend->setIconSize(kGrid, kGrid);
    legend->setColumnSpacing(kGrid);
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowSpacing(0);
    restyle();
}

void SpeculationChart::setValue(std::shared_ptr<const SpeculationValue> value) {
    m_value = std::move(value);
    m_running = runningAcceptance(m_value->steps, kWindow);
    fill();
}

int SpeculationChart::stepsPerCell() const {
    const int cells = std::max(1, axisRect()->width() / kCellPixels);
    const int steps = m_value ? static_cast<int>(m_value->steps.size()) : 0;
    return std::max(1, (steps + cells - 1) / cells);
}

QPointF SpeculationChart::pixelOfStep(int step) const {
    return {xAxis->coordToPixel(step), yAxis->coordToPixel((kStripTop + kStripBottom) / 2)};
}

void SpeculationChart::fill() {
    if (!m_value || m_value->steps.empty()) {
        return;
    }
    const std::vector<VerifyStep>& steps = m_value->steps;
    const auto each = static_cast<std::size_t>(stepsPerCell());
    QVector<double> keys;
    QVector<double> accepted;
    QVector<double> rejected;
    for (std::size_t first = 0; first < steps.size(); first += each) {
        const std::size_t end = std::min(steps.size(), first + each);
        int drafted = 0;
        int kept = 0;
        for (std::size_t i = first; i < end; ++i) {
            drafted += steps[i].drafted;
            kept += steps[i].accepted;
        }
        const double share = drafted > 0 ? static_cast<double>(kept) / drafted : 0;
        const double height = drafted > 0 ? kStripTop - kStripBottom : 0;
        keys.push_back(static_cast<double>(first) + 0.5 * (static_cast<double>(each) - 1));
        accepted.push_back(share * height);  // measured from the base value
        rejected.push_back(height);
    }
    // The rejected part is drawn whole and the accepted one over it.
    const double width = static_cast<double>(each) * (each == 1 && steps.size() < 80 ? 0.86 : 1.0);
    m_accepted->setWidth(width);
    m_rejected->setWidth(width);
    m_accepted->setData(keys, accepted, true);
    m_rejected->setData(keys, rejected, true);

    QVector<double> index;
    QVector<double> rate;
    for (std::size_t i = 0; i < m_running.size(); ++i) {
        index.push_back(static_cast<double>(i));
        // Before that a rate jumps with every draft and says nothing.
        const bool enough = i + 1 >= kFewestForRate;
        rate.push_back(enough ? m_running[i] : std::numeric_limits<double>::quiet_NaN());
    }
    m_rate->setData(index, rate, true);
    const double last = static_cast<double>(steps.size()) - 1;
    m_mean->setData({-0.5, last + 0.5}, {m_value->rate, m_value->rate}, true);
    xAxis->setRange(-0.5, std::max(last, 7.0) + 0.5);
    replot(rpQueuedReplot);
}

QString SpeculationChart::stepText(std::size_t step) const {
    const VerifyStep& at = m_value->steps[step];
    QString fate = at.drafted == 1 ? (at.accepted == 1 ? tr("accepted") : tr("rejected"))
                                   : tr("%1 of %2 accepted").arg(at.accepted).arg(at.drafted);
    QString text = tr("step %1 · %2 · last %3 steps %4")
                       .arg(QString::number(step), fate)
                       .arg(std::min<std::size_t>(kWindow, step + 1))
                       .arg(percentText(m_running[step]));
    if (at.distinctExperts > 0) {
        text += tr(" · %1 distinct experts").arg(integerText(at.distinctExperts));
    }
    return text;
}

void SpeculationChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    QString text;
    const int step = qRound(xAxis->pixelToCoord(event->position().x()));
    if (m_value && axisRect()->rect().contains(event->pos()) && step >= 0 &&
        step < static_cast<int>(m_value->steps.size())) {
        text = stepText(static_cast<std::size_t>(step));
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void SpeculationChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    Q_EMIT pointed({});
}

void SpeculationChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_rate != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void SpeculationChart::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    fill();  // as many cells as fit
}

void SpeculationChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    m_accepted->setBrush(colours.accepted);
    m_rejected->setBrush(colours.rejected);
    m_rate->setPen(QPen(colours.accepted, 2));
    m_mean->setPen(QPen(colours.muted, 1, Qt::DashLine));
    xAxis->setBasePen(Qt::NoPen);
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
