// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "engine/analysis/speculation_stats.h"
#include "views/plot.h"

namespace gatescope {

/// Running acceptance over the verify steps, and below it a strip with the fate of every draft.
class SpeculationChart final : public QCustomPlot {
    Q_OBJECT

  public:
    /// Steps in the running rate.
    static constexpr int kWindow = 32;

    explicit SpeculationChart(QWidget* parent = nullptr);

    void setValue(std::shared_ptr<const SpeculationValue> value);

    /// Steps that share one cell of the strip at the present width.
    int stepsPerCell() const;
    QPointF pixelOfStep(int step) const;  ///< in the strip

  Q_SIGNALS:
    void pointed(const QString& text);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void restyle();
    void fill();
    QString stepText(std::size_t step) const;

    std::shared_ptr<const SpeculationValue> m_value;
    std::vector<double> m_running;
    QCPGraph* m_rate = nullptr;
    QCPGraph* m_mean = nullptr;
    QCPBars* m_accepted = nullptr;
    QCPBars* m_rejected = nullptr;
};

}  // namespace gatescope
