// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens_chart.h"

#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

const QString kDot = QStringLiteral(" · ");

double movedShare(const LayerOverlap& layer) {
    return layer.mass > 0 ? layer.massMoved / layer.mass : 0;
}

}  // namespace

TokensChart::TokensChart(QWidget* parent) : QCustomPlot(parent) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(25 * kGrid, 13 * kGrid);
    xAxis->grid()->setVisible(false);
    xAxis->setSubTicks(false);
    xAxis->setTickLength(0, 0);
    xAxis->setLabel(tr("layer"));
    xAxis->setLabelPadding(0);
    yAxis->setSubTicks(false);
    yAxis->setTickLength(0, 0);
    yAxis->ticker()->setTickCount(4);
    yAxis->setRange(0, 1.06);
    axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, kGrid, kGrid / 2));
    m_shared = new QCPBars(xAxis, yAxis);
    m_shared->setWidth(0.76);
    m_shared->setAntialiased(false);
    m_shared->setPen(Qt::NoPen);
    m_shared->setName(tr("experts shared"));
    m_moved = addGraph();
    m_moved->setLineStyle(QCPGraph::lsNone);
    m_moved->setName(tr("gate mass moved"));
    m_chance = addGraph();
    m_cursor = new QCPItemRect(this);
    m_cursor->setSelectable(false);
    m_cursor->setVisible(false);
    m_cursor->topLeft->setTypeY(QCPItemPosition::ptAxisRectRatio);
    m_cursor->bottomRight->setTypeY(QCPItemPosition::ptAxisRectRatio);
    plotLayout()->insertRow(0);
    plotLayout()->addElement(0, 0, legend);
    plotLayout()->setRowStretchFactor(0, 0.001);
    plotLayout()->setRowSpacing(0);
    legend->setVisible(true);
    legend->setMargins(QMargins(kGrid, 0, kGrid, 0));
    legend->setIconSize(kGrid, kGrid);
    legend->setFillOrder(QCPLegend::foColumnsFirst);
    legend->setWrap(3);
    legend->setColumnSpacing(2 * kGrid);
    restyle();
}

void TokensChart::setOverlap(const TokenOverlap& overlap) {
    m_overlap = overlap;
    m_pointed = m_pointed < rows() ? m_pointed : -1;
    QVector<double> keys;
    QVector<double> shared;
    QVector<double> moved;
    for (int row = 0; row < rows(); ++row) {
        const LayerOverlap& layer = m_overlap.layers[static_cast<std::size_t>(row)];
        keys.push_back(row);
        shared.push_back(layer.share);
        moved.push_back(movedShare(layer));
    }
    m_shared->setData(keys, shared, true);
    m_moved->setData(keys, moved, true);
    const double end = std::max(1, rows()) - 0.5;
    m_chance->setData({-0.5, end}, {m_overlap.chance, m_overlap.chance}, true);
    m_chance->setName(tr("chance %1").arg(threeDigits(m_overlap.chance)));
    xAxis->setRange(-0.7, end + 0.2);
    placeLabels();
    placeCursor();
    replot(rpQueuedReplot);
}

void TokensChart::placeLabels() {
    const double perRow = axisRect()->width() / std::max(1.0, xAxis->range().size());
    const int widest =
        QFontMetrics(xAxis->tickLabelFont()).horizontalAdvance(QStringLiteral("000 "));
    const int step = std::max(1, static_cast<int>(std::ceil(widest / std::max(1.0, perRow))));
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    for (int row = 0; row < rows(); row += step) {
        ticker->addTick(row,
                        QString::number(m_overlap.layers[static_cast<std::size_t>(row)].layer));
    }
    xAxis->setTicker(ticker);
}

void TokensChart::setSelected(std::optional<int> layer) {
    m_selected = layer;
    placeCursor();
    replot(rpQueuedReplot);
}

QPointF TokensChart::pixelOf(int row) const {
    return {xAxis->coordToPixel(row), yAxis->coordToPixel(0.5)};
}

QString TokensChart::textOf(int row) const {
    const LayerOverlap& layer = m_overlap.layers[static_cast<std::size_t>(row)];
    return QStringList{
        tr("layer %1").arg(layer.layer),
        tr("%1 of %2 experts shared").arg(layer.shared).arg(layer.chosen),
        tr("overlap %1 (chance %2)").arg(allDigits(layer.share), allDigits(m_overlap.chance)),
        tr("gate mass moved %1 of %2").arg(allDigits(layer.massMoved), allDigits(layer.mass))}
        .join(kDot);
}

int TokensChart::rowAt(const QPointF& pixel) const {
    const int row = qRound(xAxis->pixelToCoord(pixel.x()));
    return axisRect()->rect().contains(pixel.toPoint()) && row >= 0 && row < rows() ? row : -1;
}

int TokensChart::selectedRow() const {
    for (int row = 0; row < rows() && m_selected; ++row) {
        if (m_overlap.layers[static_cast<std::size_t>(row)].layer == *m_selected) {
            return row;
        }
    }
    return -1;
}

void TokensChart::placeCursor() {
    const int row = m_pointed >= 0 ? m_pointed : selectedRow();
    m_cursor->setVisible(row >= 0);
    m_cursor->topLeft->setCoords(row - 0.5, 0);
    m_cursor->bottomRight->setCoords(row + 0.5, 1);
}

void TokensChart::setPointed(int row) {
    m_pointed = row;
    placeCursor();
    replot(rpQueuedReplot);
    Q_EMIT pointed(row < 0 ? QString() : textOf(row));
}

void TokensChart::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    const int row = rowAt(event->position());
    if (row != m_pointed) {
        setPointed(row);
        if (row >= 0) {
            QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(textOf(row)), this);
        }
    }
}

void TokensChart::mouseReleaseEvent(QMouseEvent* event) {
    QCustomPlot::mouseReleaseEvent(event);
    const int row = rowAt(event->position());
    if (event->button() == Qt::LeftButton && row >= 0) {
        Q_EMIT layerChosen(m_overlap.layers[static_cast<std::size_t>(row)].layer);
    }
}

void TokensChart::leaveEvent(QEvent* event) {
    QCustomPlot::leaveEvent(event);
    setPointed(-1);
}

void TokensChart::keyPressEvent(QKeyEvent* event) {
    const int from = m_pointed >= 0 ? m_pointed : selectedRow();
    const auto move = [this](int to) {
        if (rows() > 0) {
            setPointed(std::clamp(to, 0, rows() - 1));
        }
    };
    switch (event->key()) {
        case Qt::Key_Left:
            return move(from - 1);
        case Qt::Key_Right:
            return move(from + 1);
        case Qt::Key_Home:
            return move(0);
        case Qt::Key_End:
            return move(rows() - 1);
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (m_pointed >= 0) {
                Q_EMIT layerChosen(m_overlap.layers[static_cast<std::size_t>(m_pointed)].layer);
            }
            return;
        default:
            QCustomPlot::keyPressEvent(event);
    }
}

void TokensChart::changeEvent(QEvent* event) {
    QCustomPlot::changeEvent(event);
    if (m_cursor != nullptr &&
        (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange)) {
        restyle();
    }
}

void TokensChart::restyle() {
    themePlot(this, palette(), font());
    const ThemeColours colours = themeColours(palette());
    const QColor text = palette().color(QPalette::Text);
    m_shared->setBrush(colours.accent);
    m_moved->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssDisc, QPen(text), QBrush(text), kGrid - 3));
    m_chance->setPen(QPen(colours.muted, 1.5, Qt::DashLine));
    m_cursor->setPen(QPen(text, 1));
    m_cursor->setBrush(Qt::NoBrush);
    yAxis->setBasePen(Qt::NoPen);
    replot(rpQueuedReplot);
}

}  // namespace gatescope
