// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QLineEdit;
class QTextEdit;

namespace gatescope {

/// Finds plain text in a document view: all hits are tinted, Enter goes to the next, Shift+Enter to
/// the one before, Esc closes.
class FindBar final : public QWidget {
    Q_OBJECT

  public:
    explicit FindBar(QTextEdit* view, QWidget* parent = nullptr);

    /// Shows the bar with the text selected, ready to type.
    void open();
    void close();
    int hits() const { return m_hits; }
    /// What the view holds if it is not the whole conversation ("tokens 1–4,000 of 9,000"), else
    /// empty.
    void setScope(const QString& scope);
    QString countText() const;
    /// Searches again after the text changed; the place stays.
    void refresh();

  protected:
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void search();
    void go(bool forward);
    void highlight();

    QTextEdit* m_view;
    QLineEdit* m_text;
    QLabel* m_count;
    QString m_scope;
    int m_hits = 0;
};

}  // namespace gatescope
