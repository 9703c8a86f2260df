// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_plot.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr double kBarWidth = 0.7;

}  // namespace

SpeculationPlot::SpeculationPlot(QWidget* parent) : QCustomPlot(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(25 * kGrid, 17 * kGrid);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    xAxis->grid()->setVisible(false);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, 2 * kGrid, kGrid / 2));
    legend->setVisible(true);
    legend->setMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    legend->setWrap(2);
    legend->setIconSize(2 * kGrid, kGrid);
    legend->setColumnSpacing(kGrid);
    legend->setRowSpacing(0);
    plotLayout()->insertRow(0);
    auto* row = new QCPLayoutGrid;
    plotLayout()->addElement(0, 0, row);
    row->addElement(0, 0, legend);
    row->addElement(0, 1, new QCPLayoutElement(this));  // takes the room the legend leaves
    row->setColumnStretchFactor(0, 0.001);
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowSpacing(0);
    m_cursor = new QCPItemLine(this);
    m_cursor->setVisible(false);
    m_cursor->setLayer(QStringLiteral("overlay"));  // before bars that are made later
    m_reference = new QCPItemLine(this);
    m_reference->setVisible(false);
    m_reference->setLayer(QStringLiteral("overlay"));
}

void SpeculationPlot::setPicture(const SpeculationPicture& picture) {
    const bool same = picture.xLabel == m_picture.xLabel;
    m_picture = picture;
    m_pointed = same && m_pointed < count() ? m_pointed : -1;
    draw();
}

void SpeculationPlot::setSelectedLayer(int layer) {
    m_layer = layer;
    point(m_pointed);
}

QString SpeculationPlot::textOf(int category) const {
    return category >= 0 && category < count() ? m_picture.texts[category] : QString();
}

QPointF SpeculationPlot::pixelOf(int category) const {
    return {xAxis->coordToPixel(category), static_cast<double>(axisRect()->rect().center().y())};
}

QColor SpeculationPlot::colour(SpeculationRole role) const {
    const ThemeColours colours = themeColours(palette());
    switch (role) {
        case SpeculationRole::Accepted:
            return colours.accepted;
        case SpeculationRole::Rejected:
            return colours.rejected;
        case SpeculationRole::Bound:
            return colours.muted;
        case SpeculationRole::Neutral:
            break;
    }
    return colours.neutral;
}

/// Pictures are small and change as a whole: everything is made anew.
void SpeculationPlot::draw() {
    clearPlottables();
    legend->clearItems();
    themePlot(this, palette(), font());
    int marks = 0;
    for (const SpeculationSeries& series : m_picture.series) {
        marks += series.look == SpeculationSeries::Look::Marks ? 1 : 0;
    }
    QCPBars* below = nullptr;
    int mark = 0;
    for (const SpeculationSeries& series : m_picture.series) {
        if (series.look == SpeculationSeries::Look::Bars) {
            drawBars(series, below);
        } else {
            drawMarks(series, mark, marks);
            mark += series.look == SpeculationSeries::Look::Marks ? 1 : 0;
        }
    }
    drawReference();
    fillAxes();
    m_cursor->setPen(QPen(palette().color(QPalette::Text), 1));
    xAxis->setBasePen(Qt::NoPen);
    yAxis->setBasePen(Qt::NoPen);
    point(m_pointed);
}

void SpeculationPlot::drawBars(const SpeculationSeries& series, QCPBars*& below) {
    const bool many = count() > 24;
    QCPBars* base = nullptr;
    // One plottable for each colour; the legend names the first.
    for (const SpeculationRole role : {SpeculationRole::Accepted, SpeculationRole::Rejected,
                                       SpeculationRole::Neutral, SpeculationRole::Bound}) {
        QVector<double> keys;
        QVector<double> values;
        for (int i = 0; i < count(); ++i) {
            const auto at = static_cast<std::size_t>(i);
            if ((series.roles.empty() ? series.role : series.roles[at]) == role &&
                !std::isnan(series.values[at])) {
                keys.push_back(i);
                values.push_back(series.values[at]);
            }
        }
        if (keys.isEmpty()) {
            continue;
        }
        auto* bars = new QCPBars(xAxis, yAxis);
        bars->setName(series.name);
        bars->setWidth(many ? 0.9 : kBarWidth);
        bars->setStackingGap(0);
        bars->setPen(Qt::NoPen);
        bars->setBrush(colour(role));
        bars->setData(keys, values, true);
        if (series.stacked && below != nullptr) {
            bars->moveAbove(below);
        }
        if (!series.roles.empty()) {  // colours say what the axis and the line say too
            bars->removeFromLegend();
        }
        base = bars;
    }
    below = base != nullptr ? base : below;
}

void SpeculationPlot::drawMarks(const SpeculationSeries& series, int index, int of) {
    const bool line = series.look == SpeculationSeries::Look::Line;
    const bool spread = of > 1 && !series.intervals.empty();
    QVector<double> keys;
    QVector<double> values;
    QVector<double> low;
    QVector<double> high;
    for (int i = 0; i < count(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (std::isnan(series.values[at])) {
            continue;
        }
        // Side by side, so that no interval hides another.
        keys.push_back(i + (spread ? 0.24 * (index - (of - 1) / 2.0) : 0.0));
        values.push_back(series.values[at]);
        if (!series.intervals.empty()) {
            low.push_back(series.values[at] - series.intervals[at].low);
            high.push_back(series.intervals[at].high - series.values[at]);
        }
    }
    QCPGraph* graph = addGraph();
    graph->setName(series.name);
    graph->setData(keys, values, true);
    const QColor ink = series.role == SpeculationRole::Neutral ? palette().color(QPalette::Text)
                                                               : colour(series.role);
    if (line) {
        graph->setPen(QPen(ink, 1.5, Qt::DashLine));
        return;
    }
    graph->setLineStyle(QCPGraph::lsNone);
    const bool full = series.role != SpeculationRole::Neutral;
    const bool many = count() > 24;
    graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(ink, 1.5),
                                           full ? QBrush(ink) : palette().brush(QPalette::Base),
                                           many ? 4 : 7));
    if (!low.isEmpty()) {
        auto* bars = new QCPErrorBars(xAxis, yAxis);
        bars->removeFromLegend();
        bars->setDataPlottable(graph);
        bars->setData(low, high);
        bars->setPen(QPen(ink, 1));
        bars->setWhiskerWidth(kGrid);
        bars->setSymbolGap(0);
    }
}

void SpeculationPlot::drawReference() {
    const bool known = !std::isnan(m_picture.reference);
    m_reference->setVisible(known);
    if (!known) {
        return;
    }
    m_reference->start->setCoords(-0.5, m_picture.reference);
    m_reference->end->setCoords(count() - 0.5, m_picture.reference);
    const QPen pen(themeColours(palette()).muted, 1.5, Qt::DashLine);
    m_reference->setPen(pen);
    QCPGraph* sample = addGraph();  // its place in the legend
    sample->setName(m_picture.referenceName);
    sample->setPen(pen);
}

double SpeculationPlot::top() const {
    double most = std::isnan(m_picture.reference) ? 0 : m_picture.reference;
    std::vector<double> stack(static_cast<std::size_t>(count()), 0.0);
    for (const SpeculationSeries& series : m_picture.series) {
        for (std::size_t i = 0; i < stack.size(); ++i) {
            const double value = std::isnan(series.values[i]) ? 0 : series.values[i];
            stack[i] = series.stacked ? stack[i] + value : value;
            most = std::max(most, stack[i]);
        }
    }
    return most > 0 ? most : 1;
}

void SpeculationPlot::fillAxes() {
    xAxis->setLabel(m_picture.xLabel);
    yAxis->setLabel(m_picture.yLabel);
    xAxis->setRange(-0.6, std::max(count(), 1) - 0.4);
    if (m_picture.share) {
        auto percent = QSharedPointer<QCPAxisTickerText>::create();
        for (const double share : {0.0, 0.5, 1.0}) {
            percent->addTick(share,
                             QString::number(qRound(100 * share)) + QStringLiteral("\u202F%"));
        }
        yAxis->setTicker(percent);
        yAxis->setRange(-0.02, 1.05);
    } else {
        auto ticker = QSharedPointer<QCPAxisTicker>::create();
        ticker->setTickCount(4);
        yAxis->setTicker(ticker);
        yAxis->setRange(0, 1.08 * top());
    }
    legend->setVisible(legend->itemCount() > 0);
    thinTicks();
}

/// As many names as fit beside each other.
void SpeculationPlot::thinTicks() {
    const QFontMetrics metrics(xAxis->tickLabelFont());
    int widest = 1;
    for (const QString& name : m_picture.categories) {
        widest = std::max(widest, metrics.horizontalAdvance(name) + kGrid);
    }
    const int room = std::max(1, axisRect()->width() / widest);
    const int each = std::max(1, (count() + room - 1) / room);
    auto names = QSharedPointer<QCPAxisTickerText>::create();
    for (int i = 0; i < count(); i += each) {
        names->addTick(i, m_picture.categories[i]);
    }
    xAxis->setTicker(names);
}

int SpeculationPlot::categoryAt(const QPoint& pixel) const {
    const int at = qRound(xAxis->pixelToCoord(pixel.x()));
    return axisRect()->rect().contains(pixel) && at >= 0 && at < count() ? at : -1;
}

void SpeculationPlot::point(int category) {
    m_pointed = category;
    const auto layer = std::find(m_picture.layers.begin(), m_picture.layers.end(), m_layer);
    const int selected =
        layer != m_picture.layers.end() ? static_cast<int>(layer - m_picture.layers.begin()) : -1;
    const int shown = category >= 0 ? category : selected;
    m_cursor->setVisible(shown >= 0);
    m_cursor->start->setCoords(shown, yAxis->range().lower);
    m_cursor->end->setCoords(shown, yAxis->range().upper);
    replot(rpQueuedReplot);
}

void SpeculationPlot::choose(int category) {
    if (category >= 0 && category < static_cast<int>(m_picture.layers.size())) {
        Q_EMIT layerChosen(m_picture.layers[static_cast<std::size_t>(category)]);
    }
}

void SpeculationPlot::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int category = categoryAt(event->pos());
    point(category);
    const QString text = textOf(category);
    if (!text.isEmpty()) {
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void SpeculationPlot::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    if (event->button() == Qt::LeftButton) {
        choose(categoryAt(event->pos()));
    }
}

void SpeculationPlot::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    point(-1);
    Q_EMIT pointed({});
}

void SpeculationPlot::keyPressEvent(QKeyEvent* event) {
    const int last = count() - 1;
    int to = m_pointed;
    switch (event->key()) {
        case Qt::Key_Left:
            to = m_pointed < 0 ? last : m_pointed - 1;
            break;
        case Qt::Key_Right:
            to = m_pointed < 0 ? 0 : m_pointed + 1;
            break;
        case Qt::Key_Home:
            to = 0;
            break;
        case Qt::Key_End:
            to = last;
            break;
        case Qt::Key_Return:
        case Qt::Key_Enter:
            choose(m_pointed);
            return;
        default:
            QCustomPlot::keyPressEvent(event);
            return;
    }
    if (last >= 0) {
        point(std::clamp(to, 0, last));
        Q_EMIT pointed(textOf(m_pointed));
    }
}

void SpeculationPlot::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_reference != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        draw();
    }
}

void SpeculationPlot::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    thinTicks();
    replot(rpQueuedReplot);
}

}  // namespace gatescope
