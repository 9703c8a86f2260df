// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_load_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/experts_plot.h"
#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

ExpertsLoadChart::ExpertsLoadChart(QWidget* parent) : QCustomPlot(parent) {
    setUpExpertsPlot(this, IndexTicker::Steps::Decimal);
    xAxis->setLabel(tr("tokens through this layer"));
    yAxis->ticker()->setTickCount(3);
    m_low = addGraph();
    m_high = addGraph();
    m_load = addGraph();
    m_dots = addGraph();
    for (QCPGraph* graph : {m_low, m_high, m_load}) {
        graph->setLineStyle(QCPGraph::lsStepLeft);
    }
    m_high->setChannelFillGraph(m_low);
    m_high->setName(tr("uniform router, 95 %"));
    m_load->setName(tr("relative load"));
    m_low->removeFromLegend();
    m_dots->removeFromLegend();
    m_dots->setLineStyle(QCPGraph::lsNone);
    m_fair = new QCPItemLine(this);
    m_cursor = new QCPItemLine(this);
    m_cursor->setVisible(false);
    restyle();
}

void ExpertsLoadChart::setWindows(std::vector<LoadWindow> windows) {
    m_windows = std::move(windows);
    QVector<double> keys;
    QVector<double> low;
    QVector<double> high;
    QVector<double> load;
    QVector<double> middles;
    double top = 2;
    for (const LoadWindow& window : m_windows) {
        const auto first = static_cast<double>(window.firstToken);
        keys.push_back(first);
        middles.push_back(first + static_cast<double>(window.tokens) / 2);
        low.push_back(window.low);
        high.push_back(window.high);
        load.push_back(window.relativeLoad);
        top = std::max({top, window.high, window.relativeLoad});
    }
    m_dots->setData(middles, load, true);
    double end = 1;
    if (!m_windows.empty()) {  // the last step needs its right end
        end = static_cast<double>(m_windows.back().firstToken + m_windows.back().tokens);
        keys.push_back(end);
        low.push_back(low.back());
        high.push_back(high.back());
        load.push_back(load.back());
    }
    m_low->setData(keys, low, true);
    m_high->setData(keys, high, true);
    m_load->setData(keys, load, true);
    m_fair->start->setCoords(0, 1);
    m_fair->end->setCoords(end, 1);
    setExpertsPlotEnd(this, end);
    yAxis->setRange(0, top * 1.08);
    point(m_pointed < static_cast<int>(m_windows.size()) ? m_pointed : -1);
}

QString ExpertsLoadChart::windowText(int window) const {
    if (window < 0 || window >= static_cast<int>(m_windows.size())) {
        return {};
    }
    const LoadWindow& at = m_windows[static_cast<std::size_t>(window)];
    return tr("tokens %1–%2 · chosen %3 of n = %4 · relative load %5 · uniform router, 95 %: "
              "%6 to %7")
        .arg(integerText(at.firstToken), integerText(at.firstToken + at.tokens - 1),
             integerText(at.chosen), integerText(at.tokens), allDigits(at.relativeLoad),
             threeDigits(at.low), threeDigits(at.high));
}

void ExpertsLoadChart::point(int window) {
    m_pointed = window;
    m_cursor->setVisible(window >= 0);
    if (window >= 0) {
        const LoadWindow& at = m_windows[static_cast<std::size_t>(window)];
        const double middle =
            static_cast<double>(at.firstToken) + static_cast<double>(at.tokens) / 2;
        m_cursor->start->setCoords(middle, 0);
        m_cursor->end->setCoords(middle, yAxis->range().upper);
    }
    replot(rpQueuedReplot);
}

void ExpertsLoadChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const double at = xAxis->pixelToCoord(event->position().x());
    int window = -1;
    if (axisRect()->rect().contains(event->pos())) {
        for (std::size_t i = 0; i < m_windows.size(); ++i) {
            const auto first = static_cast<double>(m_windows[i].firstToken);
            if (at >= first && at < first + static_cast<double>(m_windows[i].tokens)) {
                window = static_cast<int>(i);
            }
        }
    }
    point(window);
    const QString text = windowText(window);
    if (!text.isEmpty()) {
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void ExpertsLoadChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
    Q_EMIT pointed({});
}

void ExpertsLoadChart::keyPressEvent(QKeyEvent* event) {
    const bool left = event->key() == Qt::Key_Left;
    if (m_windows.empty() || (!left && event->key() != Qt::Key_Right)) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const int last = static_cast<int>(m_windows.size()) - 1;
    const int from = m_pointed >= 0 ? m_pointed : (left ? last + 1 : -1);
    point(std::clamp(from + (left ? -1 : 1), 0, last));
    Q_EMIT pointed(windowText(m_pointed));
}

void ExpertsLoadChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void ExpertsLoadChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    QColor band = colours.neutral;
    band.setAlphaF(0.35F);
    m_low->setPen(Qt::NoPen);
    m_high->setPen(Qt::NoPen);
    m_high->setBrush(band);
    m_load->setPen(QPen(colours.accent, 2));
    m_dots->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, QPen(colours.accent),
                                            QBrush(colours.accent), kGrid / 2.0));
    m_fair->setPen(QPen(colours.muted, 1, Qt::DashLine));
    m_cursor->setPen(QPen(palette().color(QPalette::Text), 1));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
