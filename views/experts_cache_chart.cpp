// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_cache_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/experts_plot.h"
#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

ExpertsCacheChart::ExpertsCacheChart(QWidget* parent) : QCustomPlot(parent) {
    setUpExpertsPlot(this, IndexTicker::Steps::Binary);
    xAxis->setLabel(tr("experts in the cache"));
    auto percent = QSharedPointer<QCPAxisTickerText>::create();
    for (const double share : {0.0, 0.5, 1.0}) {
        percent->addTick(share, QString::number(qRound(100 * share)) + QStringLiteral("\u202F%"));
    }
    yAxis->setTicker(percent);
    yAxis->setLabel(tr("hit rate"));
    m_even = addGraph();
    m_pinned = addGraph();
    m_forecast = addGraph();
    m_lfu = addGraph();
    m_lru = addGraph();
    m_even->setName(tr("even"));
    m_pinned->setName(tr("hindsight"));
    m_forecast->setName(tr("1st half"));
    m_lfu->setName(tr("LFU"));
    m_lru->setName(tr("LRU"));
    m_cursor = new QCPItemLine(this);
    m_cursor->setVisible(false);
    restyle();
}

void ExpertsCacheChart::setReads(const ExpertReadsValue& reads, std::int64_t bytesPerExpert) {
    m_reads = reads;
    m_bytesPerExpert = bytesPerExpert;
    const int experts = reads.experts();
    QVector<double> keys;
    QVector<double> lru;
    QVector<double> lfu;
    QVector<double> pinned;
    QVector<double> forecast;
    for (int size = 0; size <= experts && reads.n > 0; ++size) {
        keys.push_back(size);
        lru.push_back(reads.lruHitRate(size));
        lfu.push_back(reads.lfuHitRate(size));
        pinned.push_back(reads.pinnedHitRate(size));
        forecast.push_back(reads.forecast.hitRate(size));
    }
    m_lru->setData(keys, lru, true);
    m_lfu->setData(keys, lfu, true);
    m_pinned->setData(keys, pinned, true);
    m_forecast->setData(keys, forecast, true);
    const double end = std::max(1, experts);
    m_even->setData({0, end}, {0, 1}, true);
    setExpertsPlotEnd(this, end);
    yAxis->setRange(0, 1.03);
    point(m_pointed <= experts && reads.n > 0 ? m_pointed : -1);
}

QString ExpertsCacheChart::sizeText(int cacheExperts) const {
    if (cacheExperts < 0 || cacheExperts > m_reads.experts() || m_reads.n == 0) {
        return {};
    }
    QString text = tr("%1 of %2 experts in the cache · hits of n = %3 reads: LRU %4, LFU %5, "
                      "pinned with hindsight %6 · even load %7")
                       .arg(integerText(cacheExperts), integerText(m_reads.experts()),
                            integerText(m_reads.n), percentText(m_reads.lruHitRate(cacheExperts)),
                            percentText(m_reads.lfuHitRate(cacheExperts)),
                            percentText(m_reads.pinnedHitRate(cacheExperts)),
                            percentText(static_cast<double>(cacheExperts) / m_reads.experts()));
    if (m_reads.forecast.n > 0) {
        text += tr(" · pinned by the first half, in the second %1 (n = %2)")
                    .arg(percentText(m_reads.forecast.hitRate(cacheExperts)),
                         integerText(m_reads.forecast.n));
    }
    if (m_bytesPerExpert > 0) {
        const double saved =
            static_cast<double>(m_reads.lruHits[static_cast<std::size_t>(cacheExperts)]) *
            static_cast<double>(m_bytesPerExpert);
        text += tr(" · LRU spares reading %1")
                    .arg(bytesText(static_cast<std::int64_t>(std::min(9e18, saved))));
    }
    return text;
}

void ExpertsCacheChart::point(int cacheExperts) {
    m_pointed = cacheExperts;
    m_cursor->setVisible(cacheExperts >= 0);
    m_cursor->start->setCoords(cacheExperts, 0);
    m_cursor->end->setCoords(cacheExperts, 1);
    replot(rpQueuedReplot);
}

void ExpertsCacheChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int size = qRound(xAxis->pixelToCoord(event->position().x()));
    const bool inside = axisRect()->rect().contains(event->pos()) && m_reads.n > 0;
    point(inside ? std::clamp(size, 0, m_reads.experts()) : -1);
    const QString text = sizeText(m_pointed);
    if (!text.isEmpty()) {
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void ExpertsCacheChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
    Q_EMIT pointed({});
}

void ExpertsCacheChart::keyPressEvent(QKeyEvent* event) {
    const bool left = event->key() == Qt::Key_Left;
    if (m_reads.n == 0 || (!left && event->key() != Qt::Key_Right)) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const int from = m_pointed >= 0 ? m_pointed : (left ? m_reads.experts() + 1 : -1);
    point(std::clamp(from + (left ? -1 : 1), 0, m_reads.experts()));
    Q_EMIT pointed(sizeText(m_pointed));
}

void ExpertsCacheChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void ExpertsCacheChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    const QColor text = palette().color(QPalette::Text);
    m_lru->setPen(QPen(colours.accent, 2));
    m_lfu->setPen(QPen(text, 1.5));
    m_pinned->setPen(QPen(text, 1.5, Qt::DashLine));
    m_forecast->setPen(QPen(colours.accent, 1.5, Qt::DashLine));
    m_even->setPen(QPen(colours.muted, 1, Qt::DotLine));
    m_cursor->setPen(QPen(text, 1));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
