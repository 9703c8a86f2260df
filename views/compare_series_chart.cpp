// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_series_chart.h"

#include <algorithm>
#include <cmath>

#include "views/index_ticker.h"
#include "views/plot_legend.h"
#include "views/theme.h"

namespace gatescope {

CompareSeriesChart::CompareSeriesChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 11 * kGrid);
    xAxis->grid()->setVisible(false);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    yAxis->ticker()->setTickCount(3);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid / 2));
    m_cursor = new QCPItemStraightLine(this);
    m_cursor->setSelectable(false);
    m_cursor->setLayer(QStringLiteral("grid"));
    m_cursor->setVisible(false);
    makeLegend();
    restyle();
}

void CompareSeriesChart::makeLegend() {
    placeLegendOnTop(this);
}

void CompareSeriesChart::setContent(Content content) {
    m_content = std::move(content);
    m_pointed = -1;
    while (m_graphs.size() > m_content.series.size()) {
        removeGraph(m_graphs.back());
        m_graphs.pop_back();
    }
    while (m_graphs.size() < m_content.series.size()) {
        m_graphs.push_back(addGraph());
    }
    restyle();
    fill();
}

void CompareSeriesChart::fill() {
    double highest = 0;
    for (std::size_t s = 0; s < m_graphs.size(); ++s) {
        const Series& series = m_content.series[s];
        m_graphs[s]->setName(series.name);
        m_graphs[s]->data()->clear();
        for (int i = 0; i < size(); ++i) {
            if (std::isfinite(series.values[i])) {
                m_graphs[s]->addData(m_content.keys[i], series.values[i]);
                highest = std::max(highest, series.values[i]);
            }
        }
    }
    auto ticker = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Decimal);
    ticker->setLast(size() > 0 ? m_content.keys.back() : 0);
    xAxis->setTicker(ticker);
    if (size() > 0) {
        xAxis->setRange(m_content.keys.front() - 1, m_content.keys.back() + 1);
    }
    yAxis->setRange(0, 1.05 * m_content.top.value_or(highest > 0 ? highest : 1));
    xAxis->setLabel(m_content.across);
    yAxis->setLabel(m_content.up);
    placeCursor();
    replot(rpQueuedReplot);
}

void CompareSeriesChart::setCursorKey(std::optional<double> key) {
    m_cursorKey = key;
    placeCursor();
    replot(rpQueuedReplot);
}

void CompareSeriesChart::placeCursor() {
    const auto key = m_pointed >= 0 ? std::optional(m_content.keys[m_pointed]) : m_cursorKey;
    m_cursor->setVisible(key.has_value());
    if (key) {
        m_cursor->point1->setCoords(*key, 0);
        m_cursor->point2->setCoords(*key, 1);
    }
}

QPointF CompareSeriesChart::pixelOf(std::size_t index) const {
    return {xAxis->coordToPixel(m_content.keys[static_cast<qsizetype>(index)]),
            axisRect()->rect().center().y() + 0.0};
}

QString CompareSeriesChart::pointedText() const {
    return m_pointed >= 0 && m_content.text ? m_content.text(static_cast<std::size_t>(m_pointed))
                                            : QString();
}

int CompareSeriesChart::indexAt(const QPointF& pixel) const {
    if (size() == 0 || !axisRect()->rect().contains(pixel.toPoint())) {
        return -1;
    }
    const double at = xAxis->pixelToCoord(pixel.x());
    const auto after = std::lower_bound(m_content.keys.begin(), m_content.keys.end(), at);
    auto index = static_cast<int>(after - m_content.keys.begin());
    if (index == size() ||
        (index > 0 && at - m_content.keys[index - 1] < m_content.keys[index] - at)) {
        --index;
    }
    return index;
}

void CompareSeriesChart::point(int index) {
    m_pointed = index;
    placeCursor();
    replot(rpQueuedReplot);
    Q_EMIT pointed(pointedText());
}

void CompareSeriesChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int index = indexAt(event->position());
    if (index != m_pointed) {
        point(index);
    }
}

void CompareSeriesChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const int index = indexAt(event->position());
    if (event->button() == Qt::LeftButton && index >= 0) {
        Q_EMIT chosen(index);
    }
}

void CompareSeriesChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
}

void CompareSeriesChart::keyPressEvent(QKeyEvent* event) {
    if (size() == 0) {
        return QCustomPlot::keyPressEvent(event);
    }
    switch (event->key()) {
        case Qt::Key_Left:
            return point(std::max(m_pointed - 1, 0));
        case Qt::Key_Right:
            return point(std::min(m_pointed + 1, size() - 1));
        case Qt::Key_Home:
            return point(0);
        case Qt::Key_End:
            return point(size() - 1);
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (m_pointed >= 0) {
                Q_EMIT chosen(m_pointed);
            }
            return;
        default:
            QCustomPlot::keyPressEvent(event);
    }
}

void CompareSeriesChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void CompareSeriesChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    const QColor inks[] = {colours.accent, colours.neutral};
    using Style = QCPScatterStyle;
    for (std::size_t s = 0; s < m_graphs.size(); ++s) {
        const QColor ink = inks[s % 2];
        const bool stems = m_content.series[s].stems;
        m_graphs[s]->setPen(QPen(ink, 1));
        m_graphs[s]->setLineStyle(stems ? QCPGraph::lsImpulse : QCPGraph::lsNone);
        m_graphs[s]->setScatterStyle(stems ? Style(Style::ssNone)
                                           : Style(s == 0 ? Style::ssDiamond : Style::ssCircle,
                                                   QPen(ink, 1),
                                                   s == 0 ? QBrush(ink) : QBrush(Qt::NoBrush), 6));
    }
    legend->setVisible(m_graphs.size() > 1);
    m_cursor->setPen(QPen(colours.grid, 2));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
