// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "views/plot.h"

namespace gatescope {

/// One expert: its bias with the layer's mean removed, and how far it drifted.
struct BiasBar {
    int expert = 0;
    double bias = 0;
    double drift = 0;  ///< NaN: none to show
};

/// Bias by expert, and below it, on a scale of its own, one kind of drift by expert: drift is often
/// far smaller than the bias.
class BiasChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit BiasChart(QWidget* parent = nullptr);

    struct Content {
        std::vector<BiasBar> bars;  ///< in the order they are drawn
        bool byBias = false;        ///< sorted by bias, not by expert
        QString driftName;          ///< the axis title: names the kind; empty: no drift part
    };
    void setContent(const Content& content);
    void setSelected(std::optional<int> expert);

    QPointF pixelOfBar(int index) const;
    QString driftTitle() const { return m_driftAxes->axis(QCPAxis::atLeft)->label(); }

  Q_SIGNALS:
    void expertPointed(int expert);  ///< -1: none
    void expertChosen(int expert);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void layOut();
    void fill();
    void labelExperts();
    void restyle();
    void point(int index);
    void placeSelection();
    int selectedBar() const;
    int barAt(const QPointF& pixel) const;  ///< -1: none
    int barCount() const { return static_cast<int>(m_content.bars.size()); }

    Content m_content;
    QCPAxisRect* m_driftAxes = nullptr;
    QCPBars* m_bias = nullptr;
    QCPBars* m_raised = nullptr;
    QCPBars* m_lowered = nullptr;
    QCPItemRect* m_mark = nullptr;
    QCPItemRect* m_driftMark = nullptr;
    std::optional<int> m_selected;
    int m_pointed = -1;  ///< bar index
    bool m_driftShown = false;
};

}  // namespace gatescope
