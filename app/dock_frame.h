// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

class QDockWidget;
class QMainWindow;
class QString;
class QWidget;

namespace gatescope {

/// A dock of the window with these contents, not placed yet. Contents that are a DockView are told
/// whether they stand in front.
QDockWidget* makeDock(QMainWindow* window, const QString& name, const QString& title,
                      QWidget* contents);

}  // namespace gatescope
