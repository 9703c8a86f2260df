// SPDX-License-Identifier: GPL-3.0-or-later
#include <QLabel>

#include "app/session_replay_controller.h"
#include "tests/app/window_harness.h"
#include "views/replay_view.h"

using namespace gatescope;

class ReplayWindowTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void aStoredSessionComesOutTheSame();
    void withoutAModelItSaysWhatToDo();
    void closingStopsIt();

  private:
    SessionReplayController* replay() const { return m_window->sessionReplay(); }
};

void ReplayWindowTest::aStoredSessionComesOutTheSame() {
    open();
    ask(QStringLiteral("Tell me a story."));
    const auto session = m_window->chat()->session();
    QVERIFY(session);
    replay()->replay(*session);
    QTRY_VERIFY_WITH_TIMEOUT(!replay()->dialog()->isRunning(), kPatience);
    QVERIFY2(replay()->dialog()->view()->isVisible(), qPrintable(replay()->dialog()->message()));
    QString shown;
    for (const QLabel* label : replay()->dialog()->view()->findChildren<QLabel*>()) {
        shown += label->text();
    }
    shown += replay()->dialog()->view()->tableText(u',');
    QVERIFY2(shown.contains("came out the same"), qPrintable(shown));
    QVERIFY2(shown.contains("Every choice of experts is the same"), qPrintable(shown));
    ask(QStringLiteral("And then?"));  // the conversation goes on
}

void ReplayWindowTest::withoutAModelItSaysWhatToDo() {
    make();
    replay()->replay(1);
    QVERIFY(!replay()->dialog()->isRunning());
    QVERIFY(replay()->dialog()->message().contains("model"));
}

void ReplayWindowTest::closingStopsIt() {
    open();
    ask(QStringLiteral("Tell me a story."));
    replay()->replay(*m_window->chat()->session());
    replay()->dialog()->reject();
    QTRY_VERIFY_WITH_TIMEOUT(!replay()->dialog()->isRunning(), kPatience);
    replay()->replay(999);
    QTRY_VERIFY_WITH_TIMEOUT(!replay()->dialog()->isRunning(), kPatience);
    QVERIFY(replay()->dialog()->message().contains("session 999"));
}

QTEST_MAIN(ReplayWindowTest)
#include "replay_window_test.moc"
