// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_window.h"

#include <QFile>
#include <QListView>
#include <QPointer>
#include <semaphore>

#include "app/engine_client.h"
#include "app/notice_bar.h"
#include "app/part_bar.h"
#include "app/session_actions.h"
#include "app/session_docks.h"
#include "app/session_windows.h"
#include "app/transcript_pane.h"
#include "app/window_docks.h"
#include "engine/model/interventions.h"
#include "tests/app/long_session.h"
#include "tests/app/window_harness.h"
#include "views/routing_view.h"
#include "views/session_list_view.h"
#include "views/theme.h"
#include "views/tokens_view.h"
#include "views/transcript_view.h"
#include "views/view_export.h"
#include "views/why_view.h"

using namespace gatescope;

/// Keeps the engine's thread from doing anything, as a long prompt would.
class BusyEngine {
  public:
    explicit BusyEngine(EngineClient* engine) {
        engine->post([done = m_done](LoadedModel*) { done->acquire(); });
    }
    ~BusyEngine() { m_done->release(); }

  private:
    std::shared_ptr<std::binary_semaphore> m_done = std::make_shared<std::binary_semaphore>(0);
};

class SessionWindowTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() {
        applyTheme(Theme::System);
        end();
    }
    void isReadWhileAnAnswerStreams();
    void doesNotWaitForTheEngine();
    void enterOpensItBesideAnAnswer();
    void oneWindowForEachSession();
    void outlivesItsSession();
    void needsNoModel();
    void whatCannotBeReadIsSaid();
    void aLongSessionIsPagedThrough();
    void changedRoutingIsNamed();
    void whatIsStillWrittenSaysSo();

  private:
    SessionListView* list() const { return m_window->docks()->sessionList(); }
    SessionWindows* windows() const { return m_window->sessionWindows(); }
    std::filesystem::path file() const { return m_dir->filePath("sessions.db").toStdString(); }

    void press(std::int64_t session, Qt::KeyboardModifiers modifiers = {}) {
        const auto sessions = SessionStore(file()).list();
        const auto found = std::find_if(sessions.begin(), sessions.end(),
                                        [=](const auto& one) { return one.id == session; });
        const auto row = static_cast<int>(found - sessions.begin());
        list()->list()->setCurrentIndex(list()->list()->model()->index(row, 0));
        QTest::keyClick(list()->list(), Qt::Key_Return, modifiers);
    }
    SessionWindow* loaded(std::int64_t session) {
        SessionWindow* window = windows()->window(session);
        if (window == nullptr ||
            !QTest::qWaitFor([window] { return window->isLoaded(); }, kPatience)) {
            return nullptr;
        }
        return window;
    }
    /// The number of an answer's first token.
    static std::int32_t answerToken(const TraceStore& traces) {
        std::int32_t number = 0;
        while (number < traces.size() && !traces.entry(number)->generated) {
            ++number;
        }
        return number;
    }
    std::int64_t askInNewSession(const QString& text) {
        if (m_window->chat()->session()) {
            m_window->chat()->newSession();
        }
        ask(text);
        return m_window->chat()->session().value_or(-1);
    }
    void waitForRows(int rows) { QTRY_COMPARE_WITH_TIMEOUT(list()->shownCount(), rows, kPatience); }
};

void SessionWindowTest::isReadWhileAnAnswerStreams() {
    open();
    const std::int64_t sum = askInNewSession("What is 347 + 285?");
    const QString text = m_window->pane()->transcript()->plainText();
    const std::int32_t size = m_window->traces().size();
    const int layer = m_window->traces().shape().layers.front();
    const QString cell = m_window->docks()->views().routing->cellText(layer, 3);
    const QString question = "Tell me a story about a fox named Mia.";
    askInNewSession(question);
    const QString undisturbed = m_window->pane()->transcript()->plainText();
    waitForRows(2);

    m_window->chat()->newSession();
    QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
    SelectionPoint picked;
    bool answering = false;
    const auto once = connect(m_window->chat(), &ChatController::tokensArrived, this, [&] {
        if (windows()->window(sum) == nullptr) {
            m_window->selection()->setPosition(2);  // follows the newest token no more
            picked = m_window->selection()->current();
            answering = m_window->chat()->state() == ChatState::Answering;
            press(sum, Qt::ControlModifier);
        }
    });
    type(question);
    QTRY_VERIFY_WITH_TIMEOUT(windows()->window(sum) != nullptr, kPatience);
    disconnect(once);
    QVERIFY(answering);
    SessionWindow* window = loaded(sum);
    QVERIFY(window != nullptr);
    QVERIFY2(window->windowTitle().startsWith("What is 347 + 285? (read-only)"),
             qPrintable(window->windowTitle()));
    TranscriptView* transcript = window->pane()->transcript();
    QCOMPARE(transcript->plainText(), text);
    QCOMPARE(window->traces().size(), size);
    const TraceViews& views = window->docks()->views();
    QTRY_COMPARE_WITH_TIMEOUT(views.routing->cellText(layer, 3), cell, kPatience);
    QVERIFY2(views.tokens->tableText().contains("347"), qPrintable(views.tokens->tableText()));

    // A click selects here and nowhere else.
    const std::int32_t number = answerToken(window->traces());
    QTest::mouseClick(transcript->viewport(), Qt::LeftButton, {},
                      transcript->tokenRect(number).center());
    QCOMPARE(window->selection()->position(), number);
    QVERIFY2(views.why->headline().startsWith(QString("token %1 ").arg(number)),
             qPrintable(views.why->headline()));
    QCOMPARE(m_window->selection()->position(), picked.position);
    QCOMPARE(m_window->selection()->layer(), picked.layer);

    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
    QCOMPARE(m_window->pane()->transcript()->plainText(), undisturbed);
    QCOMPARE(m_window->selection()->position(), picked.position);
    QCOMPARE(transcript->plainText(), text);
}

void SessionWindowTest::doesNotWaitForTheEngine() {
    open();
    const std::int64_t sum = askInNewSession("What is 347 + 285?");
    const int layer = m_window->traces().shape().layers.front();
    const QString cell = m_window->docks()->views().routing->cellText(layer, 3);
    waitForRows(1);
    const BusyEngine busy(m_window->findChild<EngineClient*>());
    press(sum, Qt::ControlModifier);
    SessionWindow* window = loaded(sum);
    QVERIFY(window != nullptr);
    const TraceViews& views = window->docks()->views();
    QTRY_COMPARE_WITH_TIMEOUT(views.routing->cellText(layer, 3), cell, kPatience);
    QVERIFY(!views.tokens->tableText().isEmpty());
    window->selection()->setPosition(answerToken(window->traces()));
    QVERIFY(!views.why->headline().isEmpty());
    QVERIFY(window->notices()->text().isEmpty());
}

void SessionWindowTest::enterOpensItBesideAnAnswer() {
    open();
    const std::int64_t sum = askInNewSession("What is 347 + 285?");
    const std::int64_t other = askInNewSession("What is 2 + 2?");
    waitForRows(2);
    QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
    {
        const BusyEngine busy(m_window->findChild<EngineClient*>());
        type("What is 12 + 30?");
        QCOMPARE(m_window->chat()->state(), ChatState::Answering);
        press(sum);
        QVERIFY(loaded(sum) != nullptr);
        QVERIFY(m_window->pane()->notices()->text().isEmpty());
        press(other);  // the chat shows it
        QVERIFY(windows()->window(other) == nullptr);
        QCOMPARE(m_window->chat()->session(), other);
    }
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
    QVERIFY(m_window->pane()->transcript()->plainText().contains("42"));
    // No answer is being written: Enter opens it in the chat, a middle click in a window.
    press(sum);
    QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->session(), sum, kPatience);
    const auto at = list()->list()->visualRect(list()->list()->model()->index(0, 0)).center();
    QTest::mouseClick(list()->list()->viewport(), Qt::MiddleButton, {}, at);
    QVERIFY(loaded(SessionStore(file()).list().front().id) != nullptr);
    QCOMPARE(m_window->chat()->session(), sum);
}

void SessionWindowTest::oneWindowForEachSession() {
    open();
    const std::int64_t sum = askInNewSession("What is 347 + 285?");
    const std::int64_t other = askInNewSession("What is 2 + 2?");
    waitForRows(2);
    press(sum, Qt::ControlModifier);
    press(other, Qt::ControlModifier);
    QPointer<SessionWindow> first = loaded(sum);
    const QPointer<SessionWindow> second = loaded(other);
    QVERIFY(first && second && first != second);
    QVERIFY(QTest::qWaitForWindowActive(second));
    press(sum, Qt::ControlModifier);
    QCOMPARE(windows()->window(sum), first.data());
    QVERIFY(QTest::qWaitForWindowActive(first));
    applyTheme(Theme::Dark);
    QTRY_VERIFY_WITH_TIMEOUT(isDark(first->palette()), kPatience);
    applyTheme(Theme::Light);
    QTRY_VERIFY_WITH_TIMEOUT(!isDark(first->palette()), kPatience);

    QTest::keyClick(first, Qt::Key_Escape);
    QVERIFY(first->isVisible());
    QTest::keyClick(first, Qt::Key_W, Qt::ControlModifier);
    QVERIFY(windows()->window(sum) == nullptr);
    QTRY_VERIFY_WITH_TIMEOUT(first.isNull(), kPatience);
    press(sum, Qt::ControlModifier);
    first = loaded(sum);
    QVERIFY(first);
    m_window->close();
    QVERIFY(first.isNull() && second.isNull());
}

void SessionWindowTest::outlivesItsSession() {
    open();
    const std::int64_t sum = askInNewSession("What is 347 + 285?");
    waitForRows(1);
    press(sum, Qt::ControlModifier);
    SessionWindow* window = loaded(sum);
    QVERIFY(window != nullptr);
    const QString text = window->pane()->transcript()->plainText();
    m_window->findChild<SessionActions*>()->remove({sum});
    waitForRows(0);
    QCOMPARE(windows()->window(sum), window);
    QCOMPARE(window->pane()->transcript()->plainText(), text);
}

void SessionWindowTest::needsNoModel() {
    open();
    const std::int64_t sum = askInNewSession("What is 347 + 285?");
    const QString text = m_window->pane()->transcript()->plainText();
    const int layer = m_window->traces().shape().layers.front();
    const QString cell = m_window->docks()->views().routing->cellText(layer, 3);
    m_window.reset();
    make();
    waitForRows(1);
    press(sum, Qt::ControlModifier);
    SessionWindow* window = loaded(sum);
    QVERIFY(window != nullptr);
    QCOMPARE(window->pane()->transcript()->plainText(), text);
    const TraceViews& views = window->docks()->views();
    QTRY_COMPARE_WITH_TIMEOUT(views.routing->cellText(layer, 3), cell, kPatience);
    // The tokens of the prompt are known by number only.
    QVERIFY2(views.tokens->tableText().contains("#"), qPrintable(views.tokens->tableText()));
    window->selection()->setPosition(answerToken(window->traces()));
    QVERIFY(!views.why->headline().isEmpty());
}

void SessionWindowTest::whatCannotBeReadIsSaid() {
    open();
    windows()->open(999);
    SessionWindow* window = windows()->window(999);
    QVERIFY(window != nullptr);
    QTRY_VERIFY_WITH_TIMEOUT(!window->message().isEmpty(), kPatience);
    QVERIFY2(window->message().contains("session 999"), qPrintable(window->message()));
    QCOMPARE(window->message().count(u'\n'), 0);
    QVERIFY(!window->isLoaded());

    const QString damaged = m_dir->filePath("damaged.db");
    QFile bytes(damaged);
    QVERIFY(bytes.open(QIODevice::WriteOnly));
    bytes.write(QByteArray(8192, 'x'));
    bytes.close();
    SessionWindow other(damaged.toStdString(), 1, nullptr, false);
    other.show();
    QTRY_VERIFY_WITH_TIMEOUT(!other.message().isEmpty(), kPatience);
    QVERIFY(other.pane()->transcript()->isEmpty());
}

void SessionWindowTest::aLongSessionIsPagedThrough() {
    open();
    const std::int64_t sample = askInNewSession("Tell me a story about a fox named Mia.");
    std::int64_t session = 0;
    {
        const auto log = SessionLog::open(file());
        LongSession many(*log, SessionStore(file()).load(sample));
        for (int i = 0; i < 20; ++i) {
            many.add(300);
        }
        session = many.session();
    }
    windows()->open(session);
    SessionWindow* window = loaded(session);
    QVERIFY(window != nullptr);
    QVERIFY(window->part() != nullptr);
    QVERIFY(window->part()->end);
    QVERIFY(window->pane()->part()->isVisible());
    QVERIFY(window->pane()->transcript()->plainText().startsWith("Question 7"));
    const std::int32_t number = answerToken(window->traces()) + 5;
    const std::int32_t id = window->traces().entry(number)->tokenId;
    window->selection()->setPosition(number);
    QTest::keyClick(window, Qt::Key_PageUp, Qt::AltModifier);
    QTRY_VERIFY_WITH_TIMEOUT(window->part()->begin, kPatience);
    QVERIFY(window->pane()->transcript()->plainText().startsWith("Question 0"));
    QVERIFY(window->selection()->position());
    QCOMPARE(window->traces().entry(*window->selection()->position())->tokenId, id);
    window->goToPart(SessionParts::Part::Newest);
    QTRY_VERIFY_WITH_TIMEOUT(window->part()->end, kPatience);
}

void SessionWindowTest::changedRoutingIsNamed() {
    open();
    auto changed = std::make_shared<Interventions>();
    changed->layers.push_back({.layer = 4, .biasOff = true});
    m_window->chat()->setInterventions(changed);
    const std::int64_t session = askInNewSession("What is 347 + 285?");
    const QString text = m_window->pane()->transcript()->plainText();
    m_window->chat()->setInterventions(nullptr);
    waitForRows(1);
    press(session, Qt::ControlModifier);
    SessionWindow* window = loaded(session);
    QVERIFY(window != nullptr);
    QCOMPARE(window->pane()->transcript()->plainText(), text);
    QVERIFY(text.contains("changed routing: bias off in layer 4"));
    const QString label = exportLabel(window->docks()->views().routing);
    QVERIFY2(label.contains("bias off in layer 4"), qPrintable(label));
    QVERIFY(exportLabel(m_window->docks()->views().routing).isEmpty());
}

void SessionWindowTest::whatIsStillWrittenSaysSo() {
    open();
    const std::int64_t sample = askInNewSession("What is 347 + 285?");
    const auto log = SessionLog::open(file());
    const std::int64_t session = log->beginSession(SessionStore(file()).load(sample).info);
    log->addUserTurn(session, "And now?");
    const int turn = log->beginAnswer(session, {}, 0);
    TokenEvent token;
    token.bytes = "Well";
    log->token(session, turn, token);
    log->flush();
    SessionWindow live(file(), session, nullptr, true);
    QTRY_VERIFY_WITH_TIMEOUT(live.isLoaded(), kPatience);
    const QString text = live.pane()->transcript()->plainText();
    QVERIFY2(text.startsWith("And now?") && text.contains("Well"), qPrintable(text));
    QVERIFY2(text.contains("still being written"), qPrintable(text));
    SessionWindow left(file(), session, nullptr, false);
    QTRY_VERIFY_WITH_TIMEOUT(left.isLoaded(), kPatience);
    QVERIFY(left.pane()->transcript()->plainText().contains("The program ended"));
}

QTEST_MAIN(SessionWindowTest)
#include "session_window_test.moc"
