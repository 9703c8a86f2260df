// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/part_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include "engine/session/session_extent.h"
#include "views/formats.h"
#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {

PartBar::PartBar(QWidget* parent)
    : QWidget(parent),
      m_text(new QLabel),
      m_first(new QToolButton),
      m_earlier(new QPushButton(tr("Show earlier"))),
      m_later(new QPushButton(tr("Show later"))),
      m_newest(new QToolButton) {
    setObjectName(QStringLiteral("part"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_earlier->setObjectName(QStringLiteral("earlier"));
    m_earlier->setToolTip(tr("The part before this one (Alt+Page Up)"));
    m_later->setObjectName(QStringLiteral("later"));
    m_later->setToolTip(tr("The part behind this one (Alt+Page Down)"));
    const auto edge = [](QToolButton* button, const QString& text, const QString& tip) {
        button->setText(text);
        button->setToolTip(tip);
        button->setAccessibleName(tip);
        button->setAutoRaise(true);
    };
    edge(m_first, QStringLiteral("«"), tr("To the beginning of the session"));
    edge(m_newest, QStringLiteral("»"), tr("To the end of the session"));
    connect(m_first, &QToolButton::clicked, this, &PartBar::firstWanted);
    connect(m_earlier, &QPushButton::clicked, this, &PartBar::earlierWanted);
    connect(m_later, &QPushButton::clicked, this, &PartBar::laterWanted);
    connect(m_newest, &QToolButton::clicked, this, &PartBar::newestWanted);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(kGrid / 2);
    buttons->addWidget(m_first);
    buttons->addWidget(m_earlier);
    buttons->addStretch(1);
    buttons->addWidget(m_later);
    buttons->addWidget(m_newest);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2 * kGrid, kGrid / 2, kGrid, kGrid / 2);
    column->setSpacing(kGrid / 2);
    column->addWidget(m_text);  // a row of its own: the pane may be narrow
    column->addLayout(buttons);
    hide();
}

void PartBar::setPart(const SessionExtent* part) {
    setVisible(part != nullptr);
    if (part == nullptr) {
        return;
    }
    m_begin = part->begin;
    m_end = part->end;
    QString text = tr("Shown and counted: %1").arg(partText(*part));
    QString tip =
        tr("The transcript, the search in it and the numbers of all docks are of this "
           "part. Token numbers count from its beginning. An answer goes on from the "
           "whole session.");
    if (!part->allRouting) {
        text += tr(" · without the routing of its oldest positions");
        tip += QStringLiteral("\n") +
               tr("So many positions were routed here that not all of them are loaded at once.");
    }
    m_text->setText(text);
    m_text->setToolTip(plainToolTip(tip));
    setAccessibleName(text);
    refresh();
}

void PartBar::setUsable(bool usable) {
    m_usable = usable;
    refresh();
}

void PartBar::refresh() {
    m_first->setEnabled(m_usable && !m_begin);
    m_earlier->setEnabled(m_usable && !m_begin);
    m_later->setEnabled(m_usable && !m_end);
    m_newest->setEnabled(m_usable && !m_end);
}

QString PartBar::text() const {
    return m_text->text();
}

QString partText(const SessionExtent& part) {
    if (part.tokens == 0) {
        return PartBar::tr("no tokens of %1").arg(integerText(part.sessionTokens));
    }
    return PartBar::tr("tokens %1–%2 of %3")
        .arg(integerText(part.firstToken + 1), integerText(part.firstToken + part.tokens),
             integerText(part.sessionTokens));
}

}  // namespace gatescope
