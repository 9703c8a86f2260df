// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/sql_console_view.h"

#include <QClipboard>
#include <QFile>
#include <QGuiApplication>
#include <QLineEdit>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeWidget>

using namespace gatescope;

class SqlConsoleViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void emptyItSaysWhatToDo();
    void keysRunAndCancel();
    void rowsAreShownCopiedAndSaved();
    void hostileTextIsHarmless();
    void namesAskForValues();
    void savedQueriesFillTheEditor();
    void errorsLeaveTheRows();

  private:
    QPushButton* button(const QString& text) const {
        for (QPushButton* one : m_view->findChildren<QPushButton*>()) {
            if (one->text().startsWith(text)) {
                return one;
            }
        }
        return nullptr;
    }
    static std::shared_ptr<const SqlResult> result() {
        auto value = std::make_shared<SqlResult>();
        value->columns = {"n", "text", "share", "bytes"};
        value->rows = {{std::int64_t{7}, std::string("a,b"), 0.123456, SqlBlob{"\x01\xFF"}},
                       {SqlCell{}, std::string("<b>\x1b\n"), 2.0, SqlCell{}}};
        return value;
    }

    std::unique_ptr<SqlConsoleView> m_view;
};

void SqlConsoleViewTest::init() {
    m_view = std::make_unique<SqlConsoleView>();
    m_view->resize(900, 600);
    m_view->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
}

void SqlConsoleViewTest::emptyItSaysWhatToDo() {
    QVERIFY(!m_view->table()->isVisible());
    QVERIFY(!button("Run")->isEnabled());
    QVERIFY(!button("Cancel")->isEnabled());
    QVERIFY(!button("Copy")->isEnabled());
}

void SqlConsoleViewTest::keysRunAndCancel() {
    QSignalSpy runs(m_view.get(), &SqlConsoleView::runRequested);
    QSignalSpy cancels(m_view.get(), &SqlConsoleView::cancelRequested);
    QTest::keyClicks(m_view->editor(), "SELECT 1");
    QTest::keyClick(m_view->editor(), Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(runs.count(), 1);
    QCOMPARE(runs.at(0).at(0).toString(), QString("SELECT 1"));
    QVERIFY(!button("Run")->isEnabled());
    QTest::keyClick(m_view->editor(), Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(runs.count(), 1);  // one at a time
    QTest::keyClick(m_view->editor(), Qt::Key_Escape);
    QCOMPARE(cancels.count(), 1);
    m_view->setError("Cancelled.");
    QVERIFY(button("Run")->isEnabled());
}

void SqlConsoleViewTest::rowsAreShownCopiedAndSaved() {
    m_view->setResult(result());
    QVERIFY(m_view->table()->isVisible());
    QVERIFY2(m_view->statusText().startsWith("2 row"), qPrintable(m_view->statusText()));
    const auto* model = m_view->table()->model();
    QCOMPARE(model->index(0, 2).data().toString(), QString("0.123"));
    QCOMPARE(model->index(1, 0).data().toString(), QString("NULL"));
    QTest::mouseClick(button("Copy"), Qt::LeftButton);
    const QString copied = QGuiApplication::clipboard()->text();
    QVERIFY2(copied.startsWith("n\ttext\tshare\tbytes\n7\ta,b\t0.123456\t01ff\n"),
             qPrintable(copied));
    const QTemporaryDir dir;
    m_view->saveResult(dir.filePath("r.csv"));
    QFile csv(dir.filePath("r.csv"));
    QVERIFY(csv.open(QIODevice::ReadOnly));
    QVERIFY(csv.readAll().startsWith("n,text,share,bytes\r\n7,\"a,b\",0.123456,01ff\r\n"));
    m_view->saveResult(dir.filePath("r.json"));
    QFile json(dir.filePath("r.json"));
    QVERIFY(json.open(QIODevice::ReadOnly));
    QVERIFY(json.readAll().contains("\"columns\""));
    m_view->saveResult(dir.filePath("no/r.csv"));
    QVERIFY(m_view->statusText().contains("no/r.csv"));
}

void SqlConsoleViewTest::hostileTextIsHarmless() {
    m_view->setResult(result());
    const QModelIndex index = m_view->table()->model()->index(1, 1);
    QVERIFY(!index.data().toString().contains(QChar(0x1b)));
    QVERIFY(!index.data().toString().contains(u'\n'));
    QVERIFY(!index.data(Qt::ToolTipRole).toString().contains("<b>"));
}

void SqlConsoleViewTest::namesAskForValues() {
    QSignalSpy runs(m_view.get(), &SqlConsoleView::runRequested);
    m_view->editor()->setPlainText("SELECT :session, :layer");
    m_view->setDefaultValue("session", "4");
    m_view->run();
    m_view->setParameters({"session", "layer"});
    QCOMPARE(runs.count(), 1);
    QVERIFY(m_view->statusText().contains("value"));
    for (auto* field : m_view->findChildren<QLineEdit*>()) {
        if (field->text().isEmpty()) {
            QTest::keyClicks(field, "2");
            QTest::keyClick(field, Qt::Key_Return);
        }
    }
    QCOMPARE(runs.count(), 2);
    QCOMPARE(m_view->values(), (SqlValues{{"session", "4"}, {"layer", "2"}}));
    m_view->editor()->setPlainText("SELECT :session");
    QVERIFY(m_view->values().isEmpty());
    m_view->setError("cancelled");
    m_view->run();
    m_view->setParameters({"session"});
    QCOMPARE(runs.count(), 4);  // at once: the value is known
}

void SqlConsoleViewTest::savedQueriesFillTheEditor() {
    m_view->setQueries({{"built in", "about", "SELECT 1", true}, {"own", "", "SELECT 2", false}});
    m_view->queries()->setCurrentRow(0);
    QCOMPARE(m_view->editor()->toPlainText(), QString("SELECT 1"));
    QVERIFY(!button("Remove")->isEnabled());
    m_view->queries()->setCurrentRow(1);
    QCOMPARE(m_view->editor()->toPlainText(), QString("SELECT 2"));
    QSignalSpy removes(m_view.get(), &SqlConsoleView::removeRequested);
    QTest::mouseClick(button("Remove"), Qt::LeftButton);
    QCOMPARE(removes.at(0).at(0).toString(), QString("own"));
    m_view->setQueries({{"built in", "about", "SELECT 1", true}});
    QVERIFY(!button("Remove")->isEnabled());
    m_view->setSchema({{"messages", "one row each", {{"turn", "number"}}}});
    QCOMPARE(m_view->schema()->topLevelItem(0)->child(0)->text(0), QString("turn"));
}

void SqlConsoleViewTest::errorsLeaveTheRows() {
    m_view->setResult(result());
    m_view->setError("s.db: no such column: x");
    QVERIFY(m_view->table()->isVisible());
    QCOMPARE(m_view->statusText(), QString("s.db: no such column: x"));
}

QTEST_MAIN(SqlConsoleViewTest)
#include "sql_console_view_test.moc"
