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
    enum class Mark { None, DecidedByBias, KeptOutByBias };
    Mark mark = Mark::None;
};

/// Sorted bars with the cut between the chosen and the runner-ups, and behind the experts of kept
/// groups those of dropped ones. Wheel, + and - zoom, dragging moves, 0 or a double click shows the
/// first bars with their numbers again.
class WhyChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit WhyChart(QWidget* parent = nullptr);

    struct Content {
        std::vector<WhyBar> bars;  ///< best first; from `kept` on those of dropped groups
        int chosen = 0;            ///< k: the cut stands behind the k-th bar
        int kept = 0;              ///< how many bars belong to kept groups
        double margin = 0;         ///< NaN: no cut is drawn
        QString baseName;          ///< legend, "affinity s"
        QString biasName;          ///< legend, "bias b"; empty: no bias segments
    };
    void setContent(const Content& content);
    void setSelected(std::optional<int> expert);

    int barCount() const { return static_cast<int>(m_content.bars.size()); }
    /// How many whole bars are in view, and the first of them.
    int shownBars() const;
    double firstBar() const;
    void setFirstBar(double first);
    QPointF pixelOfBar(int index) const;

  public Q_SLOTS:
    void resetZoom();

  Q_SIGNALS:
    void expertPointed(int expert);  ///< -1: none
    void expertChosen(int expert);
    /// Other bars are in view, or there are others.
    void rangeMoved();

  protected:
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    QCPBars* makeBars();
    QCPGraph* makeMarks();
    void makeItems();
    void restyle();
    void fill();
    void fillBars();
    void fillLegend(bool taken, bool decided, bool keptOut);
    void placeCut();
    void placeLabels();
    void keepInside(const QCPRange& range);
    int fittingBars() const;  ///< with room for their numbers
    void zoomBy(double factor);
    void moveCursor(int to);
    void placeSelection();
    int selectedBar() const;  ///< -1: none in the chart
    std::optional<int> barAt(const QPointF& pixel) const;
    const WhyBar& bar(int index) const { return m_content.bars[static_cast<std::size_t>(index)]; }

    Content m_content;
    QCPBars* m_chosen = nullptr;
    QCPBars* m_others = nullptr;
    QCPBars* m_dropped = nullptr;  ///< of groups that were not kept
    QCPBars* m_biasChosen = nullptr;
    QCPBars* m_biasOthers = nullptr;
    QCPBars* m_biasTaken = nullptr;  ///< a negative bias: what it took away
    QCPGraph* m_decided = nullptr;
    QCPGraph* m_keptOut = nullptr;
    QCPItemLine* m_cut = nullptr;
    QCPItemText* m_cutText = nullptr;
    QCPItemLine* m_keptEnd = nullptr;
    QCPItemText* m_keptText = nullptr;
    QCPItemRect* m_outline = nullptr;
    std::optional<int> m_selected;
    int m_pointed = -1;  ///< bar index
    QPoint m_pressed;
    bool m_zoomed = false;  ///< by the person: a resize leaves the range alone
};

}  // namespace gatescope
