// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "engine/trace/step_trace.h"
#include "views/cell_colours.h"
#include "views/plot.h"

namespace gatescope {

/// One cell of the map. expert -1: a dense layer, which has no router.
struct MapCell {
    int layer = -1;
    int expert = -1;
    bool operator==(const MapCell&) const = default;
};

/// The picture of RoutingView: layers down, experts across, zoom, cursor and outlines. It knows
/// numbers and their places, not what they mean.
class RoutingMap final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit RoutingMap(QWidget* parent = nullptr);

    /// Rows, columns and borders. Another shape resets the zoom and clears the values.
    void setShape(const RoutingShape& shape);
    /// [rows * E] the expert in each column, every row a permutation; empty: by id. For the values
    /// set from now on. Group borders show only by id.
    void setExperts(std::vector<int> experts);
    /// [rows * E] by expert id, rows as in RoutingLoad; NaN is hatched.
    void setValues(const std::vector<double>& values, const MapScale& scale);
    /// Emits cellPointed again for what is now under the pointer, if it is on the map.
    void refreshPointed();

    /// layer without expert: the whole row.
    void setSelected(std::optional<int> layer, std::optional<int> expert);

    std::optional<MapCell> cellAt(const QPointF& pixel) const;
    QPointF pixelOf(MapCell cell) const;
    /// The drawn value (log2(1 + x) on the relative scale), NaN for a hatched cell. By expert id.
    double drawnValue(MapCell cell) const;
    std::optional<MapCell> cursor() const { return m_cursor; }
    /// Puts the tooltip for the cell under the pointer there; plain text.
    void showTip(const QString& text);

  public Q_SLOTS:
    void resetZoom();

  Q_SIGNALS:
    /// The pointer or the keyboard cursor came to this cell; (-1, -1): to none.
    void cellPointed(int layer, int expert);
    /// Clicked, or Enter on the cursor.
    void cellChosen(int layer, int expert);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    class Inside;

    void buildScale();
    void applyScale();
    void applyGradient();
    void restyle();
    void beforeDrawing();
    void findDenseBands();
    void findHatches();
    void labelAcross();
    /// Only what lies within the axes: new values and marks need no more.
    void repaintInside() { update(inside()); }
    QRect inside() const;
    QRectF pixelsOf(const QRectF& cells) const;
    void drawInside(QCPPainter* painter);
    void drawCells(QCPPainter* painter);
    void renderCells(QImage& image, double ratio) const;
    void renderRow(int row, const std::vector<int>& columns, QRgb* line) const;
    std::vector<int> borderPixels(double ratio) const;
    QColor borderColour() const;
    void drawDenseLabels(QCPPainter* painter) const;
    void drawOutline(QCPPainter* painter, int layer, int expert, Qt::PenStyle style) const;
    void drawMarks(QCPPainter* painter) const;
    void keepInside(QCPAxis* axis, const QCPRange& range);
    void zoomBy(double factor);
    void moveCursor(int rows, int columns);
    void showCursorCell();
    bool isDense(int layer) const;
    int rowOf(int layer) const;
    int columnOf(MapCell cell) const;
    std::size_t indexOf(int row, int expert) const;
    double valueAt(int row, int column) const;
    int expertAt(int layer, int column) const;
    double yOf(int layer) const;
    int layerAt(double y) const;
    double bottom() const;
    std::vector<int> routedLayers() const;

    RoutingShape m_shape;
    std::vector<int> m_experts;
    MapScale m_mapScale;
    double m_mtpY = 0;
    std::vector<double> m_values;  ///< [rows * E] by expert id
    CellColours m_colours;
    QImage m_image;  ///< of the cells, kept for its memory
    QCPColorScale* m_scale = nullptr;
    std::vector<QRectF> m_hatches;       ///< in coordinates of the axes
    std::vector<QCPRange> m_denseBands;  ///< neighbouring layers without router
    std::optional<int> m_selectedLayer;
    std::optional<int> m_selectedExpert;
    std::optional<MapCell> m_cursor;
    std::optional<MapCell> m_pointed;
    QPointF m_pointer;  ///< where it was last
    QPoint m_pressed;
    bool m_pressedLeft = false;
};

}  // namespace gatescope
