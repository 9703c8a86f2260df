// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "engine/analysis/token_overlap.h"
#include "views/plot.h"

namespace gatescope {

/// Two tokens layer by layer: share of experts in common, share of gate mass moved, and what two
/// independent choices would share.
class TokensChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit TokensChart(QWidget* parent = nullptr);

    void setOverlap(const TokenOverlap& overlap);
    void setSelected(std::optional<int> layer);
    QPointF pixelOf(int row) const;
    /// The exact numbers of a layer.
    QString textOf(int row) const;

  Q_SIGNALS:
    void pointed(const QString& text);  ///< empty: none
    void layerChosen(int layer);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    int rows() const { return static_cast<int>(m_overlap.layers.size()); }
    int rowAt(const QPointF& pixel) const;  ///< -1: none
    int selectedRow() const;                ///< -1: none
    void setPointed(int row);
    void placeCursor();
    void placeLabels();
    void restyle();

    TokenOverlap m_overlap;
    QCPBars* m_shared = nullptr;
    QCPGraph* m_moved = nullptr;
    QCPGraph* m_chance = nullptr;
    QCPItemRect* m_cursor = nullptr;
    std::optional<int> m_selected;  ///< layer
    int m_pointed = -1;             ///< row
};

}  // namespace gatescope
