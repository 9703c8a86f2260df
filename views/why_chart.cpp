// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_chart.h"

#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kBarWidth = 0.76;

QColor faded(QColor colour) {
    colour.setAlpha(110);
    return colour;
}

}  // namespace

WhyChart::WhyChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 14 * kGrid);
    xAxis->grid()->setVisible(false);
    xAxis->setSubTicks(false);
    xAxis->setTickLength(0, 0);
    xAxis->setTickLabelRotation(-90);
    xAxis->setLabelPadding(2);
    yAxis->setSubTicks(false);
    yAxis->setTickLength(0, 0);
    yAxis->ticker()->setTickCount(4);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid / 2));

    m_others = makeBars();
    m_chosen = makeBars();
    m_biasOthers = makeBars();
    m_biasChosen = makeBars();
    m_biasTaken = makeBars();
    QCPBars* below = m_others;
    for (QCPBars* bars : {m_chosen, m_biasOthers, m_biasChosen, m_biasTaken}) {
        bars->moveAbove(below);
        below = bars;
    }

    m_cut = new QCPItemLine(this);
    m_cut->setSelectable(false);
    m_cut->start->setTypeY(QCPItemPosition::ptAxisRectRatio);
    m_cut->end->setTypeY(QCPItemPosition::ptAxisRectRatio);
    m_cutText = new QCPItemText(this);
    m_cutText->setSelectable(false);
    m_cutText->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
    m_cutText->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
    m_cutText->setPadding(QMargins(kGrid / 2, 0, 0, 0));
    m_outline = new QCPItemRect(this);
    m_outline->setSelectable(false);
    m_outline->topLeft->setTypeY(QCPItemPosition::ptPlotCoords);

    legend->setVisible(true);
    legend->setMargins(QMargins(0, 0, 0, 0));
    legend->setRowSpacing(0);
    legend->setIconSize(kGrid, kGrid);
    axisRect()->insetLayout()->setInsetAlignment(0, Qt::AlignTop | Qt::AlignRight);
    axisRect()->insetLayout()->setMargins(QMargins(0, 0, 0, 0));
    for (QCPBars* bars : {m_others, m_biasOthers, m_biasTaken}) {
        bars->removeFromLegend();
    }
    restyle();
}

QCPBars* WhyChart::makeBars() {
    auto* bars = new QCPBars(xAxis, yAxis);
    bars->setWidth(kBarWidth);
    bars->setAntialiased(false);
    bars->setPen(Qt::NoPen);
    bars->setStackingGap(0);
    return bars;
}

void WhyChart::setContent(const Content& content) {
    m_content = content;
    m_pointed = -1;
    fill();
}

void WhyChart::setSelected(std::optional<int> expert) {
    m_selected = expert;
    placeSelection();
    replot(rpQueuedReplot);
}

int WhyChart::shownBars() const {
    const int all = static_cast<int>(m_content.bars.size());
    const int room = width() / std::max(10, QFontMetrics(smallFont(font())).height());
    return std::min(all, std::max(room, m_content.chosen + 1));
}

QPointF WhyChart::pixelOfBar(int index) const {
    const WhyBar& bar = m_content.bars[static_cast<std::size_t>(index)];
    return {xAxis->coordToPixel(index), yAxis->coordToPixel(bar.base / 2)};
}

void WhyChart::fill() {
    QVector<double> keys[5];
    QVector<double> values[5];
    enum { Others, Chosen, BiasOthers, BiasChosen, Taken };
    const auto add = [&](int series, double key, double value) {
        if (value != 0) {
            keys[series].push_back(key);
            values[series].push_back(value);
        }
    };
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    double top = 0;
    double bottom = 0;
    m_filled = shownBars();
    for (int i = 0; i < m_filled; ++i) {
        const WhyBar& bar = m_content.bars[static_cast<std::size_t>(i)];
        const double sum = bar.base + bar.bias;
        const double solid = std::max(0.0, std::min(bar.base, sum));
        const double upper = std::max({bar.base, sum, 0.0});
        const bool given = bar.bias > 0;
        add(bar.chosen ? Chosen : Others, i, solid);
        add(given ? (bar.chosen ? BiasChosen : BiasOthers) : Taken, i, upper - solid);
        top = std::max(top, upper);
        bottom = std::min(bottom, sum);
        ticker->addTick(i, QString::number(bar.expert));
    }
    QCPBars* const series[]{m_others, m_chosen, m_biasOthers, m_biasChosen, m_biasTaken};
    for (int s = 0; s < 5; ++s) {
        series[s]->setData(keys[s], values[s], true);
    }
    xAxis->setTicker(ticker);
    const int widest =
        QFontMetrics(xAxis->tickLabelFont()).horizontalAdvance(QStringLiteral("0000"));
    xAxis->setTickLabelRotation(width() / std::max(1, m_filled) > widest ? 0 : -90);
    xAxis->setRange(-0.7, m_filled - 0.3);
    const double span = top - bottom > 0 ? top - bottom : 1;
    yAxis->setRange(bottom < 0 ? bottom - 0.05 * span : 0, top + 0.16 * span);

    m_chosen->setName(m_content.baseName);
    m_biasChosen->setName(m_content.biasName);
    m_biasTaken->setName(tr("negative: taken away"));
    const auto inLegend = [](QCPBars* bars, bool wanted) {
        wanted ? bars->addToLegend() : bars->removeFromLegend();
    };
    inLegend(m_biasChosen, !m_content.biasName.isEmpty());
    inLegend(m_biasTaken, !keys[Taken].isEmpty());
    const bool cut = !std::isnan(m_content.margin) && m_filled > m_content.chosen;
    m_cut->setVisible(cut);
    m_cutText->setVisible(cut);
    const double at = m_content.chosen - 0.5;
    m_cut->start->setCoords(at, 0);
    m_cut->end->setCoords(at, 1);
    m_cutText->position->setCoords(at, 0);
    m_cutText->setText(tr("cut, margin %1").arg(threeDigits(m_content.margin)));
    placeSelection();
    replot(rpQueuedReplot);
}

int WhyChart::selectedBar() const {
    for (int i = 0; i < m_filled && m_selected; ++i) {
        if (m_content.bars[static_cast<std::size_t>(i)].expert == *m_selected) {
            return i;
        }
    }
    return -1;
}

void WhyChart::placeSelection() {
    const int index = m_pointed >= 0 ? m_pointed : selectedBar();
    m_outline->setVisible(index >= 0 && index < m_filled);
    if (m_outline->visible()) {
        const WhyBar& bar = m_content.bars[static_cast<std::size_t>(index)];
        m_outline->topLeft->setCoords(index - 0.5, std::max(bar.base, bar.base + bar.bias));
        m_outline->bottomRight->setCoords(index + 0.5, std::min(0.0, bar.base + bar.bias));
    }
}

std::optional<int> WhyChart::barAt(const QPointF& pixel) const {
    const int index = qRound(xAxis->pixelToCoord(pixel.x()));
    const bool inside = axisRect()->rect().contains(pixel.toPoint());
    return inside && index >= 0 && index < m_filled ? std::optional(index) : std::nullopt;
}

void WhyChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int index = barAt(event->position()).value_or(-1);
    if (index != m_pointed) {
        m_pointed = index;
        placeSelection();
        replot(rpQueuedReplot);
        Q_EMIT expertPointed(index < 0 ? -1
                                       : m_content.bars[static_cast<std::size_t>(index)].expert);
    }
}

void WhyChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const auto index = barAt(event->position());
    if (event->button() == Qt::LeftButton && index) {
        Q_EMIT expertChosen(m_content.bars[static_cast<std::size_t>(*index)].expert);
    }
}

void WhyChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    m_pointed = -1;
    placeSelection();
    replot(rpQueuedReplot);
    Q_EMIT expertPointed(-1);
}

void WhyChart::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter ||
                       event->key() == Qt::Key_Space;
    if (enter && m_pointed >= 0) {
        Q_EMIT expertChosen(m_content.bars[static_cast<std::size_t>(m_pointed)].expert);
        return;
    }
    if (m_filled == 0 || (event->key() != Qt::Key_Left && event->key() != Qt::Key_Right)) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const int step = event->key() == Qt::Key_Left ? -1 : 1;
    const int from = m_pointed >= 0 ? m_pointed : selectedBar();
    m_pointed = std::clamp(from + step, 0, m_filled - 1);
    placeSelection();
    replot(rpQueuedReplot);
    Q_EMIT expertPointed(m_content.bars[static_cast<std::size_t>(m_pointed)].expert);
}

void WhyChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_outline != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void WhyChart::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    fill();  // as many bars as fit, labels upright where there is room
}

void WhyChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    m_chosen->setBrush(colours.accepted);
    m_others->setBrush(colours.neutral);
    m_biasChosen->setBrush(colours.bias);
    m_biasOthers->setBrush(faded(colours.bias));
    m_biasTaken->setBrush(QBrush(colours.bias, Qt::BDiagPattern));
    m_biasTaken->setPen(QPen(faded(colours.bias), 1));
    m_cut->setPen(QPen(palette().color(QPalette::Text), 1, Qt::DashLine));
    m_cutText->setColor(colours.muted);
    m_cutText->setFont(smallFont(font()));
    m_outline->setPen(QPen(palette().color(QPalette::Text), 1.5));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
