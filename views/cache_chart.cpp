// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

/// Ticks at powers of 2^4 with labels people know: 16, 256, 4K or 64 KiB, 1 MiB.
class BinaryTicker final : public QCPAxisTicker {
  public:
    explicit BinaryTicker(bool bytes) : m_bytes(bytes) {}

  protected:
    double getTickStep(const QCPRange& range) override {
        const double octaves = std::log2(range.upper / range.lower);
        const double wanted = octaves / std::max(1, mTickCount);
        double step = 1;
        while (step < wanted) {
            step *= 2;
        }
        return m_bytes ? std::min(10.0, step) : step;
    }
    int getSubTickCount(double) override { return 0; }
    QVector<double> createTickVector(double step, const QCPRange& range) override {
        QVector<double> ticks;
        const double top = std::log2(range.upper);
        const double first = std::max(0.0, std::ceil(std::log2(range.lower) / step) * step);
        for (double power = first; power <= top + 1e-9; power += step) {
            ticks.push_back(std::exp2(power));
        }
        return ticks;
    }
    QString getTickLabel(double tick, const QLocale&, QChar, int) override {
        if (!m_bytes) {
            return tick >= 1024 ? QString::number(tick / 1024, 'f', 0) + u'K'
                                : QString::number(tick, 'f', 0);
        }
        static constexpr const char* units[]{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        const int power = static_cast<int>(std::lround(std::log2(tick)));
        const int unit = std::clamp(power / 10, 0, 6);
        return QString::number(std::exp2(power - 10 * unit), 'f', 0) + QChar(0xA0) +
               QLatin1String(units[unit]);
    }

  private:
    bool m_bytes;
};

}  // namespace

CacheChart::CacheChart(QWidget* parent) : QCustomPlot(parent) {
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 15 * kGrid);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setScaleType(QCPAxis::stLogarithmic);
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setTicker(QSharedPointer<BinaryTicker>::create(axis == yAxis));
    }
    xAxis->setLabel(tr("positions in the context"));
    xAxis->setLabelPadding(2);
    yAxis->ticker()->setTickCount(5);
    xAxis->ticker()->setTickCount(6);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid, 2 * kGrid, kGrid));
    m_expanded = addGraph();
    m_latent = addGraph();
    m_now = addGraph();
    m_now->setLineStyle(QCPGraph::lsNone);
    m_latent->setName(tr("latent"));
    m_now->removeFromLegend();
    legend->setVisible(true);
    legend->setMargins(QMargins(0, 0, 0, 0));
    legend->setRowSpacing(0);
    axisRect()->insetLayout()->setInsetAlignment(0, Qt::AlignTop | Qt::AlignLeft);
    axisRect()->insetLayout()->setMargins(QMargins(kGrid, 0, 0, 0));
    restyle();
}

void CacheChart::setUse(const CacheUse& use) {
    m_use = use;
    const double last =
        std::max<double>(2, static_cast<double>(std::max(use.maxPositions, use.positions)));
    const auto latent = static_cast<double>(std::max<std::int64_t>(1, use.bytesPerPosition));
    const bool known = use.expandedBytesPerPosition > 0;
    const double expanded = known ? static_cast<double>(use.expandedBytesPerPosition) : latent;
    m_latent->setData({1, last}, {latent, latent * last}, true);
    m_expanded->setData({1, last}, {expanded, expanded * last}, true);
    const auto now = static_cast<double>(use.positions);
    if (use.positions > 0) {
        m_now->setData({now, now}, {now * latent, now * expanded}, true);
    } else {
        m_now->data()->clear();
    }
    xAxis->setRange(1, last * 1.1);
    yAxis->setRange(std::min(latent, expanded) / 1.5, std::max(latent, expanded) * last * 2);
    m_expanded->setVisible(known);
    known ? m_expanded->addToLegend() : m_expanded->removeFromLegend();
    m_expanded->setName(tr("expanded MHA (%1)").arg(timesText(expanded / latent)));
    replot(rpQueuedReplot);
}

void CacheChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    QString text;
    if (axisRect()->rect().contains(event->pos()) && m_use.bytesPerPosition > 0) {
        const double last = static_cast<double>(std::max<std::int64_t>(1, m_use.maxPositions));
        const double at = std::clamp(xAxis->pixelToCoord(event->position().x()), 1.0, last);
        const auto positions = static_cast<std::int64_t>(std::llround(at));
        const auto bytes = [positions](std::int64_t each) {
            return bytesText(static_cast<std::int64_t>(
                std::min(9e18, static_cast<double>(each) * static_cast<double>(positions))));
        };
        text = tr("%1 positions · latent %2 · expanded %3")
                   .arg(integerText(positions), bytes(m_use.bytesPerPosition),
                        bytes(m_use.expandedBytesPerPosition));
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void CacheChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    Q_EMIT pointed({});
}

void CacheChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_now != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void CacheChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    m_latent->setPen(QPen(colours.accent, 2));
    m_expanded->setPen(QPen(colours.muted, 1.5, Qt::DashLine));
    const QColor text = palette().color(QPalette::Text);
    m_now->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssDisc, QPen(text), QBrush(text), kGrid - 1));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
