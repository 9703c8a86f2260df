// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "engine/trace/step_trace.h"
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
    /// [rows * E], rows as in RoutingLoad; 1 is the fair share, NaN is hatched. Shown on a scale of
    /// log2(1 + x) up to 3.
    void setRelativeValues(const std::vector<double>& values, const QString& name);
    /// [rows * E] on a linear scale from 0 to `largest`.
    void setWeights(const std::vector<double>& values, double largest, const QString& name);

    /// layer without expert: the whole row.
    void setSelected(std::optional<int> layer, std::optional<int> expert);

    std::optional<MapCell> cellAt(const QPointF& pixel) const;
    QPointF pixelOf(MapCell cell) const;
    /// The drawn value (log2(1 + x) on the relative scale), NaN for a hatched cell.
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
    struct Outline {
        QCPItemRect* outer = nullptr;
        QCPItemRect* inner = nullptr;
    };

    Outline makeOutline(Qt::PenStyle style);
    void buildDecorations();
    void setValues(const std::vector<double>& values, bool relative);
    void restyle();
    void beforeDrawing();
    void placeOutline(const Outline& outline, int layer, int expert, bool visible);
    void placeMarkers();
    void keepInside(QCPAxis* axis, const QCPRange& range, double minimum);
    void zoomBy(double factor);
    void moveCursor(int rows, int experts);
    void showCursorCell();
    bool isDense(int layer) const;
    double yOf(int layer) const;
    int layerAt(double y) const;
    double bottom() const;
    std::vector<int> routedLayers() const;

    RoutingShape m_shape;
    double m_mtpY = 0;
    QCPColorMap* m_main = nullptr;
    QCPColorMap* m_mtp = nullptr;
    QCPColorScale* m_scale = nullptr;
    QCPItemRect* m_gap = nullptr;
    std::vector<QCPAbstractItem*> m_borders;
    std::vector<QCPItemText*> m_denseLabels;
    std::vector<QCPRange> m_denseBands;
    Outline m_selectedOutline;
    Outline m_cursorOutline;
    std::optional<int> m_selectedLayer;
    std::optional<int> m_selectedExpert;
    std::optional<MapCell> m_cursor;
    std::optional<MapCell> m_pointed;
    QPoint m_pressed;
    bool m_pressedLeft = false;
};

}  // namespace gatescope
