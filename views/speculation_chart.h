// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "engine/analysis/speculation_stats.h"
#include "views/plot.h"

namespace gatescope {

/// Running acceptance length over the verify steps, with and without the bonus token, and below it
/// a strip: every step a column of its drafts, from the first at the bottom; what was accepted,
/// what was rejected, what lay behind a rejected draft and was not judged.
class SpeculationChart final : public QCustomPlot {
    Q_OBJECT

  public:
    /// Steps in the running length.
    static constexpr int kWindow = 32;

    explicit SpeculationChart(QWidget* parent = nullptr);

    void setValue(std::shared_ptr<const SpeculationValue> value);

    /// Steps that share one column of the strip at the present width.
    int stepsPerCell() const;
    /// In the middle of a draft of the strip, counted from 0.
    QPointF pixelOfDraft(int step, int draft = 0) const;
    /// What hovering over a step tells.
    QString textOf(int step) const;

  Q_SIGNALS:
    void pointed(const QString& text);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    int steps() const { return m_value ? static_cast<int>(m_value->steps.size()) : 0; }
    void addLengths();
    void addStrip();
    void addLegend();
    void restyle();
    void fill();
    void fillLengths();
    void fillStrip();
    void point(int step);

    std::shared_ptr<const SpeculationValue> m_value;
    std::vector<double> m_running;
    int m_pointed = -1;
    QCPAxisRect* m_strip = nullptr;
    QCPGraph* m_length = nullptr;
    QCPGraph* m_withoutBonus = nullptr;
    QCPBars* m_accepted = nullptr;
    QCPBars* m_rejected = nullptr;
    QCPBars* m_unjudged = nullptr;
    QCPGraph* m_bonus = nullptr;
    QCPGraph* m_lookup = nullptr;
    QCPItemLine* m_cursor = nullptr;
    QCPItemLine* m_stripCursor = nullptr;
};

}  // namespace gatescope
