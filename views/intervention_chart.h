// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>

#include "engine/decode/intervention_effect.h"
#include "views/plot.h"

namespace gatescope {

/// KL of the next-token distribution by position, as bars: grey where the most probable next token
/// stayed, blue where it became another one.
class InterventionChart final : public QCustomPlot {
    Q_OBJECT

  public:
    explicit InterventionChart(QWidget* parent = nullptr);

    void setEffect(std::shared_ptr<const InterventionEffect> effect);
    /// Marks a position of the context; one that was not compared clears the mark.
    void setCursorPosition(std::optional<std::int32_t> position);
    std::optional<std::int32_t> cursorPosition() const;

    QPointF pixelOfPosition(std::int32_t position) const;

  Q_SIGNALS:
    /// The exact values under pointer or cursor, empty without.
    void pointed(const QString& text);
    /// Clicked, or Enter on the cursor.
    void activated(std::int32_t position);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

  private:
    bool empty() const { return !m_effect || m_effect->positions.empty(); }
    std::size_t perBar() const;
    /// The compared position drawn at a pixel: the largest KL where a bar stands for several.
    std::optional<std::size_t> indexAt(QPoint pixel) const;
    QString textOf(std::size_t index) const;
    void moveTo(std::size_t index);
    void drawCursor();
    void fill();
    void label();
    void restyle();

    std::shared_ptr<const InterventionEffect> m_effect;
    std::optional<std::size_t> m_cursor;
    QCPBars* m_stayed = nullptr;
    QCPBars* m_changed = nullptr;
    QCPItemStraightLine* m_line = nullptr;
};

}  // namespace gatescope
