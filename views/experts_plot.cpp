// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_plot.h"

#include "views/theme.h"

namespace gatescope {

void setUpExpertsPlot(QCustomPlot* plot, IndexTicker::Steps steps) {
    plot->setMouseTracking(true);
    plot->setFocusPolicy(Qt::StrongFocus);
    plot->setMinimumSize(25 * kGrid, 12 * kGrid);
    for (QCPAxis* axis : {plot->xAxis, plot->yAxis}) {
        axis->setSubTicks(false);
        axis->setTickLength(0, 0);
        axis->setLabelPadding(2);
    }
    plot->xAxis->grid()->setVisible(false);
    plot->xAxis->setTicker(QSharedPointer<IndexTicker>::create(steps));
    plot->axisRect()->setMinimumMargins(QMargins(kGrid, kGrid / 2, 2 * kGrid, kGrid / 2));
    plot->legend->setVisible(true);
    plot->legend->setMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    plot->legend->setFillOrder(QCPLegend::foColumnsFirst);
    plot->legend->setIconSize(2 * kGrid, kGrid);
    plot->legend->setColumnSpacing(kGrid);
    plot->plotLayout()->insertRow(0);
    auto* row = new QCPLayoutGrid;
    plot->plotLayout()->addElement(0, 0, row);
    row->addElement(0, 0, plot->legend);
    row->addElement(0, 1, new QCPLayoutElement(plot));  // takes the room the legend leaves
    row->setColumnStretchFactor(0, 0.001);
    plot->plotLayout()->setRowStretchFactor(0, 0.001);
    plot->plotLayout()->setRowSpacing(0);
}

void setExpertsPlotEnd(QCustomPlot* plot, double end) {
    if (auto ticker = plot->xAxis->ticker().dynamicCast<IndexTicker>()) {
        ticker->setLast(end);
    }
    plot->xAxis->setRange(0, end);
}

}  // namespace gatescope
