// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/notice_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QToolButton>

#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {

NoticeBar::NoticeBar(QWidget* parent) : QWidget(parent), m_text(new QLabel) {
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* close = new QToolButton;
    close->setText(QStringLiteral("×"));
    close->setToolTip(tr("Close"));
    close->setAccessibleName(tr("Close"));
    close->setAutoRaise(true);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(2 * kGrid, kGrid / 2, kGrid / 2, kGrid / 2);
    row->addWidget(m_text, 1);
    row->addWidget(close, 0, Qt::AlignTop);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    hide();
}

void NoticeBar::showNotice(Kind kind, const QString& text) {
    m_kind = kind;
    m_text->setText(literalText(text));
    setAccessibleName(m_text->text());
    setVisible(!text.isEmpty());
    update();
}

QString NoticeBar::text() const {
    return m_text->text();
}

void NoticeBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const ThemeColours colours = themeColours(palette());
    const QColor edge = m_kind == Kind::Error ? colours.error : colours.accent;
    QColor ground = edge;
    ground.setAlphaF(0.12F);
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.fillRect(rect(), ground);
    painter.fillRect(QRect(0, 0, 3, height()), edge);
}

}  // namespace gatescope
