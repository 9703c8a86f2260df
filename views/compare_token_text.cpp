// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_token_text.h"

#include <QAbstractTextDocumentLayout>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QScrollBar>
#include <QStringDecoder>
#include <QToolTip>
#include <algorithm>

#include "views/formats.h"
#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kTokenChars = 24;

}  // namespace

std::size_t commonTokens(const ComparedAnswer& a, const ComparedAnswer& b) {
    const auto differs =
        std::mismatch(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end(),
                      [](const TokenEvent& x, const TokenEvent& y) { return x.id == y.id; });
    return static_cast<std::size_t>(differs.first - a.tokens.begin());
}

CompareTokenText::CompareTokenText(QWidget* parent) : QTextEdit(parent) {
    setReadOnly(true);
    setAcceptRichText(false);
    setFrameShape(QFrame::NoFrame);
    setTabChangesFocus(true);
    setMouseTracking(true);
    viewport()->setMouseTracking(true);
    setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    document()->setDocumentMargin(kGrid);
    setMinimumSize(12 * kGrid, 10 * kGrid);
}

void CompareTokenText::setAnswer(const ComparedAnswer* answer, std::size_t common) {
    m_answer = answer;
    m_common = common;
    m_current.reset();
    m_ends.clear();
    QString text;
    QStringDecoder decode(QStringDecoder::Utf8);
    for (std::size_t i = 0; answer != nullptr && i < answer->tokens.size(); ++i) {
        const std::string& bytes = answer->tokens[i].bytes;
        const QString piece =
            decode(QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())));
        text += literalText(piece);
        m_ends.push_back(static_cast<int>(text.size()));
    }
    setPlainText(text);
    mark();
}

void CompareTokenText::setCurrent(std::optional<std::size_t> token) {
    m_current = token && *token < m_ends.size() ? token : std::nullopt;
    mark();
}

void CompareTokenText::mark() {
    const ThemeColours colours = themeColours(palette());
    QList<ExtraSelection> marks;
    const auto add = [&](int from, int to, const QTextCharFormat& format) {
        ExtraSelection mark;
        mark.cursor = QTextCursor(document());
        mark.cursor.setPosition(from);
        mark.cursor.setPosition(to, QTextCursor::KeepAnchor);
        mark.format = format;
        marks.append(mark);
    };
    const auto begin = [this](std::size_t token) { return token > 0 ? m_ends[token - 1] : 0; };
    if (m_common > 0 && m_common <= m_ends.size()) {
        QTextCharFormat quiet;
        quiet.setForeground(colours.muted);
        add(0, m_ends[m_common - 1], quiet);
    }
    if (m_common < m_ends.size()) {
        QTextCharFormat first;
        QColor fill = colours.rejected;
        fill.setAlpha(70);
        first.setBackground(fill);
        first.setFontUnderline(true);  // not by colour alone
        add(begin(m_common), m_ends[m_common], first);
    }
    if (m_current) {
        QTextCharFormat here;
        here.setBackground(palette().color(QPalette::Highlight));
        here.setForeground(palette().color(QPalette::HighlightedText));
        add(begin(*m_current), m_ends[*m_current], here);
    }
    setExtraSelections(marks);
}

std::optional<std::size_t> CompareTokenText::tokenOf(int place) const {
    const auto found = std::upper_bound(m_ends.begin(), m_ends.end(), place);
    return found == m_ends.end() ? std::nullopt
                                 : std::optional(static_cast<std::size_t>(found - m_ends.begin()));
}

std::optional<std::size_t> CompareTokenText::tokenAt(const QPoint& point) const {
    const int place = document()->documentLayout()->hitTest(
        QPointF(point) + QPointF(horizontalScrollBar()->value(), verticalScrollBar()->value()),
        Qt::ExactHit);
    return place < 0 ? std::nullopt : tokenOf(place);
}

QPoint CompareTokenText::pointOf(std::size_t token) const {
    QTextCursor cursor(document());
    cursor.setPosition(token > 0 ? m_ends[token - 1] : 0);
    const QRect here = cursorRect(cursor);
    return {here.left() + 3, here.center().y()};
}

QString CompareTokenText::tokenText(std::size_t token) const {
    const TokenEvent& at = m_answer->tokens[token];
    QString text = tr("%1 · token %2 of %3 · position %4 · p %5, in the untouched logits %6")
                       .arg(quotedToken(QByteArray::fromStdString(at.bytes), kTokenChars))
                       .arg(token + 1)
                       .arg(m_answer->tokens.size())
                       .arg(at.position)
                       .arg(allDigits(at.probability), allDigits(at.rawProbability));
    if (token < m_common) {
        text += tr(" · the same on both sides");
    } else if (token == m_common) {
        text += tr(" · the first that differs");
    }
    text += tr(" · Enter opens its session");
    return text;
}

void CompareTokenText::mouseMoveEvent(QMouseEvent* event) {
    QTextEdit::mouseMoveEvent(event);
    const auto token = tokenAt(event->position().toPoint());
    const QString text = token ? tokenText(*token) : QString();
    QToolTip::showText(event->globalPosition().toPoint(), plainToolTip(text), this);
    Q_EMIT pointed(text);
}

void CompareTokenText::mouseReleaseEvent(QMouseEvent* event) {
    QTextEdit::mouseReleaseEvent(event);
    const auto token = tokenAt(event->position().toPoint());
    if (event->button() == Qt::LeftButton && token && !textCursor().hasSelection()) {
        moveTo(*token);
        Q_EMIT tokenChosen(*token);
    }
}

void CompareTokenText::mouseDoubleClickEvent(QMouseEvent* event) {
    const auto token = tokenAt(event->position().toPoint());
    if (event->button() == Qt::LeftButton && token) {
        moveTo(*token);
        Q_EMIT tokenOpened(*token);
    }
}

void CompareTokenText::leaveEvent(QEvent* event) {
    QTextEdit::leaveEvent(event);
    Q_EMIT pointed({});
}

void CompareTokenText::keyPressEvent(QKeyEvent* event) {
    const bool plain = (event->modifiers() & ~Qt::KeypadModifier) == Qt::NoModifier;
    if (m_ends.empty() || !plain) {
        return QTextEdit::keyPressEvent(event);
    }
    const std::size_t last = m_ends.size() - 1;
    switch (event->key()) {
        case Qt::Key_Left:
            return moveTo(m_current && *m_current > 0 ? *m_current - 1 : 0);
        case Qt::Key_Right:
            return moveTo(m_current ? std::min(last, *m_current + 1) : 0);
        case Qt::Key_Home:
            return moveTo(0);
        case Qt::Key_End:
            return moveTo(last);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (m_current) {
                Q_EMIT tokenChosen(*m_current);
                Q_EMIT tokenOpened(*m_current);
            }
            return;
        default:
            QTextEdit::keyPressEvent(event);
    }
}

void CompareTokenText::moveTo(std::size_t token) {
    m_current = token;
    QTextCursor cursor(document());
    cursor.setPosition(token > 0 ? m_ends[token - 1] : 0);
    setTextCursor(cursor);
    ensureCursorVisible();
    mark();
    Q_EMIT pointed(tokenText(token));
}

void CompareTokenText::focusInEvent(QFocusEvent* event) {
    QTextEdit::focusInEvent(event);
    if (!m_current && event->reason() != Qt::MouseFocusReason && m_common < m_ends.size()) {
        moveTo(m_common);  // where it becomes interesting
    }
}

void CompareTokenText::changeEvent(QEvent* event) {
    QTextEdit::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) {
        mark();
    }
}

}  // namespace gatescope
