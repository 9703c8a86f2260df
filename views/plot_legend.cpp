// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plot_legend.h"

#include "views/plot.h"
#include "views/theme.h"

namespace gatescope {

void placeLegendOnTop(QCustomPlot* plot, int wrap) {
    plot->plotLayout()->insertRow(0);
    auto* head = new QCPLayoutGrid;
    plot->plotLayout()->addElement(0, 0, head);
    head->addElement(0, 0, plot->legend);
    head->addElement(0, 1, new QCPLayoutElement(plot));  // takes the room the legend leaves
    head->setColumnStretchFactor(0, 0.001);
    plot->legend->setWrap(wrap);  // before the order, which arranges what is there
    plot->legend->setFillOrder(QCPLegend::foColumnsFirst);
    plot->legend->setVisible(true);
    plot->legend->setMargins(QMargins(kGrid, kGrid / 2, kGrid, 0));
    plot->legend->setIconSize(2 * kGrid, kGrid);
    plot->legend->setColumnSpacing(kGrid);
    plot->plotLayout()->setRowStretchFactor(0, 0.001);
    plot->plotLayout()->setRowSpacing(0);
}

}  // namespace gatescope
