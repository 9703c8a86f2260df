// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTextEdit>
#include <optional>
#include <vector>

#include "engine/analysis/compared_run.h"

namespace gatescope {

/// One answer as text in which every token can be pointed at. What it has in common with another
/// one's beginning is quiet; the first token that differs is marked.
class CompareTokenText final : public QTextEdit {
    Q_OBJECT

  public:
    explicit CompareTokenText(QWidget* parent = nullptr);

    /// The answer must outlive the text or be replaced; null: nothing. `common`: tokens that the
    /// other one begins with too.
    void setAnswer(const ComparedAnswer* answer, std::size_t common);
    void setCurrent(std::optional<std::size_t> token);
    std::optional<std::size_t> current() const { return m_current; }
    std::optional<std::size_t> tokenAt(const QPoint& point) const;
    /// A point on the token, in the viewport.
    QPoint pointOf(std::size_t token) const;
    /// The token's bytes, probabilities and place.
    QString tokenText(std::size_t token) const;

  Q_SIGNALS:
    void pointed(const QString& text);
    void tokenChosen(std::size_t token);
    /// By Enter or double click: the person wants to see where it comes from.
    void tokenOpened(std::size_t token);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void mark();
    void moveTo(std::size_t token);
    std::optional<std::size_t> tokenOf(int place) const;

    const ComparedAnswer* m_answer = nullptr;
    std::size_t m_common = 0;
    std::vector<int> m_ends;  ///< by token, in the document
    std::optional<std::size_t> m_current;
};

/// Tokens with which both answers begin.
std::size_t commonTokens(const ComparedAnswer& a, const ComparedAnswer& b);

}  // namespace gatescope
