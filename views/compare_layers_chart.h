// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>

#include "engine/analysis/comparison.h"
#include "views/plot.h"

namespace gatescope {

/// Divergence of two runs by layer, less what exchanged labels give, with the point that 95 % of
/// those stay below, and each run's halves against each other. Layers beyond chance are filled
/// diamonds, the others open circles. The MTP layer stands apart.
class CompareLayersChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit CompareLayersChart(QWidget* parent = nullptr);

    void setPair(std::shared_ptr<const Comparison> comparison, std::size_t pair);
    void setSelected(std::optional<int> layer);

    QPointF pixelOfRow(int row) const;
    QString pointedText() const;

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
    const PairComparison* pair() const;
    int rows() const;
    const LayerComparison& row(int index) const;
    double keyOf(int index) const;
    int rowAt(const QPointF& pixel) const;  ///< -1: none
    void point(int index);
    void makeLegend();
    QCPGraph* addMarks(const QString& name);
    void fill();
    void fillNull();
    void fillAxis();
    void placeCursor();
    void restyle();

    std::shared_ptr<const Comparison> m_comparison;
    std::size_t m_pair = 0;
    QCPGraph* m_limit = nullptr;
    QCPGraph* m_selfA = nullptr;
    QCPGraph* m_selfB = nullptr;
    QCPGraph* m_chance = nullptr;
    QCPGraph* m_beyond = nullptr;
    QCPItemStraightLine* m_cursor = nullptr;
    QCPItemStraightLine* m_zero = nullptr;
    std::optional<int> m_selected;
    int m_pointed = -1;
};

}  // namespace gatescope
