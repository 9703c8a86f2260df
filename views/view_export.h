// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <functional>

class QCustomPlot;
class QWidget;

namespace gatescope {

/// What a view offers to copy and save.
struct ViewExport {
    QString name;  ///< proposed file name without extension
    QCustomPlot* plot = nullptr;
    std::function<QString()> value;       ///< under the pointer or cursor; empty: nothing to copy
    std::function<QString(QChar)> table;  ///< by separator
    std::function<void(QString)> failed;  ///< one sentence for the person
};

/// Gives the widgets of a view the same context menu: copy value, copy table, save picture, save
/// table; and Ctrl+C for the value.
void installExportMenu(QWidget* widget, const ViewExport& what);

/// What must stand on everything saved or copied from the widgets below `root`, e.g. that the model
/// ran with changed routing; empty: nothing.
void setExportLabel(QWidget* root, const QString& label);
/// The label of the nearest ancestor (docks torn off included), `widget` itself included.
QString exportLabel(const QWidget* widget);

/// PNG (twice the screen's pixels), SVG or PDF by the file's extension. Throws Error.
void savePicture(QCustomPlot* plot, const QString& file);
/// UTF-8 text. Throws Error.
void saveText(const QString& text, const QString& file);

}  // namespace gatescope
