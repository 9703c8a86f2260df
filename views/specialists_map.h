// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "views/plot.h"

namespace gatescope {

/// Domains down, experts across: how much more often than by chance an expert is chosen for a
/// domain. It knows numbers and their places, not what they mean.
class SpecialistsMap final : public QCustomPlot {
    Q_OBJECT

  public:
    struct Cell {
        int domain = -1;
        int expert = -1;
        bool operator==(const Cell&) const = default;
    };

    explicit SpecialistsMap(QWidget* parent = nullptr);

    /// `lift` [domains * experts], 1 is chance; NaN is hatched.
    void setLift(const QStringList& domains, int experts, const std::vector<double>& lift);
    void setSelected(std::optional<int> expert);

    std::optional<Cell> cellAt(const QPointF& pixel) const;
    QPointF pixelOf(Cell cell) const;
    double drawnValue(Cell cell) const;  ///< log2(1 + lift); NaN for a hatched cell
    std::optional<Cell> cursor() const { return m_cursor; }
    /// Puts the tooltip for the cell under the pointer there; plain text.
    void showTip(const QString& text);

  Q_SIGNALS:
    /// The pointer or the keyboard cursor came to this cell; (-1, -1): to none.
    void cellPointed(int domain, int expert);
    /// Clicked, or Enter on the cursor.
    void cellChosen(int domain, int expert);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
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
    void placeOutline(const Outline& outline, const QRectF& place, bool visible);
    void placeMarkers();
    void moveCursor(int domains, int experts);
    void restyle();
    void beforeDrawing();

    int m_domains = 0;
    int m_experts = 0;
    QCPColorMap* m_map = nullptr;
    QCPColorScale* m_scale = nullptr;
    Outline m_selectedOutline;
    Outline m_cursorOutline;
    std::optional<int> m_selected;
    std::optional<Cell> m_cursor;
    std::optional<Cell> m_pointed;
};

}  // namespace gatescope
