// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/intervention_texts.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QTextCursor>
#include <QTextEdit>
#include <QVBoxLayout>

#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {

namespace {

QString shown(const std::string& text) {
    return literalText(QString::fromStdString(text));
}

}  // namespace

InterventionTexts::InterventionTexts(QWidget* parent) : QWidget(parent) {
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(kGrid, 0, kGrid, kGrid);
    layout->setSpacing(kGrid);
    m_before = addColumn(tr("Untouched"));
    m_after = addColumn(tr("Changed"));
}

QTextEdit* InterventionTexts::addColumn(const QString& title) {
    auto* label = new QLabel(title, this);
    auto* edit = new QTextEdit(this);
    edit->setReadOnly(true);
    edit->setAcceptRichText(false);
    edit->setAccessibleName(title);
    edit->setTabChangesFocus(true);
    edit->setMinimumHeight(6 * kGrid);
    label->setBuddy(edit);
    auto* column = new QVBoxLayout;
    column->setSpacing(kGrid / 2);
    column->addWidget(label);
    column->addWidget(edit, 1);
    static_cast<QHBoxLayout*>(layout())->addLayout(column, 1);
    return edit;
}

void InterventionTexts::setEffect(const InterventionEffect& effect) {
    m_common = shown(effect.textBefore.substr(0, effect.commonBytes));
    m_restBefore = shown(effect.textBefore.substr(effect.commonBytes));
    m_restAfter = shown(effect.textAfter.substr(effect.commonBytes));
    refill();
}

void InterventionTexts::refill() {
    fill(m_before, m_common, m_restBefore);
    fill(m_after, m_common, m_restAfter);
}

void InterventionTexts::fill(QTextEdit* edit, const QString& common, const QString& rest) {
    edit->clear();
    QTextCharFormat same;
    same.setForeground(palette().color(QPalette::Text));
    QTextCharFormat differs = same;
    QColor mark = themeColours(palette()).accent;
    mark.setAlphaF(0.22F);
    differs.setBackground(mark);
    QTextCursor cursor(edit->document());
    cursor.insertText(common, same);
    cursor.insertText(rest, differs);
    // What differs is what one wants to read.
    cursor.setPosition(static_cast<int>(common.size()));
    edit->setTextCursor(cursor);
    edit->ensureCursorVisible();
}

void InterventionTexts::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (m_after != nullptr && event->type() == QEvent::PaletteChange) {
        refill();
    }
}

}  // namespace gatescope
