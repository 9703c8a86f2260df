// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/message_label.h"

#include "views/theme.h"

namespace gatescope {

namespace {

QLabel* mutedLabel(QWidget* parent) {
    auto* label = new QLabel(parent);
    // The role, not a palette: a palette of its own would no longer follow the theme.
    label->setForegroundRole(QPalette::PlaceholderText);
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

}  // namespace

QLabel* makeMessageLabel(QWidget* parent) {
    QLabel* label = mutedLabel(parent);
    label->setAlignment(Qt::AlignCenter);
    label->setMargin(3 * kGrid);
    return label;
}

QLabel* makeNoteLabel(QWidget* parent) {
    QLabel* label = mutedLabel(parent);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

}  // namespace gatescope
