// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/view_export.h"

#include <QAction>
#include <QClipboard>
#include <QFile>
#include <QGuiApplication>
#include <QTemporaryDir>
#include <QTest>
#include <QVBoxLayout>

#include "views/plot.h"

using namespace gatescope;

/// What must be known of a run stands on everything that leaves the window.
class ViewExportTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        m_root = std::make_unique<QWidget>();
        auto* layout = new QVBoxLayout(m_root.get());
        m_plot = new QCustomPlot;
        layout->addWidget(m_plot);
        m_root->resize(400, 300);
        ViewExport what;
        what.plot = m_plot;
        what.value = [] { return QStringLiteral("1"); };
        what.table = [](QChar separator) { return QStringLiteral("a") + separator + u'b'; };
        what.failed = [](const QString& text) { QFAIL(qPrintable(text)); };
        installExportMenu(m_plot, what);
    }

    void tableCarriesTheLabelOfTheWindow() {
        copyTable();
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("a\tb"));
        setExportLabel(m_root.get(), QStringLiteral("Changed routing: bias off"));
        copyTable();
        QCOMPARE(QGuiApplication::clipboard()->text(),
                 QStringLiteral("Changed routing: bias off\na\tb"));
        setExportLabel(m_root.get(), {});
        copyTable();
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("a\tb"));
    }

    void pictureCarriesTheLabelAndThePlotDoesNotKeepIt() {
        const int items = m_plot->itemCount();
        QVERIFY(!svg().contains("Changed routing"));
        setExportLabel(m_root.get(), QStringLiteral("Changed routing: bias off"));
        QVERIFY(svg().contains("Changed routing"));
        QCOMPARE(m_plot->itemCount(), items);
    }

  private:
    void copyTable() {
        for (QAction* action : m_plot->actions()) {
            if (action->text() == QStringLiteral("Copy table")) {
                action->trigger();
            }
        }
    }
    QByteArray svg() {
        QTemporaryDir dir;
        const QString name = dir.filePath(QStringLiteral("p.svg"));
        savePicture(m_plot, name);
        QFile file(name);
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }

    std::unique_ptr<QWidget> m_root;
    QCustomPlot* m_plot = nullptr;
};

QTEST_MAIN(ViewExportTest)
#include "view_export_test.moc"
