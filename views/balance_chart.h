// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>

#include "views/balance_metrics.h"
#include "views/plot.h"

namespace gatescope {

/// One metric over the layers: a mark for each layer on a stem that starts at the uniform router's
/// mean, and the uniform router's 95 % point. The MTP layer stands apart, with a null of its own.
class BalanceChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit BalanceChart(QWidget* parent = nullptr);

    /// The value must not be null.
    void setContent(std::shared_ptr<const BalanceValue> value, const BalanceMetricInfo& metric);
    void setSelected(std::optional<int> layer);

    QPointF pixelOfRow(int row) const;

  Q_SIGNALS:
    void pointed(const QString& text);  ///< empty: nothing
    void layerChosen(int layer);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    int rows() const { return m_value ? static_cast<int>(m_value->rows.size()) : 0; }
    const BalanceRow& row(int index) const {
        return m_value->rows[static_cast<std::size_t>(index)];
    }
    double keyOf(int index) const;
    int rowAt(const QPointF& pixel) const;  ///< -1: none
    int rowOfLayer(std::optional<int> layer) const;
    void point(int index);
    void fill();
    void fillNull();
    void fillAxis();
    void placeCursor();
    void restyle();

    std::shared_ptr<const BalanceValue> m_value;
    BalanceMetricInfo m_metric;
    QCPErrorBars* m_stems = nullptr;
    QCPGraph* m_ordinary = nullptr;
    QCPGraph* m_beyond = nullptr;
    QCPGraph* m_all = nullptr;  ///< carries the stems
    QCPGraph* m_nullMean = nullptr;
    QCPGraph* m_nullP95 = nullptr;
    QCPItemStraightLine* m_cursor = nullptr;
    std::optional<int> m_selected;
    int m_pointed = -1;
};

}  // namespace gatescope
