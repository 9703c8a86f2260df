// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/find_bar.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QTextDocument>
#include <QTextEdit>
#include <QToolButton>

#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kMostTinted = 2000;  // a single letter in a long text need not tint everything

}  // namespace

FindBar::FindBar(QTextEdit* view, QWidget* parent)
    : QWidget(parent), m_view(view), m_text(new QLineEdit), m_count(new QLabel) {
    m_text->setClearButtonEnabled(true);
    m_text->setAccessibleName(tr("Find"));
    m_count->setTextFormat(Qt::PlainText);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(2 * kGrid, kGrid / 2, kGrid, kGrid / 2);
    row->setSpacing(kGrid / 2);
    row->addWidget(m_text, 1);
    row->addWidget(m_count);
    const auto button = [&](const QString& text, const QString& tip, auto action) {
        auto* made = new QToolButton;
        made->setText(text);
        made->setToolTip(tip);
        made->setAccessibleName(tip);
        made->setAutoRaise(true);
        connect(made, &QToolButton::clicked, this, action);
        row->addWidget(made);
    };
    button(QStringLiteral("‹"), tr("Previous (Shift+Enter)"), [this] { go(false); });
    button(QStringLiteral("›"), tr("Next (Enter)"), [this] { go(true); });
    button(QStringLiteral("×"), tr("Close (Esc)"), [this] { close(); });
    connect(m_text, &QLineEdit::textChanged, this, &FindBar::search);
    setScope({});
    hide();
}

void FindBar::open() {
    show();
    const QString selected = m_view->textCursor().selectedText();
    if (!selected.isEmpty() && !selected.contains(QChar::ParagraphSeparator)) {
        m_text->setText(selected);
    }
    m_text->setFocus(Qt::ShortcutFocusReason);
    m_text->selectAll();
    search();
}

void FindBar::close() {
    hide();
    m_view->setExtraSelections({});
    m_view->setFocus(Qt::OtherFocusReason);
}

void FindBar::refresh() {
    if (isVisible()) {
        highlight();
    }
}

void FindBar::search() {
    highlight();
    if (m_hits > 0) {
        QTextCursor from = m_view->textCursor();
        from.setPosition(from.selectionStart());
        m_view->setTextCursor(from);
        go(true);
    }
}

void FindBar::highlight() {
    QList<QTextEdit::ExtraSelection> tints;
    m_hits = 0;
    const QString wanted = m_text->text();
    QColor tint = themeColours(palette()).neutral;
    tint.setAlphaF(0.45F);
    if (!wanted.isEmpty()) {
        const QTextDocument* document = m_view->document();
        for (QTextCursor hit = document->find(wanted, 0); !hit.isNull();
             hit = document->find(wanted, hit)) {
            ++m_hits;
            if (tints.size() < kMostTinted) {
                QTextEdit::ExtraSelection selection;
                selection.cursor = hit;
                selection.format.setBackground(tint);
                tints.append(selection);
            }
        }
    }
    m_view->setExtraSelections(tints);
    const QString count = wanted.isEmpty() ? QString()
                          : m_hits == 0    ? tr("not found")
                                           : tr("%n found", nullptr, m_hits);
    m_count->setText(count.isEmpty() || m_scope.isEmpty() ? count
                                                          : tr("%1 in %2").arg(count, m_scope));
}

void FindBar::setScope(const QString& scope) {
    m_scope = scope;
    m_text->setPlaceholderText(scope.isEmpty() ? tr("Find in this conversation")
                                               : tr("Find in %1").arg(scope));
    refresh();
}

QString FindBar::countText() const {
    return m_count->text();
}

void FindBar::go(bool forward) {
    const QString wanted = m_text->text();
    if (wanted.isEmpty()) {
        return;
    }
    const auto flags = forward ? QTextDocument::FindFlags()
                               : QTextDocument::FindFlags(QTextDocument::FindBackward);
    QTextCursor hit = m_view->document()->find(wanted, m_view->textCursor(), flags);
    if (hit.isNull()) {  // go round
        QTextCursor edge(m_view->document());
        edge.movePosition(forward ? QTextCursor::Start : QTextCursor::End);
        hit = m_view->document()->find(wanted, edge, flags);
    }
    if (!hit.isNull()) {
        m_view->setTextCursor(hit);
        m_view->ensureCursorVisible();
    }
}

void FindBar::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape) {
        close();
    } else if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
        go(!(event->modifiers() & Qt::ShiftModifier));
    } else {
        QWidget::keyPressEvent(event);
    }
}

}  // namespace gatescope
