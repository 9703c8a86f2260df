// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QString>

class QDialog;
class QWidget;

namespace gatescope {

/// Both are shown without blocking the window and delete themselves.
QDialog* showKeys(QWidget* parent, const QList<std::pair<QString, QString>>& table);
QDialog* showAbout(QWidget* parent);

}  // namespace gatescope
