// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "views/plot.h"

namespace gatescope {

/// Values over layers or positions: one or two series on one axis, a cursor that goes from one to
/// the next.
class CompareSeriesChart final : public QCustomPlot {
    Q_OBJECT

  public:
    struct Series {
        QString name;
        QVector<double> values;  ///< one for each key; NaN: none
        bool stems = false;      ///< lines from zero instead of marks
    };
    struct Content {
        QVector<double> keys;  ///< ascending
        std::vector<Series> series;
        QString across;
        QString up;
        std::optional<double> top;  ///< of the axis; nothing: the largest value
        /// The exact values at keys[i].
        std::function<QString(std::size_t)> text;
    };

    explicit CompareSeriesChart(QWidget* parent = nullptr);

    void setContent(Content content);
    void setCursorKey(std::optional<double> key);
    QString pointedText() const;
    QPointF pixelOf(std::size_t index) const;

  Q_SIGNALS:
    void pointed(const QString& text);  ///< empty: nothing
    void chosen(int index);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    int size() const { return static_cast<int>(m_content.keys.size()); }
    int indexAt(const QPointF& pixel) const;
    void point(int index);
    void makeLegend();
    void fill();
    void placeCursor();
    void restyle();

    Content m_content;
    std::vector<QCPGraph*> m_graphs;
    QCPItemStraightLine* m_cursor = nullptr;
    std::optional<double> m_cursorKey;
    int m_pointed = -1;
};

}  // namespace gatescope
