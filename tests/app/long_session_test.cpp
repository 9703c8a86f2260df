// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAction>
#include <QApplication>
#include <QScrollBar>

#include "app/history_reader.h"
#include "app/part_bar.h"
#include "app/window_actions.h"
#include "app/window_docks.h"
#include "tests/app/long_session.h"
#include "tests/app/window_harness.h"
#include "views/find_bar.h"
#include "views/session_list_view.h"
#include "views/transcript_view.h"

using namespace gatescope;

/// Sessions that are too long to be shown at once.
class LongSessionTest : public QObject, WindowHarness {
    Q_OBJECT

  private:
    std::filesystem::path file() const { return m_dir->filePath("sessions.db").toStdString(); }
    ChatController* chat() const { return m_window->chat(); }
    TranscriptView* transcript() const { return m_window->pane()->transcript(); }

    /// A short real answer, to make long ones of.
    StoredSession sample() {
        const SessionStore store(file());
        return store.load(store.list().back().id);
    }

    void show(std::int64_t session) {
        Q_EMIT m_window->docks()->sessionList()->opened(session);
        QTRY_COMPARE_WITH_TIMEOUT(chat()->session(), session, kPatience);
    }

    template <class Go>
    void move(Go go) {
        QSignalSpy opened(chat(), &ChatController::sessionChanged);
        go();
        QTRY_VERIFY_WITH_TIMEOUT(opened.count() > 0, kPatience);
    }

    void expectBounded() const {
        QVERIFY(chat()->part() != nullptr);
        QVERIFY(chat()->part()->tokens <= PartLimits().tokens);
        QVERIFY(transcript()->tokenCount() < 6000);
        QVERIFY(m_window->traces().size() < 6000);
    }

  private Q_SLOTS:
    void initTestCase() {
        begin();
        ChatSettings few = m_settings->chat();
        few.maxNewTokens = 24;
        m_settings->setChat(few);
        open();
        ask("Tell me a story about a fox named Mia.");
        const auto log = SessionLog::open(file());
        LongSession many(*log, sample());
        for (int i = 0; i < 20; ++i) {
            many.add(300);
        }
        m_many = many.session();
        LongSession one(*log, sample());
        one.add(9000);
        m_one = one.session();
    }
    void cleanupTestCase() { end(); }

    void showsTheNewestPart() {
        show(m_many);
        expectBounded();
        const SessionExtent& part = *chat()->part();
        QCOMPARE(part.sessionTokens, 6000);
        QCOMPARE(part.tokens, 3900);
        QVERIFY(part.end);
        QVERIFY(!part.begin);
        PartBar* bar = m_window->pane()->part();
        QVERIFY(bar->isVisible());
        QVERIFY2(bar->text().contains(partText(part)), qPrintable(bar->text()));
        QVERIFY(transcript()->plainText().startsWith("Question 7"));
        QVERIFY(transcript()->verticalScrollBar()->value() ==
                transcript()->verticalScrollBar()->maximum());
        QVERIFY(m_window->actions()->earlier->isEnabled());
        QVERIFY(!m_window->actions()->later->isEnabled());

        m_window->pane()->openFind();
        QTest::keyClicks(QApplication::focusWidget(), "Question 3");
        QVERIFY2(m_window->pane()->findBar()->countText().contains(partText(part)),
                 qPrintable(m_window->pane()->findBar()->countText()));
        m_window->pane()->findBar()->close();
    }

    void theSelectedTokenStaysOrIsCleared() {
        const auto idOf = [this](std::int32_t number) {
            return m_window->traces().entry(number)->tokenId;
        };
        // The first token of the first answer shown: in the overlap with the part before.
        std::int32_t number = 0;
        while (!m_window->traces().entry(number)->generated) {
            ++number;
        }
        number += 5;
        const std::int32_t id = idOf(number);
        m_window->selection()->setPosition(number);
        move([this] { m_window->actions()->earlier->trigger(); });
        expectBounded();
        QCOMPARE(chat()->part()->firstToken, 0);
        QVERIFY(chat()->part()->begin);
        QVERIFY(!chat()->part()->end);
        QVERIFY(transcript()->plainText().startsWith("Question 0"));
        const auto moved = m_window->selection()->position();
        QVERIFY(moved);
        QVERIFY(m_window->traces().entry(*moved)->generated);
        QCOMPARE(idOf(*moved), id);
        QVERIFY(!chat()->canRegenerate());

        m_window->selection()->setPosition(number);  // near the beginning
        move([this] { chat()->goToPart(ChatController::Part::Newest); });
        QVERIFY(!m_window->selection()->position());
        QVERIFY(chat()->part()->end);
        QVERIFY(chat()->canRegenerate());
    }

    void scrollingToTheTopShowsEarlierOnes() {
        transcript()->setFocus();
        move([this] {
            QScrollBar* bar = transcript()->verticalScrollBar();
            bar->setValue(bar->minimum() + 1);
            QTest::keyClick(transcript(), Qt::Key_PageUp);
        });
        QVERIFY(chat()->part()->begin);
        // The place stays: what was the first token is at the top.
        QVERIFY(transcript()->verticalScrollBar()->value() > 0);
        move([this] {
            QScrollBar* bar = transcript()->verticalScrollBar();
            bar->setValue(bar->maximum() - 1);
            QTest::keyClick(transcript(), Qt::Key_PageDown);
        });
        expectBounded();
        QVERIFY(!chat()->part()->begin);
    }

    void aQuestionGoesOnFromTheEnd() {
        if (!chat()->part()->begin) {
            move([this] { chat()->goToPart(ChatController::Part::First); });
        }
        ask("What is 2 + 2?");
        QCOMPARE(chat()->session(), std::optional(m_many));
        QVERIFY(chat()->part()->end);
        QVERIFY(chat()->part()->sessionTokens > 6000);
        QVERIFY(transcript()->plainText().contains("What is 2 + 2?"));
        const StoredSession stored = SessionStore(file()).load(m_many);
        QCOMPARE(stored.turns.size(), 42U);
        QCOMPARE(chat()->part()->sessionTokens,
                 6000 + static_cast<std::int64_t>(stored.turns.back().tokens.size()));
        // It was asked with what came before it: the prompt holds the newest messages.
        QVERIFY(stored.turns.back().promptIds.size() > 300);
        const std::int64_t tokens = chat()->part()->sessionTokens;
        QSignalSpy finished(chat(), &ChatController::answerFinished);
        chat()->regenerate();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        QCOMPARE(chat()->part()->sessionTokens, tokens);  // greedy: the same answer again
    }

    void partsOfOneLongAnswer() {
        show(m_one);
        expectBounded();
        QCOMPARE(chat()->part()->tokens, 4000);
        QCOMPARE(chat()->part()->cutBefore, 5000);
        QVERIFY(transcript()->plainText().startsWith("The beginning of this answer"));
        QVERIFY(m_window->traces().partial());
        QCOMPARE(m_window->traces().size(), 4000);
        QVERIFY(m_window->traces().entry(17)->main != nullptr);
        move([this] { m_window->actions()->earlier->trigger(); });
        expectBounded();
        QVERIFY(chat()->part()->cutBefore > 0 && chat()->part()->cutAfter > 0);
        QVERIFY(transcript()->plainText().endsWith("in the part behind."));
        move([this] { chat()->goToPart(ChatController::Part::First); });
        QVERIFY(transcript()->plainText().startsWith("Question 0"));
        QVERIFY(!m_window->traces().partial());
        move([this] { chat()->goToPart(ChatController::Part::Newest); });
        QVERIFY(chat()->canRegenerate());
    }

    void aNewSessionIsWhole() {
        chat()->newSession();
        QVERIFY(chat()->part() == nullptr);
        QVERIFY(!m_window->pane()->part()->isVisible());
        ask("What is 2 + 2?");
        QVERIFY(chat()->part() == nullptr);
    }

  private:
    std::int64_t m_many = 0;
    std::int64_t m_one = 0;
};

QTEST_MAIN(LongSessionTest)
#include "long_session_test.moc"
