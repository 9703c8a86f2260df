// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/analysis/expert_reads.h"
#include "views/plot.h"

namespace gatescope {

/// Hit rate of a cache of experts in one layer against its size, by what it keeps.
class ExpertsCacheChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit ExpertsCacheChart(QWidget* parent = nullptr);

    /// `bytesPerExpert` 0: not known.
    void setReads(const ExpertReadsValue& reads, std::int64_t bytesPerExpert);
    QString sizeText(int cacheExperts) const;

  Q_SIGNALS:
    /// All rates at the size under the pointer or the cursor; empty: none.
    void pointed(const QString& text);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void restyle();
    void point(int cacheExperts);

    ExpertReadsValue m_reads;
    std::int64_t m_bytesPerExpert = 0;
    int m_pointed = -1;
    QCPGraph* m_even = nullptr;
    QCPGraph* m_pinned = nullptr;
    QCPGraph* m_forecast = nullptr;
    QCPGraph* m_lfu = nullptr;
    QCPGraph* m_lru = nullptr;
    QCPItemLine* m_cursor = nullptr;
};

}  // namespace gatescope
