// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <functional>
#include <vector>

#include "views/token_cell.h"

namespace gatescope {

/// The tokens of a conversation side by side, as many as fit. Asks only for those it paints.
class TokensStrip final : public QWidget {
    Q_OBJECT

  public:
    explicit TokensStrip(QWidget* parent = nullptr);

    void setTokens(int count, std::function<TokenCell(int index)> cellAt);
    void setCurrent(int index);  ///< -1: none; scrolls it into view
    void setPinned(int index);   ///< -1: none

    int count() const { return m_count; }
    TokenCell cell(int index) const { return m_cellAt(index); }
    int current() const { return m_current; }
    int first() const { return m_first; }    ///< leftmost cell in view
    int last() const;                        ///< rightmost one, -1 without any
    int indexAt(const QPoint& pixel) const;  ///< -1: none
    QRectF rectOf(int index) const;          ///< empty outside the view

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

  Q_SIGNALS:
    void chosen(int index);
    void pointed(int index);  ///< -1: none
    /// Keys: where the cursor is to go.
    void stepped(int index);
    void pinWanted();

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    struct Placed {
        TokenCell cell;
        QString text;
        QRectF rect;
    };

    qreal widthOf(const QString& text) const;
    void layOut();
    void layOutFrom(int first);
    void scrollTo(int index);
    void paintCell(QPainter& painter, int index, const Placed& placed) const;
    void step(int index);

    int m_count = 0;
    std::function<TokenCell(int)> m_cellAt;
    int m_current = -1;
    int m_pinned = -1;
    int m_first = 0;
    int m_pointed = -1;
    std::vector<Placed> m_placed;  ///< from m_first on
};

/// A token in the strip: escapes for what cannot be seen, spaces as open boxes, its id without
/// bytes.
QString stripText(const TokenCell& cell);

}  // namespace gatescope
