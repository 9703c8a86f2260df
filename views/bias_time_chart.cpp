// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_time_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "views/index_ticker.h"
#include "views/theme.h"

namespace gatescope {

BiasTimeChart::BiasTimeChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 14 * kGrid);
    m_loadAxes = new QCPAxisRect(this);
    auto* margins = new QCPMarginGroup(this);
    for (QCPAxisRect* rect : {axisRect(), m_loadAxes}) {
        for (QCPAxis* axis : {rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft)}) {
            axis->setSubTicks(false);
            axis->setTickLength(0, 0);
            axis->setLabelPadding(2);
        }
        rect->axis(QCPAxis::atBottom)->grid()->setVisible(false);
        rect->axis(QCPAxis::atLeft)->ticker()->setTickCount(3);
        rect->setMinimumMargins(QMargins(kGrid, kGrid / 2, 2 * kGrid, kGrid / 2));
        rect->setMarginGroup(QCP::msLeft | QCP::msRight, margins);
    }
    xAxis->setTicks(false);
    xAxis->setTickLabels(false);
    QCPAxis* time = m_loadAxes->axis(QCPAxis::atBottom);
    time->setNumberFormat(QStringLiteral("f"));
    auto ticker = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Decimal);
    ticker->setLast(std::numeric_limits<double>::max());
    time->setTicker(ticker);
    time->setNumberPrecision(0);
    m_loadAxes->axis(QCPAxis::atLeft)->setLabel(tr("MaxVio"));
    plotLayout()->setRowSpacing(0);
    plotLayout()->addElement(1, 0, m_loadAxes);
    plotLayout()->setRowStretchFactor(0, 1.6);

    m_highlight = addGraph();
    m_cursor = addGraph();
    m_cursor->setLineStyle(QCPGraph::lsNone);
    m_load = addGraph(m_loadAxes->axis(QCPAxis::atBottom), m_loadAxes->axis(QCPAxis::atLeft));
    restyle();
}

void BiasTimeChart::setContent(const Content& content) {
    m_content = content;
    m_expert = m_expert < expertCount() ? m_expert : -1;
    m_time = m_time < timeCount() ? m_time : -1;
    yAxis->setLabel(content.biasName);
    m_loadAxes->axis(QCPAxis::atBottom)->setLabel(content.timeName);
    fill();
}

void BiasTimeChart::setSelected(std::optional<int> expert) {
    m_selected = expert;
    placeSelection();
    replot(rpQueuedReplot);
}

void BiasTimeChart::fill() {
    while (lines() > expertCount()) {
        removeGraph(m_lines.back());
        m_lines.pop_back();
    }
    while (lines() < expertCount()) {
        m_lines.push_back(addGraph());
    }
    m_highlight->setLayer(QStringLiteral("axes"));  // above the lines of the layer "main"
    m_cursor->setLayer(QStringLiteral("axes"));
    const QVector<double> times(m_content.times.begin(), m_content.times.end());
    double low = 0;
    double high = 0;
    for (int e = 0; e < expertCount(); ++e) {
        const auto& values = m_content.bias[static_cast<std::size_t>(e)];
        m_lines[static_cast<std::size_t>(e)]->setData(
            times, QVector<double>(values.begin(), values.end()), true);
        for (const double value : values) {
            low = std::min(low, value);
            high = std::max(high, value);
        }
    }
    m_load->setData(times, QVector<double>(m_content.maxVio.begin(), m_content.maxVio.end()), true);
    double most = 0;
    for (const double value : m_content.maxVio) {
        most = std::isnan(value) ? most : std::max(most, value);
    }
    const double span = high - low > 0 ? high - low : 1;
    yAxis->setRange(low - 0.06 * span, high + 0.06 * span);
    m_loadAxes->axis(QCPAxis::atLeft)->setRange(0, most > 0 ? 1.12 * most : 1);
    const double first = times.isEmpty() ? 0 : times.front();
    const double last = times.isEmpty() ? 1 : std::max(times.back(), first + 1);
    for (QCPAxisRect* rect : {axisRect(), m_loadAxes}) {
        rect->axis(QCPAxis::atBottom)->setRange(first, last);
    }
    restyle();
    placeSelection();
}

void BiasTimeChart::placeSelection() {
    const int expert = m_expert >= 0 ? m_expert : m_selected.value_or(-1);
    const bool shown = expert >= 0 && expert < expertCount();
    m_highlight->setVisible(shown);
    m_cursor->setVisible(shown && m_time >= 0);
    if (shown) {
        m_highlight->setData(m_lines[static_cast<std::size_t>(expert)]->data());
    }
    if (m_cursor->visible()) {
        m_cursor->setData({m_content.times[static_cast<std::size_t>(m_time)]},
                          {valueAt(expert, m_time)}, true);
    }
}

QPointF BiasTimeChart::pixelOf(int expert, int time) const {
    return {xAxis->coordToPixel(m_content.times[static_cast<std::size_t>(time)]),
            yAxis->coordToPixel(valueAt(expert, time))};
}

int BiasTimeChart::timeAt(double x) const {
    int nearest = -1;
    double least = 0;
    for (int t = 0; t < timeCount(); ++t) {
        const double far = std::abs(m_content.times[static_cast<std::size_t>(t)] - x);
        if (nearest < 0 || far < least) {
            nearest = t;
            least = far;
        }
    }
    return nearest;
}

int BiasTimeChart::expertAt(const QPointF& pixel) const {
    const int time = timeAt(xAxis->pixelToCoord(pixel.x()));
    int nearest = -1;
    double least = 0;
    for (int e = 0; e < expertCount() && time >= 0; ++e) {
        const double far = std::abs(pixelOf(e, time).y() - pixel.y());
        if (nearest < 0 || far < least) {
            nearest = e;
            least = far;
        }
    }
    return nearest;
}

void BiasTimeChart::point(int expert, int time) {
    m_expert = expert;
    m_time = time;
    placeSelection();
    replot(rpQueuedReplot);
    Q_EMIT pointed(expert, time);
}

void BiasTimeChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const QPoint at = event->position().toPoint();
    const int time = timeAt(xAxis->pixelToCoord(event->position().x()));
    if (axisRect()->rect().contains(at)) {
        point(expertAt(event->position()), time);
    } else if (m_loadAxes->rect().contains(at) && expertCount() > 0) {
        point(std::clamp(m_selected.value_or(0), 0, expertCount() - 1), time);
    } else if (m_expert >= 0) {
        point(-1, -1);
    }
}

void BiasTimeChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const bool inside = axisRect()->rect().contains(event->position().toPoint());
    if (event->button() == Qt::LeftButton && inside && expertAt(event->position()) >= 0) {
        Q_EMIT expertChosen(expertAt(event->position()));
    }
}

void BiasTimeChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1, -1);
}

void BiasTimeChart::keyPressEvent(QKeyEvent* event) {
    const int key = event->key();
    const bool enter = key == Qt::Key_Return || key == Qt::Key_Enter || key == Qt::Key_Space;
    if (enter && m_expert >= 0) {
        Q_EMIT expertChosen(m_expert);
        return;
    }
    const int along = key == Qt::Key_Left ? -1 : (key == Qt::Key_Right ? 1 : 0);
    const int across = key == Qt::Key_Down ? -1 : (key == Qt::Key_Up ? 1 : 0);
    if ((along == 0 && across == 0) || expertCount() == 0 || timeCount() == 0) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const bool started = m_expert >= 0 && m_time >= 0;
    const int expert = started ? m_expert : m_selected.value_or(0);
    const int time = started ? m_time : timeCount() - 1;
    point(std::clamp(expert + (started ? across : 0), 0, expertCount() - 1),
          std::clamp(time + (started ? along : 0), 0, timeCount() - 1));
}

void BiasTimeChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_load != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void BiasTimeChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    QColor thin = colours.muted;
    thin.setAlpha(expertCount() > 64 ? 70 : 140);
    for (QCPGraph* line : m_lines) {
        line->setPen(QPen(thin, 1));
    }
    m_highlight->setPen(QPen(colours.bias, 2.5));
    m_cursor->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssDisc, QPen(colours.bias),
                                              QBrush(colours.bias), kGrid - 1));
    m_load->setPen(QPen(colours.accent, 1.5));
    for (QCPAxisRect* rect : {axisRect(), m_loadAxes}) {
        rect->axis(QCPAxis::atLeft)->setBasePen(Qt::NoPen);
        rect->axis(QCPAxis::atLeft)->setLabelFont(smallFont(font()));
        rect->axis(QCPAxis::atBottom)->setBasePen(Qt::NoPen);
    }
    yAxis->grid()->setZeroLinePen(QPen(colours.muted, 1));
    replot(rpQueuedReplot);
}

}  // namespace gatescope
