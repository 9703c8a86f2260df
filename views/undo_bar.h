// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QToolButton;

namespace gatescope {

/// Says what was just done and takes it back on request. Stays until it is used, closed or the next
/// thing is done.
class UndoBar final : public QWidget {
    Q_OBJECT

  public:
    explicit UndoBar(QWidget* parent = nullptr);

    void offer(const QString& text);
    /// As if the button were pressed; nothing while the bar is hidden.
    void undo();
    QString text() const { return m_text; }
    QToolButton* button() const { return m_undo; }

  Q_SIGNALS:
    void undone();

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void elide();

    QLabel* m_label;
    QToolButton* m_undo;
    QString m_text;
};

}  // namespace gatescope
