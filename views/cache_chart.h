// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/trace/step_trace.h"
#include "views/plot.h"

namespace gatescope {

/// Bytes over the context, latent and expanded, both axes logarithmic: their distance is the ratio
/// at every length, and a short conversation is still seen beside the limit.
class CacheChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit CacheChart(QWidget* parent = nullptr);

    void setUse(const CacheUse& use);

  Q_SIGNALS:
    /// Both curves at the pointer's position; empty: none.
    void pointed(const QString& text);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void restyle();

    CacheUse m_use;
    QCPGraph* m_latent = nullptr;
    QCPGraph* m_expanded = nullptr;
    QCPGraph* m_now = nullptr;
};

}  // namespace gatescope
