// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/changed_routing_bar.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>

#include "views/literal_text.h"
#include "views/theme.h"

namespace gatescope {

ChangedRoutingBar::ChangedRoutingBar(QWidget* parent) : QWidget(parent), m_text(new QLabel) {
    setObjectName(QStringLiteral("changedRouting"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* reset = new QPushButton(tr("Back to the model's own routing"));
    reset->setObjectName(QStringLiteral("ownRouting"));
    connect(reset, &QPushButton::clicked, this, &ChangedRoutingBar::resetRequested);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(2 * kGrid, kGrid / 2, kGrid / 2, kGrid / 2);
    row->addWidget(m_text, 1);
    row->addWidget(reset, 0, Qt::AlignTop);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    hide();
}

void ChangedRoutingBar::setChange(const QString& description) {
    m_text->setText(description.isEmpty()
                        ? QString()
                        : tr("Changed routing: %1").arg(literalText(description)));
    setAccessibleName(m_text->text());
    setVisible(!description.isEmpty());
}

QString ChangedRoutingBar::text() const {
    return m_text->text();
}

void ChangedRoutingBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    QColor ground = themeColours(palette()).rejected;
    painter.fillRect(rect(), palette().color(QPalette::Base));
    painter.fillRect(QRect(0, 0, 3, height()), ground);
    ground.setAlphaF(0.16F);
    painter.fillRect(rect(), ground);
}

}  // namespace gatescope
