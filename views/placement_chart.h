// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/report/placement_plan.h"
#include "views/plot.h"

namespace gatescope {

/// The load of every GPU over the mean of all, before and as placed; a line at 1, which is even.
class PlacementChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit PlacementChart(QWidget* parent = nullptr);

    /// nullptr: nothing to show.
    void setPlan(std::shared_ptr<const PlacementPlan> plan);
    int pointedGpu() const { return m_pointed; }
    QPointF pixelOf(int gpu) const;

  Q_SIGNALS:
    /// The GPU under the pointer or the cursor; -1: none.
    void pointed(int gpu);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    int gpus() const;
    void fill();
    void restyle();
    void point(int gpu);

    std::shared_ptr<const PlacementPlan> m_plan;
    QCPBarsGroup* m_sides = nullptr;
    QCPBars* m_before = nullptr;
    QCPBars* m_after = nullptr;
    QCPItemLine* m_even = nullptr;
    QCPItemLine* m_cursor = nullptr;
    int m_pointed = -1;
};

}  // namespace gatescope
