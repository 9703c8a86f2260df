// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/help_dialogs.h"

#include <QCoreApplication>
#include <QDialog>
#include <QDialogButtonBox>
#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>

#include "views/theme.h"

namespace gatescope {
namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("gatescope::HelpDialogs", text);
}

QLabel* plainLabel(const QString& text) {
    auto* label = new QLabel(text);
    label->setTextFormat(Qt::PlainText);
    return label;
}

QDialog* open(QWidget* parent, const QString& title, QLayout* contents) {
    auto* dialog = new QDialog(parent);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(title);
    auto* column = new QVBoxLayout(dialog);
    column->setContentsMargins(2 * kGrid, 2 * kGrid, 2 * kGrid, 2 * kGrid);
    column->setSpacing(2 * kGrid);
    column->addLayout(contents);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
    QObject::connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::close);
    column->addWidget(buttons);
    dialog->show();
    return dialog;
}

}  // namespace

QDialog* showKeys(QWidget* parent, const QList<std::pair<QString, QString>>& table) {
    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(3 * kGrid);
    grid->setVerticalSpacing(kGrid / 2);
    const int rows = static_cast<int>((table.size() + 1) / 2);
    for (int i = 0; i < static_cast<int>(table.size()); ++i) {
        const int column = i < rows ? 0 : 3;
        grid->addWidget(plainLabel(table[i].first), i % rows, column);
        QLabel* key = plainLabel(table[i].second);
        key->setForegroundRole(QPalette::Link);
        grid->addWidget(key, i % rows, column + 1);
    }
    grid->setColumnMinimumWidth(2, 2 * kGrid);
    return open(parent, tr("Keys"), grid);
}

QDialog* showAbout(QWidget* parent) {
    auto* column = new QVBoxLayout;
    QLabel* title = plainLabel(tr("Gatescope %1").arg(QStringLiteral(GATESCOPE_VERSION)));
    QFont big = title->font();
    big.setPointSizeF(big.pointSizeF() * 1.4);
    big.setBold(true);
    title->setFont(big);
    column->addWidget(title);
    column->addWidget(
        plainLabel(tr("A workbench for DeepSeek-V3-class mixture-of-experts models.")));
    column->addWidget(plainLabel(
        tr("The window is licensed under GPL-3.0-or-later, the engine under Apache-2.0.\n"
           "Built with Qt %1, QCustomPlot, SQLite, Pango, Cairo, PCRE2, {fmt}, CLI11 and "
           "nlohmann/json.")
            .arg(QString::fromLatin1(qVersion()))));
    return open(parent, tr("About Gatescope"), column);
}

}  // namespace gatescope
