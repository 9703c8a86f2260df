// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/undo_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>

#include "views/theme.h"

namespace gatescope {

UndoBar::UndoBar(QWidget* parent) : QWidget(parent), m_label(new QLabel), m_undo(new QToolButton) {
    m_label->setTextFormat(Qt::PlainText);
    m_label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_undo->setText(tr("Undo"));
    m_undo->setToolTip(tr("Undo (Ctrl+Z)"));
    auto* close = new QToolButton;
    close->setText(QStringLiteral("×"));
    close->setAutoRaise(true);
    close->setAccessibleName(tr("Close"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(kGrid, kGrid / 2, kGrid / 2, kGrid / 2);
    row->setSpacing(kGrid / 2);
    row->addWidget(m_label, 1);
    row->addWidget(m_undo);
    row->addWidget(close);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::AlternateBase);
    connect(m_undo, &QToolButton::clicked, this, &UndoBar::undo);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    hide();
}

void UndoBar::offer(const QString& text) {
    m_text = text;
    show();
    elide();
}

void UndoBar::undo() {
    if (!isHidden()) {
        hide();
        Q_EMIT undone();
    }
}

void UndoBar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    elide();
}

void UndoBar::elide() {
    m_label->setText(m_label->fontMetrics().elidedText(m_text, Qt::ElideRight, m_label->width()));
    m_label->setToolTip(m_text.toHtmlEscaped());
}

}  // namespace gatescope
