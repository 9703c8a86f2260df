// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/intervention_chart.h"

#include <QKeyEvent>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kBarPixels = 3;
constexpr int kTokenChars = 24;

QString quoted(const std::string& bytes, std::int32_t id) {
    return bytes.empty() ? InterventionChart::tr("token %1").arg(id)
                         : quotedToken(QByteArray::fromStdString(bytes), kTokenChars);
}

}  // namespace

InterventionChart::InterventionChart(QWidget* parent) : QCustomPlot(parent) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumSize(25 * kGrid, 12 * kGrid);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    xAxis->grid()->setVisible(false);
    xAxis->setLabel(tr("position in the context"));
    xAxis->setNumberFormat(QStringLiteral("f"));
    xAxis->setNumberPrecision(0);
    yAxis->setLabel(tr("KL, nats"));
    yAxis->ticker()->setTickCount(4);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid));
    const auto makeBars = [this](const QString& name) {
        auto* bars = new QCPBars(xAxis, yAxis);
        bars->setStackingGap(0);
        bars->setAntialiased(false);
        bars->setName(name);
        return bars;
    };
    m_changed = makeBars(tr("another most probable token"));
    m_stayed = makeBars(tr("the same"));
    m_line = new QCPItemStraightLine(this);
    m_line->setVisible(false);
    plotLayout()->insertRow(0);
    auto* row = new QCPLayoutGrid;
    plotLayout()->addElement(0, 0, row);
    row->addElement(0, 0, legend);
    row->addElement(0, 1, new QCPLayoutElement(this));  // takes the room the legend leaves
    row->setColumnStretchFactor(0, 0.001);
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    legend->setVisible(true);
    legend->setMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    legend->setIconSize(kGrid, kGrid);
    legend->setColumnSpacing(kGrid);
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowSpacing(0);
    restyle();
}

void InterventionChart::setEffect(std::shared_ptr<const InterventionEffect> effect) {
    m_effect = std::move(effect);
    m_cursor.reset();
    fill();
}

// What was changed stands in the picture itself, so that every export of it is labelled.
void InterventionChart::label() {
    QString text = tr("position in the context");
    if (m_effect && !m_effect->description.empty()) {
        text = tr("position \u00B7 %1")
                   .arg(visibleText(QString::fromStdString(m_effect->description)));
    }
    xAxis->setLabel(
        QFontMetrics(xAxis->labelFont()).elidedText(text, Qt::ElideRight, axisRect()->width()));
}

std::size_t InterventionChart::perBar() const {
    const auto bars = static_cast<std::size_t>(std::max(1, axisRect()->width() / kBarPixels));
    return empty() ? 1 : (m_effect->positions.size() + bars - 1) / bars;
}

void InterventionChart::fill() {
    m_stayed->data()->clear();
    m_changed->data()->clear();
    label();
    if (empty()) {
        replot(rpQueuedReplot);
        return;
    }
    const auto& positions = m_effect->positions;
    const std::size_t each = perBar();
    const double width =
        static_cast<double>(each) * (each == 1 && positions.size() < 100 ? 0.8 : 1);
    for (QCPBars* bars : {m_stayed, m_changed}) {
        bars->setWidth(width);
    }
    for (std::size_t first = 0; first < positions.size(); first += each) {
        const auto end = std::min(positions.size(), first + each);
        const PositionEffect* most = &positions[first];
        bool changed = false;
        for (std::size_t i = first; i < end; ++i) {
            most = positions[i].kl > most->kl ? &positions[i] : most;
            changed = changed || positions[i].topChanged();
        }
        const double key = positions[first].position + 0.5 * (static_cast<double>(end - first) - 1);
        (changed ? m_changed : m_stayed)->addData(key, most->kl);
    }
    xAxis->setRange(positions.front().position - 0.6, positions.back().position + 0.6);
    const double top = m_effect->maxKl > 0 ? m_effect->maxKl : 1;
    yAxis->setRange(0, 1.08 * top);
    drawCursor();
    replot(rpQueuedReplot);
}

void InterventionChart::setCursorPosition(std::optional<std::int32_t> position) {
    m_cursor.reset();
    if (position && !empty()) {
        const auto index = *position - m_effect->positions.front().position;
        if (index >= 0 && index < static_cast<std::int64_t>(m_effect->positions.size())) {
            m_cursor = static_cast<std::size_t>(index);
        }
    }
    drawCursor();
    replot(rpQueuedReplot);
}

std::optional<std::int32_t> InterventionChart::cursorPosition() const {
    if (!m_cursor || empty()) {
        return std::nullopt;
    }
    return m_effect->positions[*m_cursor].position;
}

QPointF InterventionChart::pixelOfPosition(std::int32_t position) const {
    return {xAxis->coordToPixel(position), yAxis->coordToPixel(0) - 2};
}

void InterventionChart::drawCursor() {
    m_line->setVisible(m_cursor.has_value());
    if (m_cursor) {
        const double x = m_effect->positions[*m_cursor].position;
        m_line->point1->setCoords(x, 0);
        m_line->point2->setCoords(x, 1);
    }
}

std::optional<std::size_t> InterventionChart::indexAt(QPoint pixel) const {
    if (empty() || !axisRect()->rect().contains(pixel)) {
        return std::nullopt;
    }
    const auto& positions = m_effect->positions;
    const double at = std::round(xAxis->pixelToCoord(pixel.x())) - positions.front().position;
    if (at < 0 || at >= static_cast<double>(positions.size())) {
        return std::nullopt;
    }
    const std::size_t each = perBar();
    const std::size_t first = static_cast<std::size_t>(at) / each * each;
    const auto begin = positions.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end =
        positions.begin() + static_cast<std::ptrdiff_t>(std::min(positions.size(), first + each));
    const auto most =
        std::max_element(begin, end, [](const auto& a, const auto& b) { return a.kl < b.kl; });
    return static_cast<std::size_t>(most - positions.begin());
}

QString InterventionChart::textOf(std::size_t index) const {
    const PositionEffect& at = m_effect->positions[index];
    QString text =
        tr("position %1 %2 \u00B7 KL %3 nats \u00B7 next, untouched: %4 %5 \u00B7 changed: "
           "%6 %7")
            .arg(QString::number(at.position), quoted(at.bytes, at.token), allDigits(at.kl),
                 quoted(at.topBeforeBytes, at.topBefore), percentText(at.topBeforeProbability),
                 quoted(at.topAfterBytes, at.topAfter), percentText(at.topAfterProbability));
    if (!std::isnan(at.nextBefore)) {
        text += tr(" \u00B7 the token that follows: %1, then %2")
                    .arg(percentText(at.nextBefore), percentText(at.nextAfter));
    }
    return text;
}

void InterventionChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const auto index = indexAt(event->position().toPoint());
    const QString text = index ? textOf(*index) : QString();
    if (index) {
        QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    }
    Q_EMIT pointed(text);
}

void InterventionChart::mousePressEvent(QMouseEvent* event) {
    QCustomPlot::mousePressEvent(event);
    const auto index = indexAt(event->position().toPoint());
    if (event->button() == Qt::LeftButton && index) {
        moveTo(*index);
        Q_EMIT activated(m_effect->positions[*index].position);
    }
}

void InterventionChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    Q_EMIT pointed({});
}

void InterventionChart::keyPressEvent(QKeyEvent* event) {
    if (empty()) {
        return QCustomPlot::keyPressEvent(event);
    }
    const std::size_t last = m_effect->positions.size() - 1;
    switch (event->key()) {
        case Qt::Key_Left:
            return moveTo(m_cursor ? *m_cursor - (*m_cursor > 0 ? 1 : 0) : last);
        case Qt::Key_Right:
            return moveTo(m_cursor ? std::min(last, *m_cursor + 1) : 0);
        case Qt::Key_Home:
            return moveTo(0);
        case Qt::Key_End:
            return moveTo(last);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (m_cursor) {
                Q_EMIT activated(m_effect->positions[*m_cursor].position);
            }
            return;
        default:
            QCustomPlot::keyPressEvent(event);
    }
}

void InterventionChart::moveTo(std::size_t index) {
    m_cursor = index;
    drawCursor();
    replot(rpQueuedReplot);
    Q_EMIT pointed(textOf(index));
}

void InterventionChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_line != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void InterventionChart::resizeEvent(QResizeEvent* event) {
    QCustomPlot::resizeEvent(event);
    fill();  // as many bars as fit
}

void InterventionChart::focusInEvent(QFocusEvent* event) {
    QCustomPlot::focusInEvent(event);
    restyle();
}

void InterventionChart::focusOutEvent(QFocusEvent* event) {
    QCustomPlot::focusOutEvent(event);
    restyle();
}

void InterventionChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    for (QCPBars* bars : {m_stayed, m_changed}) {
        bars->setPen(Qt::NoPen);
    }
    m_stayed->setBrush(colours.neutral);
    m_changed->setBrush(colours.accent);
    m_line->setPen(QPen(palette().color(QPalette::WindowText), hasFocus() ? 2 : 1));
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
