// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/formats.h"
#include "views/index_ticker.h"
#include "views/speculation_texts.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kCellPixels = 4;
constexpr std::size_t kFewestForRate = 8;
constexpr double kSourceRow = -0.55;  // in drafts, below the first one
constexpr double kStripBottom = -1.1;

}  // namespace

SpeculationChart::SpeculationChart(QWidget* parent) : QCustomPlot(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(25 * kGrid, 18 * kGrid);
    addLengths();
    addStrip();
    addLegend();
    m_cursor = new QCPItemLine(this);
    m_stripCursor = new QCPItemLine(this);
    for (QCPItemPosition* position : {m_stripCursor->start, m_stripCursor->end}) {
        position->setAxes(m_strip->axis(QCPAxis::atBottom), m_strip->axis(QCPAxis::atLeft));
        position->setAxisRect(m_strip);
    }
    m_stripCursor->setClipAxisRect(m_strip);
    m_cursor->setVisible(false);
    m_stripCursor->setVisible(false);
    restyle();
}

void SpeculationChart::addLengths() {
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
    }
    xAxis->setTickLabels(false);
    xAxis->grid()->setVisible(false);
    yAxis->ticker()->setTickCount(3);
    yAxis->setLabel(tr("tokens"));
    yAxis->setLabelPadding(2);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    m_withoutBonus = addGraph();
    m_withoutBonus->setName(tr("\u03C4 \u2212 1"));
    m_length = addGraph();
    m_length->setName(tr("\u03C4"));
}

void SpeculationChart::addStrip() {
    m_strip = new QCPAxisRect(this);
    plotLayout()->addElement(1, 0, m_strip);
    plotLayout()->setRowSpacing(0);
    auto* margins = new QCPMarginGroup(this);
    axisRect()->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    m_strip->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    m_strip->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid / 2));
    QCPAxis* steps = m_strip->axis(QCPAxis::atBottom);
    QCPAxis* drafts = m_strip->axis(QCPAxis::atLeft);
    for (QCPAxis* axis : {steps, drafts}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->grid()->setVisible(false);
        axis->setLayer(QStringLiteral("axes"));
        axis->grid()->setLayer(QStringLiteral("grid"));
    }
    steps->setLabel(tr("verify step"));
    steps->setLabelPadding(2);
    steps->setTicker(QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Decimal));
    drafts->setTickLabels(false);
    drafts->setLabel(tr("drafts"));
    drafts->setLabelPadding(2);
    const auto makeBars = [&](const QString& name) {
        auto* bars = new QCPBars(steps, drafts);
        bars->setStackingGap(0);
        bars->setAntialiased(false);
        bars->setPen(Qt::NoPen);
        bars->setName(name);
        return bars;
    };
    m_accepted = makeBars(tr("accepted"));
    m_rejected = makeBars(tr("rejected"));
    m_unjudged = makeBars(tr("not judged"));
    m_rejected->moveAbove(m_accepted);
    m_unjudged->moveAbove(m_rejected);
    m_bonus = addGraph(steps, drafts);
    m_bonus->setName(tr("bonus"));
    m_lookup = addGraph(steps, drafts);
    m_lookup->setName(tr("lookup"));
    for (QCPGraph* graph : {m_bonus, m_lookup}) {
        graph->setLineStyle(QCPGraph::lsNone);
    }
}

void SpeculationChart::addLegend() {
    plotLayout()->insertRow(0);
    auto* row = new QCPLayoutGrid;
    plotLayout()->addElement(0, 0, row);
    row->addElement(0, 0, legend);
    row->addElement(0, 1, new QCPLayoutElement(this));  // takes the room the legend leaves
    row->setColumnStretchFactor(0, 0.001);
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    legend->setWrap(4);
    legend->setVisible(true);
    legend->setMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    legend->setIconSize(2 * kGrid, kGrid);
    legend->setColumnSpacing(kGrid);
    legend->setRowSpacing(0);
    legend->clearItems();
    for (QCPAbstractPlottable* plottable : {static_cast<QCPAbstractPlottable*>(m_accepted),
                                            static_cast<QCPAbstractPlottable*>(m_rejected),
                                            static_cast<QCPAbstractPlottable*>(m_unjudged),
                                            static_cast<QCPAbstractPlottable*>(m_length),
                                            static_cast<QCPAbstractPlottable*>(m_withoutBonus),
                                            static_cast<QCPAbstractPlottable*>(m_bonus),
                                            static_cast<QCPAbstractPlottable*>(m_lookup)}) {
        plottable->addToLegend();
    }
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowStretchFactor(2, 1.3);
    plotLayout()->setRowSpacing(0);
}

void SpeculationChart::setValue(std::shared_ptr<const SpeculationValue> value) {
    m_value = std::move(value);
    m_running = runningLength(m_value->steps, kWindow);
    fill();
    point(m_pointed < steps() ? m_pointed : -1);
}

int SpeculationChart::stepsPerCell() const {
    const int cells = std::max(1, m_strip->width() / kCellPixels);
    return std::max(1, (steps() + cells - 1) / cells);
}

QPointF SpeculationChart::pixelOfDraft(int step, int draft) const {
    return {m_strip->axis(QCPAxis::atBottom)->coordToPixel(step),
            m_strip->axis(QCPAxis::atLeft)->coordToPixel(draft + 0.5)};
}

void SpeculationChart::fill() {
    if (steps() == 0) {
        return;
    }
    fillLengths();
    fillStrip();
    const double last = steps() - 1.0;
    for (QCPAxis* axis : {xAxis, m_strip->axis(QCPAxis::atBottom)}) {
        axis->setRange(-0.5, std::max(last, 7.0) + 0.5);
    }
    if (auto ticker = m_strip->axis(QCPAxis::atBottom)->ticker().dynamicCast<IndexTicker>()) {
        ticker->setLast(std::max(last, 7.0));
    }
    replot(rpQueuedReplot);
}

void SpeculationChart::fillLengths() {
    QVector<double> index;
    QVector<double> with;
    QVector<double> without;
    double top = 2;
    // More points than pixels would only take time.
    const auto each = static_cast<std::size_t>(std::max(1, stepsPerCell() / kCellPixels));
    for (std::size_t i = 0; i < m_running.size(); i += each) {
        index.push_back(static_cast<double>(i));
        // Before that a mean jumps with every step and says nothing.
        const bool enough = i + 1 >= std::min(kFewestForRate, m_running.size());
        with.push_back(enough ? m_running[i] : std::numeric_limits<double>::quiet_NaN());
        without.push_back(with.back() - 1);
        top = std::max(top, enough ? m_running[i] : 0);
    }
    m_length->setData(index, with, true);
    m_withoutBonus->setData(index, without, true);
    yAxis->setRange(0, 1.08 * top);
}

/// Steps that share a column show their means.
void SpeculationChart::fillStrip() {
    const std::vector<VerifyStep>& all = m_value->steps;
    const auto each = static_cast<std::size_t>(stepsPerCell());
    QVector<double> keys;
    QVector<double> accepted;
    QVector<double> rejected;
    QVector<double> unjudged;
    QVector<double> bonusKeys;
    QVector<double> bonus;
    QVector<double> lookupKeys;
    double deepest = 1;
    for (std::size_t first = 0; first < all.size(); first += each) {
        const std::size_t end = std::min(all.size(), first + each);
        int drafted = 0;
        int kept = 0;
        int refused = 0;
        std::size_t lookups = 0;
        for (std::size_t i = first; i < end; ++i) {
            drafted += all[i].drafted;
            kept += all[i].accepted;
            refused += all[i].accepted < all[i].drafted ? 1 : 0;
            lookups += all[i].source == DraftSource::Lookup ? 1 : 0;
        }
        const auto n = static_cast<double>(end - first);
        keys.push_back(static_cast<double>(first) + 0.5 * (n - 1));
        accepted.push_back(kept / n);
        rejected.push_back(refused / n);
        unjudged.push_back((drafted - kept - refused) / n);
        deepest = std::max(deepest, drafted / n);
        if (each == 1 && refused == 0) {
            bonusKeys.push_back(keys.back());
            bonus.push_back(drafted + 0.35);
        }
        if (2 * lookups >= end - first) {
            lookupKeys.push_back(keys.back());
        }
    }
    const double width = static_cast<double>(each) * (each == 1 && all.size() < 80 ? 0.86 : 1.0);
    for (QCPBars* bars : {m_accepted, m_rejected, m_unjudged}) {
        bars->setWidth(width);
    }
    m_accepted->setData(keys, accepted, true);
    m_rejected->setData(keys, rejected, true);
    m_unjudged->setData(keys, unjudged, true);
    m_bonus->setData(bonusKeys, bonus, true);
    m_lookup->setData(lookupKeys, QVector<double>(lookupKeys.size(), kSourceRow), true);
    m_strip->axis(QCPAxis::atLeft)->setRange(kStripBottom, deepest + 0.7);
}

QString SpeculationChart::textOf(int step) const {
    if (step < 0 || step >= steps()) {
        return {};
    }
    const auto at = static_cast<std::size_t>(step);
    return stepText(*m_value, at) + tr(" · last %1 steps: τ %2")
                                        .arg(std::min(kWindow, step + 1))
                                        .arg(allDigits(m_running[at]));
}

void SpeculationChart::point(int step) {
    m_pointed = step;
    for (QCPItemLine* line : {m_cursor, m_stripCursor}) {
        line->setVisible(step >= 0);
    }
    if (step >= 0) {
        m_cursor->start->setCoords(step, 0);
        m_cursor->end->setCoords(step, yAxis->range().upper);
        m_stripCursor->start->setCoords(step, kStripBottom);
        m_stripCursor->end->setCoords(step, m_strip->axis(QCPAxis::atLeft)->range().upper);
    }
    replot(rpQueuedReplot);
}

void SpeculationChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const bool inside =
        axisRect()->rect().contains(event->pos()) || m_strip->rect().contains(event->pos());
    const int step = qRound(xAxis->pixelToCoord(event->position().x()));
    const QString text = inside ? textOf(step) : QString();
    point(text.isEmpty() ? -1 : step);
    if (!text.isEmpty()) {
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void SpeculationChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
    Q_EMIT pointed({});
}

void SpeculationChart::keyPressEvent(QKeyEvent* event) {
    const int last = steps() - 1;
    const int by = (event->modifiers() & Qt::ControlModifier) != 0 ? 10 : 1;
    int to = m_pointed;
    switch (event->key()) {
        case Qt::Key_Left:
            to = m_pointed < 0 ? last : m_pointed - by;
            break;
        case Qt::Key_Right:
            to = m_pointed < 0 ? 0 : m_pointed + by;
            break;
        case Qt::Key_Home:
            to = 0;
            break;
        case Qt::Key_End:
            to = last;
            break;
        default:
            QCustomPlot::keyPressEvent(event);
            return;
    }
    if (last >= 0) {
        point(std::clamp(to, 0, last));
        Q_EMIT pointed(textOf(m_pointed));
    }
}

void SpeculationChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_stripCursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void SpeculationChart::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    fill();  // as many columns as fit
}

void SpeculationChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    m_accepted->setBrush(colours.accepted);
    m_rejected->setBrush(colours.rejected);
    m_unjudged->setBrush(colours.neutral);
    m_length->setPen(QPen(colours.accent, 2));
    m_withoutBonus->setPen(QPen(colours.muted, 1, Qt::DashLine));
    m_bonus->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssDisc, QPen(colours.muted), QBrush(colours.muted), 3));
    m_lookup->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssSquare,
                                              QPen(palette().color(QPalette::Text)),
                                              QBrush(palette().color(QPalette::Text)), 3));
    for (QCPItemLine* line : {m_cursor, m_stripCursor}) {
        line->setPen(QPen(palette().color(QPalette::Text), 1));
    }
    for (QCPAxis* axis :
         {xAxis, yAxis, m_strip->axis(QCPAxis::atBottom), m_strip->axis(QCPAxis::atLeft)}) {
        axis->setBasePen(Qt::NoPen);
    }
    replot(rpQueuedReplot);
}

}  // namespace gatescope
