// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "views/plot.h"
#include "views/speculation_pictures.h"

namespace gatescope {

/// Draws a SpeculationPicture: bars, marks with intervals and lines over categories.
class SpeculationPlot final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit SpeculationPlot(QWidget* parent = nullptr);

    void setPicture(const SpeculationPicture& picture);
    void setSelectedLayer(int layer);  ///< -1: none
    QString textOf(int category) const;
    QPointF pixelOf(int category) const;

  Q_SIGNALS:
    void pointed(const QString& text);  ///< empty: nothing
    void layerChosen(int layer);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    int count() const { return static_cast<int>(m_picture.categories.size()); }
    int categoryAt(const QPoint& pixel) const;  ///< -1: none
    void draw();
    void drawBars(const SpeculationSeries& series, QCPBars*& below);
    void drawMarks(const SpeculationSeries& series, int index, int of);
    void drawReference();
    void fillAxes();
    void thinTicks();
    double top() const;
    QColor colour(SpeculationRole role) const;
    void point(int category);
    void choose(int category);

    SpeculationPicture m_picture;
    int m_pointed = -1;
    int m_layer = -1;
    QCPItemLine* m_cursor = nullptr;
    QCPItemLine* m_reference = nullptr;
};

}  // namespace gatescope
