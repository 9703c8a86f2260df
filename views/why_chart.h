// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "views/plot.h"

namespace gatescope {

/// One expert in the chart: a base segment and the bias as a segment of its own.
struct WhyBar {
    int expert = 0;
    double base = 0;  ///< affinity s, or the gate weight where no affinities are kept
    double bias = 0;  ///< b as drawn
    bool chosen = false;
};

/// Sorted bars with the cut between the chosen and the runner-ups.
class WhyChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit WhyChart(QWidget* parent = nullptr);

    struct Content {
        std::vector<WhyBar> bars;  ///< best first; as many as there are, the chart shows what fits
        int chosen = 0;            ///< k: the cut stands behind the k-th bar
        double margin = 0;         ///< NaN: no cut is drawn
        QString baseName;          ///< legend, "affinity s"
        QString biasName;          ///< legend, "bias b"; empty: no bias segments
    };
    void setContent(const Content& content);
    void setSelected(std::optional<int> expert);

    /// How many bars fit the present width.
    int shownBars() const;
    QPointF pixelOfBar(int index) const;

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
    QCPBars* makeBars();
    void restyle();
    void fill();
    void placeSelection();
    int selectedBar() const;  ///< -1: none in the chart
    std::optional<int> barAt(const QPointF& pixel) const;

    Content m_content;
    QCPBars* m_chosen = nullptr;
    QCPBars* m_others = nullptr;
    QCPBars* m_biasChosen = nullptr;
    QCPBars* m_biasOthers = nullptr;
    QCPBars* m_biasTaken = nullptr;  ///< a negative bias: what it took away
    QCPItemLine* m_cut = nullptr;
    QCPItemText* m_cutText = nullptr;
    QCPItemRect* m_outline = nullptr;
    std::optional<int> m_selected;
    int m_pointed = -1;  ///< bar index
    int m_filled = 0;    ///< bars in the chart now
};

}  // namespace gatescope
