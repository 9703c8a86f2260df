// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "engine/analysis/expert_profile.h"
#include "views/plot.h"

namespace gatescope {

/// One expert's relative load, window after window, over the range a uniform router stays in for 95
/// of 100 windows.
class ExpertsLoadChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit ExpertsLoadChart(QWidget* parent = nullptr);

    void setWindows(std::vector<LoadWindow> windows);
    QString windowText(int window) const;

  Q_SIGNALS:
    /// The window under the pointer or the cursor; empty: none.
    void pointed(const QString& text);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void restyle();
    void point(int window);

    std::vector<LoadWindow> m_windows;
    int m_pointed = -1;
    QCPGraph* m_low = nullptr;
    QCPGraph* m_high = nullptr;
    QCPGraph* m_load = nullptr;
    QCPGraph* m_dots = nullptr;
    QCPItemLine* m_fair = nullptr;
    QCPItemLine* m_cursor = nullptr;
};

}  // namespace gatescope
