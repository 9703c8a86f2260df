// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAction>
#include <QFile>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QTableView>

#include "app/session_transfer.h"
#include "app/sql_console_window.h"
#include "app/window_actions.h"
#include "engine/session/session_log.h"
#include "engine/session/session_store.h"
#include "tests/app/window_harness.h"

using namespace gatescope;

class SqlWindowTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void questionsAreAnswered();
    void aRunawayQueryIsCancelled();
    void sessionsGoOutAndComeIn();

  private:
    std::filesystem::path sessions() const { return m_dir->filePath("sessions.db").toStdString(); }
    void makeSessions() const {
        const auto log = SessionLog::open(sessions());
        for (int i = 0; i < 2; ++i) {
            SessionInfo info;
            info.title = "session";
            log->addUserTurn(log->beginSession(info), "Hello");
        }
    }
    SqlConsoleView* console() {
        m_window->actions()->sqlConsole->trigger();
        return m_window->sqlConsole()->view();
    }
};

void SqlWindowTest::questionsAreAnswered() {
    makeSessions();
    make();
    SqlConsoleView* view = console();
    QVERIFY(view->queries()->count() > 5);
    view->editor()->setPlainText("SELECT count(*) AS n FROM messages WHERE role = :role");
    view->setDefaultValue("role", "user");
    view->run();
    QTRY_VERIFY_WITH_TIMEOUT(view->table()->isVisible(), kPatience);
    QCOMPARE(view->table()->model()->index(0, 0).data().toString(), QString("2"));
    view->editor()->setPlainText("DELETE FROM sessions");
    view->run();
    QTRY_VERIFY_WITH_TIMEOUT(view->statusText().contains("sessions.db"), kPatience);
    QCOMPARE(SessionStore(sessions()).list().size(), std::size_t{2});
    Q_EMIT view->saveRequested("mine", "SELECT 1");
    QVERIFY(!view->queries()->findItems("mine", Qt::MatchExactly).isEmpty());
    Q_EMIT view->removeRequested("mine");
    QVERIFY(view->queries()->findItems("mine", Qt::MatchExactly).isEmpty());
}

void SqlWindowTest::aRunawayQueryIsCancelled() {
    makeSessions();
    make();
    SqlConsoleView* view = console();
    const QString endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    view->editor()->setPlainText(endless);
    view->run();
    QTest::keyClick(view->editor(), Qt::Key_Escape);
    QTRY_COMPARE_WITH_TIMEOUT(view->statusText(), QString("Cancelled."), kPatience);
    view->run();
    m_window.reset();  // ends it too
}

void SqlWindowTest::sessionsGoOutAndComeIn() {
    makeSessions();
    make();
    SessionTransfer* transfer = m_window->transfer();
    QSignalSpy exported(transfer, &SessionTransfer::exported);
    QSignalSpy imported(transfer, &SessionTransfer::imported);
    QSignalSpy failed(transfer, &SessionTransfer::failed);
    const QString file = m_dir->filePath("out.jsonl");
    transfer->exportTo({1, 2}, SessionFormat::JsonLines, file);
    QTRY_COMPARE_WITH_TIMEOUT(exported.count(), 1, kPatience);
    QVERIFY(!transfer->isRunning());
    transfer->importFrom(file);
    QTRY_COMPARE_WITH_TIMEOUT(imported.count(), 1, kPatience);
    QCOMPARE(SessionStore(sessions()).list().size(), std::size_t{4});
    transfer->importFrom(m_dir->filePath("none"));
    QTRY_COMPARE_WITH_TIMEOUT(failed.count(), 1, kPatience);
    QVERIFY(failed.at(0).at(0).toString().contains("none"));
    transfer->exportSessions({});
    QCOMPARE(failed.count(), 2);
    QVERIFY(!QFile::exists(m_dir->filePath("none")));
}

QTEST_MAIN(SqlWindowTest)
#include "sql_window_test.moc"
