// SPDX-License-Identifier: GPL-3.0-or-later
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QToolButton>

#include "app/compare_controller.h"
#include "app/compare_pane.h"
#include "app/session_actions.h"
#include "app/session_replay_controller.h"
#include "app/window_docks.h"
#include "engine/session/session_store.h"
#include "tests/app/window_harness.h"
#include "views/session_filter.h"
#include "views/session_list_view.h"
#include "views/undo_bar.h"

using namespace gatescope;

class SessionBrowserTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void deletedByKeyAndBroughtBack();
    void renamedPinnedTaggedAndFound();
    void whatIsAnsweredInIsNotDeleted();
    void severalAreCompared();

  private:
    SessionListView* list() const { return m_window->docks()->sessionList(); }
    void press(int key, Qt::KeyboardModifiers modifiers = {}) {
        QTest::keyClick(list()->list(), static_cast<Qt::Key>(key), modifiers);
    }
    void select(int row) {
        list()->list()->setFocus();
        list()->list()->setCurrentIndex(list()->list()->model()->index(row, 0));
    }
    void waitForRows(int rows) { QTRY_COMPARE_WITH_TIMEOUT(list()->shownCount(), rows, kPatience); }
    std::vector<SessionSummary> stored(const SessionQuery& query = {}) const {
        return SessionStore(m_dir->filePath("sessions.db").toStdString()).list(query);
    }
    /// Two sessions, the newest first: a sum and a story in Chinese.
    void makeTwo() {
        open();
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        m_window->chat()->send(QStringLiteral("给我讲一个关于狐狸的故事"));  // no keys for these
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        m_window->chat()->newSession();
        ask(QStringLiteral("What is 12 + 30?"));
        waitForRows(2);
    }
};

void SessionBrowserTest::deletedByKeyAndBroughtBack() {
    makeTwo();
    select(1);
    press(Qt::Key_Delete);
    waitForRows(1);
    QVERIFY(list()->undoBar()->isVisible());
    QVERIFY(list()->undoBar()->text().contains(QStringLiteral("狐狸")));
    QCOMPARE(stored().size(), std::size_t{1});
    list()->list()->setFocus();
    press(Qt::Key_Z, Qt::ControlModifier);
    waitForRows(2);
    QVERIFY(!list()->undoBar()->isVisible());
    // The session that is shown goes, too, and can be restored from the deleted ones.
    select(0);
    press(Qt::Key_Delete);
    waitForRows(1);
    QVERIFY(!m_window->chat()->session());
    list()->filterButton()->setDeleted(true);
    QTRY_COMPARE_WITH_TIMEOUT(list()->filterButton()->query().deleted, true, kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(
        list()->shownCount() == 1 && list()->list()->model()->index(0, 0).data().toString() ==
                                         QStringLiteral("What is 12 + 30?"),
        kPatience);
    select(0);
    press(Qt::Key_Return);
    waitForRows(0);
    list()->filterButton()->clear();
    waitForRows(2);
}

void SessionBrowserTest::renamedPinnedTaggedAndFound() {
    makeTwo();
    select(1);
    press(Qt::Key_F2);
    auto* editor = list()->list()->findChild<QLineEdit*>();
    QVERIFY(editor != nullptr);
    editor->setText(QStringLiteral("Fox, in Chinese"));
    QTest::keyClick(editor, Qt::Key_Return);
    const auto title = [&] { return stored().back().title; };
    QTRY_COMPARE_WITH_TIMEOUT(title(), std::string("Fox, in Chinese"), kPatience);
    select(1);
    press(Qt::Key_P);  // pinned ones come first
    QTRY_COMPARE_WITH_TIMEOUT(list()->list()->model()->index(0, 0).data().toString(),
                              QStringLiteral("Fox, in Chinese"), kPatience);
    const std::int64_t fox = stored().front().id;
    m_window->findChild<SessionActions*>()->setTags({fox}, {"story", "中文"});
    QTRY_COMPARE_WITH_TIMEOUT(stored().front().tags.size(), std::size_t{2}, kPatience);
    // Two Chinese characters of the message are found, with the place.
    list()->filter()->setText(QStringLiteral("狐狸"));
    waitForRows(1);
    SessionQuery query;
    query.text = "狐狸";
    QCOMPARE(stored(query).front().id, fox);
    list()->filter()->setText(QStringLiteral("nowhere at all"));
    waitForRows(0);
    list()->filter()->clear();
    waitForRows(2);
    list()->filterButton()->setTag("story");
    waitForRows(1);
    QVERIFY(list()->filterButton()->description().contains(QStringLiteral("story")));
}

void SessionBrowserTest::whatIsAnsweredInIsNotDeleted() {
    makeTwo();
    m_window->chat()->newSession();
    QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
    type(QStringLiteral("Tell me a story."));
    QTRY_VERIFY_WITH_TIMEOUT(m_window->chat()->session().has_value(), kPatience);
    const std::int64_t live = *m_window->chat()->session();
    if (m_window->chat()->state() == ChatState::Answering) {
        m_window->findChild<SessionActions*>()->remove({live});
    }
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
    QCOMPARE(stored().size(), std::size_t{3});
    QCOMPARE(*m_window->chat()->session(), live);
}

void SessionBrowserTest::severalAreCompared() {
    makeTwo();
    list()->list()->setFocus();
    list()->list()->selectAll();
    QCOMPARE(list()->selected().size(), std::size_t{2});
    press(Qt::Key_C);
    QTRY_VERIFY_WITH_TIMEOUT(m_window->comparePane()->isResultShown(), kPatience);
    QVERIFY(m_window->comparePane()->isVisible());
    QTRY_VERIFY_WITH_TIMEOUT(!m_window->compare()->isRunning(), kPatience);
    QVERIFY(m_window->compare()->comparison() != nullptr);
    select(0);
    press(Qt::Key_R);
    QVERIFY(m_window->sessionReplay()->dialog() != nullptr);
    QTRY_VERIFY_WITH_TIMEOUT(!m_window->sessionReplay()->dialog()->isRunning(), kPatience);
    QVERIFY(list()->fillMenu()->actions().size() > 5);
}

QTEST_MAIN(SessionBrowserTest)
#include "session_browser_test.moc"
