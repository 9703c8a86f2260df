// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_chart.h"

#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kBarWidth = 0.76;
constexpr double kEdge = 0.7;       // free room left of the first and right of the last bar
constexpr double kFewest = 4;       // bars in view when zoomed in
constexpr int kWide = 70 * kGrid;   // room for the whole legend in one line
constexpr int kClickSlack = 4;      // pixels a click may move
constexpr double kHeadroom = 0.14;  // above the bars, for the cut's text

QColor faded(QColor colour) {
    colour.setAlpha(110);
    return colour;
}

}  // namespace

WhyChart::WhyChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 14 * kGrid);
    setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    axisRect()->setRangeDrag(Qt::Horizontal);
    axisRect()->setRangeZoom(Qt::Horizontal);
    xAxis->grid()->setVisible(false);
    xAxis->setSubTicks(false);
    xAxis->setTickLength(0, 0);
    xAxis->setLabelPadding(2);
    yAxis->setSubTicks(false);
    yAxis->setTickLength(0, 0);
    yAxis->ticker()->setTickCount(4);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid / 2));
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, &WhyChart::keepInside);

    m_dropped = makeBars();
    m_others = makeBars();
    m_chosen = makeBars();
    m_biasOthers = makeBars();
    m_biasChosen = makeBars();
    m_biasTaken = makeBars();
    QCPBars* below = m_dropped;
    for (QCPBars* bars : {m_others, m_chosen, m_biasOthers, m_biasChosen, m_biasTaken}) {
        bars->moveAbove(below);
        below = bars;
    }
    m_decided = makeMarks();
    m_keptOut = makeMarks();
    makeItems();

    // Above the picture, where it covers no bar.
    plotLayout()->insertRow(0);
    plotLayout()->addElement(0, 0, legend);
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowSpacing(0);
    legend->setVisible(true);
    legend->setMargins(QMargins(kGrid, 0, kGrid, 0));
    legend->setRowSpacing(0);
    legend->setColumnSpacing(2 * kGrid);
    legend->setIconSize(kGrid, kGrid);
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    legend->clearItems();
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

QCPGraph* WhyChart::makeMarks() {
    QCPGraph* marks = addGraph();
    marks->setLineStyle(QCPGraph::lsNone);
    return marks;
}

void WhyChart::makeItems() {
    for (auto [line, text] : {std::pair(&m_cut, &m_cutText), std::pair(&m_keptEnd, &m_keptText)}) {
        *line = new QCPItemLine(this);
        (*line)->setSelectable(false);
        (*line)->start->setTypeY(QCPItemPosition::ptAxisRectRatio);
        (*line)->end->setTypeY(QCPItemPosition::ptAxisRectRatio);
        *text = new QCPItemText(this);
        (*text)->setSelectable(false);
        (*text)->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
        (*text)->position->setTypeY(QCPItemPosition::ptAxisRectRatio);
        (*text)->setPadding(QMargins(kGrid / 2, 0, 0, 0));
    }
    m_outline = new QCPItemRect(this);
    m_outline->setSelectable(false);
    m_outline->topLeft->setTypeY(QCPItemPosition::ptPlotCoords);
}

void WhyChart::setContent(const Content& content) {
    const bool otherSize = content.bars.size() != m_content.bars.size();
    m_content = content;
    m_pointed = -1;
    m_zoomed = m_zoomed && !otherSize;
    fill();
}

void WhyChart::setSelected(std::optional<int> expert) {
    m_selected = expert;
    placeSelection();
    replot(rpQueuedReplot);
}

int WhyChart::fittingBars() const {
    const int room = width() / std::max(10, QFontMetrics(smallFont(font())).height());
    return std::max(1, std::min(barCount(), std::max(room, m_content.chosen + 1)));
}

int WhyChart::shownBars() const {
    const QCPRange range = xAxis->range();
    const int first = std::max(0, static_cast<int>(std::ceil(range.lower)));
    const int last = std::min(barCount() - 1, static_cast<int>(std::floor(range.upper)));
    return std::max(0, last - first + 1);
}

double WhyChart::firstBar() const {
    return std::max(0.0, xAxis->range().lower + kEdge);
}

void WhyChart::setFirstBar(double first) {
    const double lower = first - kEdge;
    if (std::abs(lower - xAxis->range().lower) > 1e-9) {
        m_zoomed = true;
        xAxis->setRange(lower, lower + xAxis->range().size());
        replot(rpQueuedReplot);
    }
}

void WhyChart::resetZoom() {
    m_zoomed = false;
    xAxis->setRange(-kEdge, fittingBars() - 1 + kEdge);
    replot(rpQueuedReplot);
}

QPointF WhyChart::pixelOfBar(int index) const {
    return {xAxis->coordToPixel(index), yAxis->coordToPixel(bar(index).base / 2)};
}

void WhyChart::keepInside(const QCPRange& range) {
    const double upper = std::max(1, barCount()) - 1 + kEdge;
    QCPRange wanted = range;
    const double smallest = std::min(kFewest, upper + kEdge);
    if (wanted.size() < smallest) {
        const double center = wanted.center();
        wanted = QCPRange(center - smallest / 2, center + smallest / 2);
    }
    wanted = wanted.bounded(-kEdge, upper);
    if (wanted != range) {
        xAxis->setRange(wanted);  // comes here again
        return;
    }
    placeLabels();
    Q_EMIT rangeMoved();
}

void WhyChart::fill() {
    fillBars();
    if (!m_zoomed) {
        xAxis->setRange(-kEdge, fittingBars() - 1 + kEdge);
    }
    placeCut();
    placeLabels();
    placeSelection();
    Q_EMIT rangeMoved();
    replot(rpQueuedReplot);
}

void WhyChart::fillBars() {
    enum { Dropped, Others, Chosen, BiasOthers, BiasChosen, Taken, SeriesCount };
    QVector<double> keys[SeriesCount];
    QVector<double> values[SeriesCount];
    const auto add = [&](int series, double key, double value) {
        if (value != 0) {
            keys[series].push_back(key);
            values[series].push_back(value);
        }
    };
    m_decided->data()->clear();
    m_keptOut->data()->clear();
    double top = 0;
    double bottom = 0;
    for (int i = 0; i < barCount(); ++i) {
        const WhyBar& at = bar(i);
        const double sum = at.base + at.bias;
        const double solid = std::max(0.0, std::min(at.base, sum));
        const double upper = std::max({at.base, sum, 0.0});
        add(at.chosen ? Chosen : i < m_content.kept ? Others : Dropped, i, solid);
        add(at.bias > 0 ? (at.chosen ? BiasChosen : BiasOthers) : Taken, i, upper - solid);
        top = std::max(top, upper);
        bottom = std::min(bottom, sum);
        if (at.mark != WhyBar::Mark::None) {
            (at.mark == WhyBar::Mark::DecidedByBias ? m_decided : m_keptOut)->addData(i, upper);
        }
    }
    QCPBars* const series[SeriesCount]{m_dropped,    m_others,     m_chosen,
                                       m_biasOthers, m_biasChosen, m_biasTaken};
    for (int s = 0; s < SeriesCount; ++s) {
        series[s]->setData(keys[s], values[s], true);
    }
    const double span = top - bottom > 0 ? top - bottom : 1;
    yAxis->setRange(bottom < 0 ? bottom - 0.05 * span : 0, top + kHeadroom * span);
    fillLegend(!keys[Taken].isEmpty(), !m_decided->data()->isEmpty(),
               !m_keptOut->data()->isEmpty());
}

void WhyChart::fillLegend(bool taken, bool decided, bool keptOut) {
    m_chosen->setName(m_content.baseName);
    m_biasChosen->setName(m_content.biasName);
    m_biasTaken->setName(tr("negative: taken away"));
    m_decided->setName(tr("chosen by the bias only"));
    m_keptOut->setName(tr("kept out by the bias"));
    legend->clearItems();
    legend->setWrap(width() >= kWide ? 5 : 2);
    const auto show = [](QCPAbstractPlottable* plottable, bool wanted) {
        if (wanted) {
            plottable->addToLegend();
        }
    };
    show(m_chosen, true);
    show(m_biasChosen, !m_content.biasName.isEmpty());
    show(m_biasTaken, taken);
    show(m_decided, decided);
    show(m_keptOut, keptOut);
}

void WhyChart::placeCut() {
    const bool cut = !std::isnan(m_content.margin) && barCount() > m_content.chosen;
    m_cut->setVisible(cut);
    m_cutText->setVisible(cut);
    const auto place = [](QCPItemLine* line, QCPItemText* text, double at) {
        line->start->setCoords(at, 0);
        line->end->setCoords(at, 1);
        text->position->setCoords(at, 0);
    };
    place(m_cut, m_cutText, m_content.chosen - 0.5);
    m_cutText->setText(tr("cut, margin %1").arg(threeDigits(m_content.margin)));
    const bool dropped = barCount() > m_content.kept;
    m_keptEnd->setVisible(dropped);
    m_keptText->setVisible(dropped);
    place(m_keptEnd, m_keptText, m_content.kept - 0.5);
    m_keptText->setText(tr("groups not kept"));
}

/// The experts' numbers, as many as there is room for.
void WhyChart::placeLabels() {
    const double perBar = axisRect()->width() / std::max(1.0, xAxis->range().size());
    const QFontMetrics metrics(xAxis->tickLabelFont());
    const int widest = metrics.horizontalAdvance(QStringLiteral("0000"));
    const bool upright = perBar > widest;
    const int step = std::max(1, static_cast<int>(std::ceil(metrics.height() * 0.9 / perBar)));
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    const int first = std::max(0, static_cast<int>(std::floor(xAxis->range().lower)));
    const int last = std::min(barCount() - 1, static_cast<int>(std::ceil(xAxis->range().upper)));
    for (int i = (first + step - 1) / step * step; i <= last; i += step) {
        ticker->addTick(i, QString::number(bar(i).expert));
    }
    xAxis->setTicker(ticker);
    xAxis->setTickLabelRotation(upright ? 0 : -90);
    // The two lines' texts side by side, or one below the other.
    const QFontMetrics small(m_cutText->font());
    const bool near = m_cut->visible() && (m_content.kept - m_content.chosen) * perBar <
                                              small.horizontalAdvance(m_cutText->text()) + kGrid;
    m_keptText->position->setCoords(
        m_content.kept - 0.5,
        near ? static_cast<double>(small.height()) / std::max(1, axisRect()->height()) : 0.0);
}

int WhyChart::selectedBar() const {
    for (int i = 0; i < barCount() && m_selected; ++i) {
        if (bar(i).expert == *m_selected) {
            return i;
        }
    }
    return -1;
}

void WhyChart::placeSelection() {
    const int index = m_pointed >= 0 ? m_pointed : selectedBar();
    m_outline->setVisible(index >= 0 && index < barCount());
    if (m_outline->visible()) {
        const WhyBar& at = bar(index);
        m_outline->topLeft->setCoords(index - 0.5, std::max(at.base, at.base + at.bias));
        m_outline->bottomRight->setCoords(index + 0.5, std::min(0.0, at.base + at.bias));
    }
}

std::optional<int> WhyChart::barAt(const QPointF& pixel) const {
    const int index = qRound(xAxis->pixelToCoord(pixel.x()));
    const bool inside = axisRect()->rect().contains(pixel.toPoint());
    return inside && index >= 0 && index < barCount() ? std::optional(index) : std::nullopt;
}

void WhyChart::mousePressEvent(QMouseEvent* event) {
    m_pressed = event->pos();
    QCustomPlot::mousePressEvent(event);
}

void WhyChart::mouseMoveEvent(QMouseEvent* event) {
    const QCPRange before = xAxis->range();
    QCustomPlot::mouseMoveEvent(event);
    m_zoomed = m_zoomed || xAxis->range() != before;
    const int index = barAt(event->position()).value_or(-1);
    if (index != m_pointed) {
        m_pointed = index;
        placeSelection();
        replot(rpQueuedReplot);
        Q_EMIT expertPointed(index < 0 ? -1 : bar(index).expert);
    }
}

void WhyChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const bool isClick = (event->pos() - m_pressed).manhattanLength() <= kClickSlack;
    const auto index = barAt(event->position());
    if (event->button() == Qt::LeftButton && isClick && index) {
        Q_EMIT expertChosen(bar(*index).expert);
    }
}

void WhyChart::mouseDoubleClickEvent(QMouseEvent* event) {
    QCustomPlot::mouseDoubleClickEvent(event);
    m_pressed = QPoint(-kClickSlack, -kClickSlack) * 10;  // its release is no click
    resetZoom();
}

void WhyChart::wheelEvent(QWheelEvent* event) {
    m_zoomed = true;
    QCustomPlot::wheelEvent(event);
}

void WhyChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    m_pointed = -1;
    placeSelection();
    replot(rpQueuedReplot);
    Q_EMIT expertPointed(-1);
}

void WhyChart::zoomBy(double factor) {
    m_zoomed = true;
    const int at = m_pointed >= 0 ? m_pointed : selectedBar();
    xAxis->scaleRange(factor, at >= 0 ? at : xAxis->range().lower);
    replot(rpQueuedReplot);
}

void WhyChart::moveCursor(int to) {
    if (barCount() == 0) {
        return;
    }
    m_pointed = std::clamp(to, 0, barCount() - 1);
    const QCPRange range = xAxis->range();
    const double over = std::max(0.0, m_pointed + kEdge - range.upper);
    const double under = std::max(0.0, range.lower - (m_pointed - kEdge));
    if (over > 0 || under > 0) {
        m_zoomed = true;
        xAxis->moveRange(over - under);
    }
    placeSelection();
    replot(rpQueuedReplot);
    Q_EMIT expertPointed(bar(m_pointed).expert);
}

void WhyChart::keyPressEvent(QKeyEvent* event) {
    const int from = m_pointed >= 0 ? m_pointed : selectedBar();
    switch (event->key()) {
        case Qt::Key_Left:
            return moveCursor(from - 1);
        case Qt::Key_Right:
            return moveCursor(from + 1);
        case Qt::Key_PageUp:
            return moveCursor(from - 10);
        case Qt::Key_PageDown:
            return moveCursor(from + 10);
        case Qt::Key_Home:
            return moveCursor(0);
        case Qt::Key_End:
            return moveCursor(barCount() - 1);
        case Qt::Key_Plus:
        case Qt::Key_Equal:
            return zoomBy(0.75);
        case Qt::Key_Minus:
            return zoomBy(1 / 0.75);
        case Qt::Key_0:
            return resetZoom();
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (m_pointed >= 0 && m_pointed < barCount()) {
                Q_EMIT expertChosen(bar(m_pointed).expert);
            }
            return;
        default:
            QCustomPlot::keyPressEvent(event);
    }
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
    const QColor base = palette().color(QPalette::Active, QPalette::Base);
    m_chosen->setBrush(colours.accepted);
    m_others->setBrush(colours.neutral);
    m_dropped->setBrush(faded(colours.neutral));
    m_biasChosen->setBrush(colours.bias);
    m_biasOthers->setBrush(faded(colours.bias));
    m_biasTaken->setBrush(QBrush(colours.bias, Qt::BDiagPattern));
    m_biasTaken->setPen(QPen(faded(colours.bias), 1));
    const auto diamond = [&](const QColor& fill) {
        return QCPScatterStyle(QCPScatterStyle::ssDiamond, QPen(colours.bias, 1.5), QBrush(fill),
                               kGrid);
    };
    m_decided->setScatterStyle(diamond(colours.bias));
    m_keptOut->setScatterStyle(diamond(base));
    for (QCPItemLine* line : {m_cut, m_keptEnd}) {
        line->setPen(
            QPen(palette().color(QPalette::Text), 1, line == m_cut ? Qt::DashLine : Qt::DotLine));
    }
    for (QCPItemText* text : {m_cutText, m_keptText}) {
        text->setColor(colours.muted);
        text->setFont(smallFont(font()));
    }
    m_outline->setPen(QPen(palette().color(QPalette::Text), 1.5));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
