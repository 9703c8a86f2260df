// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QPlainTextEdit>
#include <QWidget>

class QPushButton;

namespace gatescope {

/// The field itself: one to six lines high, Enter sends, Shift+Enter makes a new line.
class PromptEdit final : public QPlainTextEdit {
    Q_OBJECT

  public:
    explicit PromptEdit(QWidget* parent = nullptr);

  Q_SIGNALS:
    void sendPressed();

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool canInsertFromMimeData(const QMimeData* source) const override;

  private:
    void fitHeight();
};

/// Where the person writes, with a button that sends, or stops while an answer streams.
class ChatInput final : public QWidget {
    Q_OBJECT

  public:
    enum class State {
        Ready,
        Answering,  ///< typing goes on, sending waits; the button stops
        Closed,     ///< nothing can be sent; the placeholder says why
    };
    Q_ENUM(State)

    explicit ChatInput(QWidget* parent = nullptr);

    /// `reason` is shown as the placeholder when closed.
    void setState(State state, const QString& reason = {});
    State state() const { return m_state; }
    QString text() const;
    void setText(const QString& text);
    PromptEdit* edit() const { return m_edit; }
    QPushButton* button() const { return m_button; }

  Q_SIGNALS:
    void submitted(const QString& text);
    void stopRequested();

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    void send();
    void refresh();

    PromptEdit* m_edit;
    QPushButton* m_button;
    State m_state = State::Closed;
    QString m_reason;
};

}  // namespace gatescope
