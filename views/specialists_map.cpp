// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/specialists_map.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <limits>

#include "views/colour_maps.h"
#include "views/formats.h"
#include "views/index_ticker.h"
#include "views/theme.h"

namespace gatescope {

namespace {
constexpr int kDomainChars = 14;
constexpr double kLargestLift = 7;  // drawn apart; log2(1 + 7) = 3
}  // namespace

SpecialistsMap::SpecialistsMap(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 12 * kGrid);
    for (QCPAxis* axis : {xAxis, yAxis}) {
        axis->grid()->setVisible(false);
        axis->setTickLength(0, kGrid / 2);
        axis->setSubTicks(false);
    }
    yAxis->setRangeReversed(true);
    xAxis->setLabel(tr("expert"));
    xAxis->setLabelPadding(2);

    m_map = new QCPColorMap(xAxis, yAxis);
    m_map->setInterpolate(false);
    m_map->setTightBoundary(false);
    m_scale = new QCPColorScale(this);
    m_scale->setType(QCPAxis::atRight);
    m_scale->setBarWidth(kGrid + 2);
    m_scale->setRangeDrag(false);
    m_scale->setRangeZoom(false);
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    ticker->addTick(0, QStringLiteral("0"));
    ticker->addTick(1, QStringLiteral("1×"));
    ticker->addTick(2, QStringLiteral("3×"));
    ticker->addTick(std::log2(1 + kLargestLift), QStringLiteral("≥ 7×"));
    m_scale->axis()->setTicker(ticker);
    m_scale->axis()->setLabel(tr("lift over chance"));
    m_scale->axis()->setSubTicks(false);
    m_scale->axis()->setTickLength(0, 3);
    m_scale->axis()->setPadding(kGrid / 2);
    plotLayout()->addElement(0, 1, m_scale);
    plotLayout()->setColumnSpacing(kGrid);
    auto* group = new QCPMarginGroup(this);
    axisRect()->setMarginGroup(QCP::msTop | QCP::msBottom, group);
    m_scale->setMarginGroup(QCP::msTop | QCP::msBottom, group);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid, kGrid, kGrid));
    m_map->setColorScale(m_scale);
    m_scale->setGradient(viridis());
    m_scale->setDataRange({0, std::log2(1 + kLargestLift)});

    m_selectedOutline = makeOutline(Qt::SolidLine);
    m_cursorOutline = makeOutline(Qt::DotLine);
    connect(this, &QCustomPlot::beforeReplot, this, &SpecialistsMap::beforeDrawing);
    restyle();
}

SpecialistsMap::Outline SpecialistsMap::makeOutline(Qt::PenStyle style) {
    const auto make = [this](const QPen& pen) {
        auto* rect = new QCPItemRect(this);
        rect->setLayer(QStringLiteral("overlay"));
        rect->setPen(pen);
        rect->setBrush(Qt::NoBrush);
        rect->setSelectable(false);
        rect->setVisible(false);
        return rect;
    };
    // White on black reads on every colour of the map, in light and dark.
    Outline outline;
    outline.outer = make(QPen(Qt::black, 4, Qt::SolidLine, Qt::SquareCap, Qt::MiterJoin));
    outline.inner = make(QPen(Qt::white, 2, style, Qt::SquareCap, Qt::MiterJoin));
    return outline;
}

void SpecialistsMap::setLift(const QStringList& domains, int experts,
                             const std::vector<double>& lift) {
    Q_ASSERT(lift.size() ==
             static_cast<std::size_t>(domains.size()) * static_cast<std::size_t>(experts));
    const int rows = static_cast<int>(domains.size());
    if (rows != m_domains || experts != m_experts) {
        m_cursor.reset();
        m_pointed.reset();
    }
    m_domains = rows;
    m_experts = experts;
    auto names = QSharedPointer<QCPAxisTickerText>::create();
    for (int row = 0; row < rows; ++row)
        names->addTick(row, visibleText(domains[row], kDomainChars));
    yAxis->setTicker(names);
    auto across = QSharedPointer<IndexTicker>::create(IndexTicker::Steps::Binary);
    across->setLast(experts - 1.0);
    xAxis->setTicker(across);
    xAxis->setRange(-0.5, std::max(1, experts) - 0.5);
    yAxis->setRange(-0.5, std::max(1, rows) - 0.5);
    // A map gives a single row no height: it becomes two halves.
    QCPColorMapData* cells = m_map->data();
    cells->setSize(std::max(2, experts), std::max(2, rows));
    const double half = rows == 1 ? 0.25 : 0;
    cells->setRange({0, std::max(2, experts) - 1.0}, {-half, rows - 1 + half});
    cells->fill(std::numeric_limits<double>::quiet_NaN());
    for (int row = 0; row < std::max(rows, 2); ++row) {
        const int domain = std::min(row, rows - 1);
        for (int expert = 0; expert < experts && domain >= 0; ++expert) {
            const auto at = static_cast<std::size_t>(domain * experts + expert);
            cells->setCell(expert, row, std::log2(1 + lift[at]));
        }
    }
    placeMarkers();
    replot(rpQueuedReplot);
}

void SpecialistsMap::setSelected(std::optional<int> expert) {
    m_selected = expert;
    placeMarkers();
    layer(QStringLiteral("overlay"))->replot();
}

std::optional<SpecialistsMap::Cell> SpecialistsMap::cellAt(const QPointF& pixel) const {
    if (!axisRect()->rect().contains(pixel.toPoint())) return std::nullopt;
    const int expert = qRound(xAxis->pixelToCoord(pixel.x()));
    const int domain = qRound(yAxis->pixelToCoord(pixel.y()));
    if (expert < 0 || expert >= m_experts || domain < 0 || domain >= m_domains) return std::nullopt;
    return Cell{domain, expert};
}

QPointF SpecialistsMap::pixelOf(Cell cell) const {
    return {xAxis->coordToPixel(cell.expert), yAxis->coordToPixel(cell.domain)};
}

double SpecialistsMap::drawnValue(Cell cell) const {
    return m_map->data()->cell(cell.expert, cell.domain);
}

void SpecialistsMap::showTip(const QString& text) {
    if (text.isEmpty()) {
        QToolTip::hideText();
    } else {
        QToolTip::showText(QCursor::pos(), plainToolTip(text), this);
    }
}

void SpecialistsMap::placeOutline(const Outline& outline, const QRectF& place, bool visible) {
    for (QCPItemRect* item : {outline.outer, outline.inner}) {
        item->setVisible(visible);
        item->topLeft->setCoords(place.left(), place.top());
        item->bottomRight->setCoords(place.right(), place.bottom());
    }
}

void SpecialistsMap::placeMarkers() {
    // A column that is narrower than seven pixels is outlined by as much.
    const double perPixel = xAxis->range().size() / std::max(1, axisRect()->rect().width());
    const double half = std::max(0.5, 3.5 * perPixel);
    const int expert = m_selected.value_or(-1);
    placeOutline(m_selectedOutline, QRectF(expert - half, -0.5, 2 * half, m_domains),
                 expert >= 0 && expert < m_experts);
    const Cell cursor = m_cursor.value_or(Cell{});
    placeOutline(m_cursorOutline, QRectF(cursor.expert - half, cursor.domain - 0.5, 2 * half, 1),
                 m_cursor && hasFocus());
}

void SpecialistsMap::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const std::optional<Cell> cell = cellAt(event->position());
    if (cell == m_pointed) return;
    m_pointed = cell;
    const Cell at = cell.value_or(Cell{});
    Q_EMIT cellPointed(at.domain, at.expert);
}

void SpecialistsMap::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const std::optional<Cell> cell = cellAt(event->position());
    if (event->button() != Qt::LeftButton || !cell) return;
    m_cursor = cell;
    placeMarkers();
    Q_EMIT cellChosen(cell->domain, cell->expert);
}

void SpecialistsMap::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    m_pointed.reset();
    Q_EMIT cellPointed(-1, -1);
}

void SpecialistsMap::moveCursor(int domains, int experts) {
    if (m_domains <= 0 || m_experts <= 0) return;
    if (!m_cursor) {
        m_cursor = Cell{0, std::clamp(m_selected.value_or(0), 0, m_experts - 1)};
    } else {
        m_cursor->domain = std::clamp(m_cursor->domain + domains, 0, m_domains - 1);
        m_cursor->expert = std::clamp(m_cursor->expert + experts, 0, m_experts - 1);
    }
    placeMarkers();
    layer(QStringLiteral("overlay"))->replot();
    Q_EMIT cellPointed(m_cursor->domain, m_cursor->expert);
}

void SpecialistsMap::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
        case Qt::Key_Left:
            return moveCursor(0, -1);
        case Qt::Key_Right:
            return moveCursor(0, 1);
        case Qt::Key_Up:
            return moveCursor(-1, 0);
        case Qt::Key_Down:
            return moveCursor(1, 0);
        case Qt::Key_Home:
            return moveCursor(0, -m_experts);
        case Qt::Key_End:
            return moveCursor(0, m_experts);
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (m_cursor) Q_EMIT cellChosen(m_cursor->domain, m_cursor->expert);
            return;
        default:
            QCustomPlot::keyPressEvent(event);
    }
}

void SpecialistsMap::focusInEvent(QFocusEvent* event) {
    QCustomPlot::focusInEvent(event);
    placeMarkers();
    layer(QStringLiteral("overlay"))->replot();
}

void SpecialistsMap::focusOutEvent(QFocusEvent* event) {
    QCustomPlot::focusOutEvent(event);
    placeMarkers();
    layer(QStringLiteral("overlay"))->replot();
}

void SpecialistsMap::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_scale != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void SpecialistsMap::restyle() {
    themePlot(this, palette(), font());
    const auto axes = findChildren<QCPAxis*>();  // the frame of the colour scale too
    for (QCPAxis* axis : axes) {
        axis->setBasePen(Qt::NoPen);
        axis->setTickPen(Qt::NoPen);
    }
    axisRect()->setBackground(hatchBrush(palette()));  // shows wherever the map is transparent
    replot(rpQueuedReplot);
}

void SpecialistsMap::beforeDrawing() {
    const int line = QFontMetrics(smallFont(font())).height();
    xAxis->ticker()->setTickCount(std::max(2, axisRect()->rect().width() / (3 * line)));
    placeMarkers();
}

}  // namespace gatescope
