// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "views/plot.h"

namespace gatescope {

/// How the biases of one layer moved: a line for each expert, and the load violation below.
class BiasTimeChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit BiasTimeChart(QWidget* parent = nullptr);

    struct Content {
        std::vector<double> times;              ///< [S] ascending
        std::vector<std::vector<double>> bias;  ///< [E][S], the layer's mean removed at each time
        std::vector<double> maxVio;             ///< [S] NaN: not known
        QString timeName;                       ///< "training step"; names the kind
        QString biasName;                       ///< the axis title: names the kind
    };
    void setContent(const Content& content);
    void setSelected(std::optional<int> expert);

    QString biasTitle() const { return yAxis->label(); }
    int lines() const { return static_cast<int>(m_lines.size()); }
    QPointF pixelOf(int expert, int time) const;

  Q_SIGNALS:
    /// The nearest line and time under the pointer or cursor; -1, -1: none.
    void pointed(int expert, int time);
    void expertChosen(int expert);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void fill();
    void restyle();
    void point(int expert, int time);
    void placeSelection();
    int timeAt(double x) const;
    int expertAt(const QPointF& pixel) const;
    int timeCount() const { return static_cast<int>(m_content.times.size()); }
    int expertCount() const { return static_cast<int>(m_content.bias.size()); }
    double valueAt(int expert, int time) const {
        return m_content.bias[static_cast<std::size_t>(expert)][static_cast<std::size_t>(time)];
    }

    Content m_content;
    QCPAxisRect* m_loadAxes = nullptr;
    std::vector<QCPGraph*> m_lines;
    QCPGraph* m_highlight = nullptr;
    QCPGraph* m_load = nullptr;
    QCPGraph* m_cursor = nullptr;
    std::optional<int> m_selected;
    int m_expert = -1;
    int m_time = -1;
};

}  // namespace gatescope
