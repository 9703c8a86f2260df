// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/chat_input.h"

#include <QAbstractTextDocumentLayout>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMimeData>
#include <QPainter>
#include <QPushButton>
#include <QTextDocument>

#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kMostLines = 6;

}  // namespace

PromptEdit::PromptEdit(QWidget* parent) : QPlainTextEdit(parent) {
    setTabChangesFocus(true);
    document()->setDocumentMargin(6);
    setAccessibleName(tr("Message"));
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
            &PromptEdit::fitHeight);
    fitHeight();
}

void PromptEdit::fitHeight() {
    // QPlainTextDocumentLayout measures its height in lines.
    const double lines = document()->documentLayout()->documentSize().height();
    const int shown = std::clamp(static_cast<int>(lines), 1, kMostLines);
    const int height =
        static_cast<int>(shown * fontMetrics().lineSpacing() + 2 * document()->documentMargin()) +
        2 * frameWidth() + 1;
    setVerticalScrollBarPolicy(lines > kMostLines ? Qt::ScrollBarAsNeeded : Qt::ScrollBarAlwaysOff);
    if (height != this->height() || minimumHeight() != height) {
        setFixedHeight(height);
    }
}

void PromptEdit::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (enter && !(event->modifiers() & (Qt::ShiftModifier | Qt::AltModifier))) {
        Q_EMIT sendPressed();
        return;
    }
    QPlainTextEdit::keyPressEvent(event);
}

void PromptEdit::resizeEvent(QResizeEvent* event) {
    QPlainTextEdit::resizeEvent(event);
    fitHeight();
}

void PromptEdit::changeEvent(QEvent* event) {
    QPlainTextEdit::changeEvent(event);
    if (event->type() == QEvent::FontChange) {
        fitHeight();
    }
}

bool PromptEdit::canInsertFromMimeData(const QMimeData* source) const {
    // Files dropped here are for the window (a model folder), not text.
    return !source->hasUrls() && QPlainTextEdit::canInsertFromMimeData(source);
}

ChatInput::ChatInput(QWidget* parent)
    : QWidget(parent), m_edit(new PromptEdit), m_button(new QPushButton) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(2 * kGrid, kGrid + 1, 2 * kGrid, kGrid);
    row->setSpacing(kGrid);
    row->addWidget(m_edit, 1);
    row->addWidget(m_button, 0, Qt::AlignBottom);
    m_button->setMinimumHeight(m_edit->height());
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    setFocusProxy(m_edit);
    m_button->setAutoDefault(false);
    connect(m_edit, &PromptEdit::sendPressed, this, &ChatInput::send);
    connect(m_edit, &QPlainTextEdit::textChanged, this, &ChatInput::refresh);
    connect(m_button, &QPushButton::clicked, this, [this] {
        if (m_state == State::Answering) {
            Q_EMIT stopRequested();
        } else {
            send();
        }
    });
    refresh();
}

void ChatInput::setState(State state, const QString& reason) {
    m_state = state;
    m_reason = reason;
    refresh();
}

QString ChatInput::text() const {
    return m_edit->toPlainText();
}

void ChatInput::setText(const QString& text) {
    m_edit->setPlainText(text);
    m_edit->moveCursor(QTextCursor::End);
}

void ChatInput::send() {
    const QString message = m_edit->toPlainText();
    if (m_state != State::Ready || message.trimmed().isEmpty()) {
        return;
    }
    m_edit->clear();
    Q_EMIT submitted(message);
}

void ChatInput::refresh() {
    const bool answering = m_state == State::Answering;
    m_button->setText(answering ? tr("Stop") : tr("Send"));
    m_button->setToolTip(answering ? tr("Stop the answer (Esc)") : tr("Send (Enter)"));
    m_button->setMinimumWidth(9 * kGrid);
    m_button->setEnabled(answering ||
                         (m_state == State::Ready && !m_edit->toPlainText().trimmed().isEmpty()));
    m_edit->setEnabled(m_state != State::Closed);
    m_edit->setPlaceholderText(m_state == State::Closed ? m_reason
                               : answering              ? tr("Esc stops")
                                                        : tr("Ask something · Enter sends"));
}

void ChatInput::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.fillRect(QRect(0, 0, width(), 1), themeColours(palette()).grid);
}

}  // namespace gatescope
