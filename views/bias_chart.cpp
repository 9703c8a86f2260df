// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_chart.h"

#include <algorithm>
#include <cmath>

#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kBarWidth = 0.8;
constexpr double kTallest = 1.12;  // of the range, so that no bar touches the frame

/// The same width for the labels of both parts, so that their bars stand below each other.
void alignLeft(QCPAxisRect* upper, QCPAxisRect* lower, QCPMarginGroup* group) {
    upper->setMarginGroup(QCP::msLeft | QCP::msRight, group);
    lower->setMarginGroup(QCP::msLeft | QCP::msRight, group);
}

void quiet(QCPAxis* axis) {
    axis->setSubTicks(false);
    axis->setTickLength(0, 0);
    axis->setLabelPadding(2);
}

/// Around zero, never empty.
void setRangeAround(QCPAxis* axis, double lowest, double highest) {
    const double span = highest - lowest > 0 ? highest - lowest : 1;
    axis->setRange(lowest - (lowest < 0 ? (kTallest - 1) * span : 0),
                   highest + (highest > 0 ? (kTallest - 1) * span : 0));
    if (axis->range().size() <= 0) {
        axis->setRange(-1, 1);
    }
}

}  // namespace

BiasChart::BiasChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 14 * kGrid);
    m_driftAxes = new QCPAxisRect(this);
    for (QCPAxisRect* rect : {axisRect(), m_driftAxes}) {
        quiet(rect->axis(QCPAxis::atBottom));
        quiet(rect->axis(QCPAxis::atLeft));
        rect->axis(QCPAxis::atBottom)->grid()->setVisible(false);
        rect->axis(QCPAxis::atLeft)->ticker()->setTickCount(3);
        rect->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid / 2));
    }
    alignLeft(axisRect(), m_driftAxes, new QCPMarginGroup(this));
    plotLayout()->setRowSpacing(0);

    const auto makeBars = [](QCPAxisRect* rect) {
        auto* bars = new QCPBars(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
        bars->setWidth(kBarWidth);
        bars->setAntialiased(false);
        bars->setPen(Qt::NoPen);
        return bars;
    };
    m_bias = makeBars(axisRect());
    m_raised = makeBars(m_driftAxes);
    m_lowered = makeBars(m_driftAxes);
    const auto makeMark = [this](QCPAxisRect* rect) {
        auto* mark = new QCPItemRect(this);
        mark->setSelectable(false);
        mark->setClipAxisRect(rect);
        for (QCPItemPosition* corner : {mark->topLeft, mark->bottomRight}) {
            corner->setAxes(rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft));
            corner->setAxisRect(rect);
            corner->setTypeY(QCPItemPosition::ptAxisRectRatio);
        }
        return mark;
    };
    m_mark = makeMark(axisRect());
    m_driftMark = makeMark(m_driftAxes);
    m_driftShown = true;
    plotLayout()->addElement(1, 0, m_driftAxes);
    restyle();
}

void BiasChart::setContent(const Content& content) {
    const std::size_t before = m_content.bars.size();
    m_content = content;
    m_pointed = before == content.bars.size() ? m_pointed : -1;
    layOut();
    fill();
}

void BiasChart::setSelected(std::optional<int> expert) {
    m_selected = expert;
    placeSelection();
    replot(rpQueuedReplot);
}

void BiasChart::layOut() {
    const bool wanted = !m_content.driftName.isEmpty();
    m_driftAxes->axis(QCPAxis::atLeft)->setLabel(m_content.driftName);
    if (wanted != m_driftShown) {
        m_driftShown = wanted;
        wanted ? static_cast<void>(plotLayout()->addElement(1, 0, m_driftAxes))
               : static_cast<void>(plotLayout()->take(m_driftAxes));
        plotLayout()->simplify();
        m_driftAxes->setVisible(wanted);
    }
}

void BiasChart::fill() {
    QVector<double> keys;
    QVector<double> bias;
    QVector<double> raised;
    QVector<double> lowered;
    double low = 0;
    double high = 0;
    double most = 0;
    for (int i = 0; i < barCount(); ++i) {
        const BiasBar& bar = m_content.bars[static_cast<std::size_t>(i)];
        const double drift = std::isnan(bar.drift) ? 0 : bar.drift;
        keys.push_back(i);
        bias.push_back(bar.bias);
        raised.push_back(std::max(drift, 0.0));
        lowered.push_back(std::min(drift, 0.0));
        low = std::min(low, bar.bias);
        high = std::max(high, bar.bias);
        most = std::max(most, std::abs(drift));
    }
    m_bias->setData(keys, bias, true);
    m_raised->setData(keys, raised, true);
    m_lowered->setData(keys, lowered, true);
    setRangeAround(yAxis, low, high);
    setRangeAround(m_driftAxes->axis(QCPAxis::atLeft), -most, most);
    for (QCPAxisRect* rect : {axisRect(), m_driftAxes}) {
        rect->axis(QCPAxis::atBottom)->setRange(-0.7, std::max(1, barCount()) - 0.3);
    }
    labelExperts();
    placeSelection();
    replot(rpQueuedReplot);
}

/// Expert numbers below the lowest part, as many as fit.
void BiasChart::labelExperts() {
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    const int widest =
        QFontMetrics(xAxis->tickLabelFont()).horizontalAdvance(QStringLiteral("000"));
    const int room = std::max(1, (width() - 8 * kGrid) / (widest + kGrid / 2));
    int step = 1;
    for (const int candidate : {1, 2, 4, 8, 16, 32, 64, 128}) {
        step = candidate;
        if (barCount() / candidate <= room) {
            break;
        }
    }
    for (int i = 0; i < barCount(); i += step) {
        ticker->addTick(i, QString::number(m_content.bars[static_cast<std::size_t>(i)].expert));
    }
    QCPAxis* lowest = m_driftShown ? m_driftAxes->axis(QCPAxis::atBottom) : xAxis;
    // The lower title names the kind and must not run into the upper one.
    yAxis->setLabel(height() < 24 * kGrid ? tr("bias") : tr("bias − mean"));
    xAxis->setTicks(!m_driftShown);  // a tick of no length is still a dot
    xAxis->setTickLabels(!m_driftShown);
    xAxis->setLabel({});
    lowest->setTicker(ticker);
    lowest->setTickLabels(true);
    lowest->setLabel(m_content.byBias ? tr("expert, by bias") : tr("expert"));
}

int BiasChart::selectedBar() const {
    for (int i = 0; i < barCount() && m_selected; ++i) {
        if (m_content.bars[static_cast<std::size_t>(i)].expert == *m_selected) {
            return i;
        }
    }
    return -1;
}

void BiasChart::placeSelection() {
    const int index = m_pointed >= 0 ? m_pointed : selectedBar();
    const bool shown = index >= 0 && index < barCount();
    for (QCPItemRect* mark : {m_mark, m_driftMark}) {
        mark->setVisible(shown && (mark == m_mark || m_driftShown));
        mark->topLeft->setCoords(index - 0.5, 0);
        mark->bottomRight->setCoords(index + 0.5, 1);
    }
}

QPointF BiasChart::pixelOfBar(int index) const {
    return {xAxis->coordToPixel(index), static_cast<double>(axisRect()->center().y())};
}

int BiasChart::barAt(const QPointF& pixel) const {
    const int index = qRound(xAxis->pixelToCoord(pixel.x()));
    const bool inside = axisRect()->rect().contains(pixel.toPoint()) ||
                        (m_driftShown && m_driftAxes->rect().contains(pixel.toPoint()));
    return inside && index >= 0 && index < barCount() ? index : -1;
}

void BiasChart::point(int index) {
    m_pointed = index;
    placeSelection();
    replot(rpQueuedReplot);
    Q_EMIT expertPointed(index < 0 ? -1 : m_content.bars[static_cast<std::size_t>(index)].expert);
}

void BiasChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int index = barAt(event->position());
    if (index != m_pointed) {
        point(index);
    }
}

void BiasChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const int index = barAt(event->position());
    if (event->button() == Qt::LeftButton && index >= 0) {
        Q_EMIT expertChosen(m_content.bars[static_cast<std::size_t>(index)].expert);
    }
}

void BiasChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
}

void BiasChart::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter ||
                       event->key() == Qt::Key_Space;
    if (enter && m_pointed >= 0) {
        Q_EMIT expertChosen(m_content.bars[static_cast<std::size_t>(m_pointed)].expert);
        return;
    }
    if (barCount() == 0 || (event->key() != Qt::Key_Left && event->key() != Qt::Key_Right)) {
        QCustomPlot::keyPressEvent(event);
        return;
    }
    const int step = event->key() == Qt::Key_Left ? -1 : 1;
    const int from = m_pointed >= 0 ? m_pointed : selectedBar();
    point(std::clamp(from + step, 0, barCount() - 1));
}

void BiasChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_driftMark != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void BiasChart::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    labelExperts();
}

void BiasChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    m_bias->setBrush(colours.bias);
    m_raised->setBrush(colours.rejected);  // the orange end of the scale of differences
    m_lowered->setBrush(colours.accepted);
    for (QCPItemRect* mark : {m_mark, m_driftMark}) {
        QColor tint = palette().color(QPalette::Text);
        tint.setAlpha(28);
        mark->setBrush(tint);
        mark->setPen(QPen(palette().color(QPalette::Text), 1));
    }
    for (QCPAxisRect* rect : {axisRect(), m_driftAxes}) {
        rect->axis(QCPAxis::atLeft)->setBasePen(Qt::NoPen);
        rect->axis(QCPAxis::atBottom)->setBasePen(Qt::NoPen);
        rect->axis(QCPAxis::atLeft)->setLabelFont(smallFont(font()));
        rect->axis(QCPAxis::atLeft)->grid()->setZeroLinePen(QPen(themeColours(palette()).muted, 1));
    }
    replot(rpQueuedReplot);
}

}  // namespace gatescope
