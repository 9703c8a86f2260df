// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

namespace gatescope {

/// An empty state: a quiet sentence in the middle that says what to do next. Plain text.
QLabel* makeMessageLabel(QWidget* parent = nullptr);

/// A wrapping line of secondary text that can be selected and copied. Plain text.
QLabel* makeNoteLabel(QWidget* parent = nullptr);

}  // namespace gatescope
