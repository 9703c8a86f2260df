// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAction>
#include <QMenu>
#include <algorithm>
#include <set>

#include "app/stored_counts.h"
#include "app/window_actions.h"
#include "engine/session/session_store.h"
#include "tests/app/window_harness.h"
#include "views/selection.h"
#include "views/transcript_view.h"

using namespace gatescope;

class BranchTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void greedilyGivesTheSameAnswer();
    void withAnotherTokenGoesOnFromThat();
    void regenerateKeepsWhatWasGiven();
    void aMessageIsAskedInOtherWords();
    void aSecondSessionCountsItsWholePrompt();

  private:
    TranscriptView* transcript() const { return m_window->pane()->transcript(); }
    WindowActions* actions() const { return m_window->actions(); }
    StoredSession session(std::int64_t number) const {
        return SessionStore(m_dir->filePath("sessions.db").toStdString()).load(number);
    }
    /// Number of the `seq`-th token of the newest answer on screen.
    std::int32_t answerToken(int seq) const {
        std::int32_t number = m_window->traces().size() - 1;
        while (number > 0 && m_window->chat()->placeOf(number)->seq != seq) {
            --number;
        }
        return number;
    }
    void select(std::int32_t number) { m_window->selection()->setPosition(number); }
    /// Runs what begins an answer and waits for its end.
    template <class Begin>
    void answered(Begin begin) {
        QSignalSpy finished(m_window->chat(), &ChatController::answerFinished);
        begin();
        QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
        QCOMPARE(m_window->chat()->state(), ChatState::Ready);
    }
    static std::vector<std::int32_t> ids(const StoredTurn& turn) {
        std::vector<std::int32_t> ids;
        for (const TokenEvent& token : turn.tokens) {
            ids.push_back(token.id);
        }
        return ids;
    }
    /// Positions of a session with routing of its own.
    static std::set<std::int32_t> routed(const StoredSession& session) {
        std::set<std::int32_t> positions;
        for (const StoredTurn& turn : session.turns) {
            for (const StepTrace& step : turn.steps) {
                for (const RoutedToken& token : step.tokens) {
                    if (token.phase != Phase::Rejected) {
                        positions.insert(token.position);
                    }
                }
            }
        }
        return positions;
    }
};

void BranchTest::greedilyGivesTheSameAnswer() {
    open();
    ask(QStringLiteral("Tell me a story about a fox."));
    ask(QStringLiteral("What is 12 + 30?"));
    const StoredSession before = session(1);
    select(answerToken(3));
    QVERIFY(actions()->branch->isEnabled());
    answered([this] { QTest::keyClick(transcript(), Qt::Key_B, Qt::ControlModifier); });
    QCOMPARE(m_window->chat()->session(), std::optional<std::int64_t>(2));
    const StoredSession after = session(2);
    QCOMPARE(after.turns.size(), std::size_t{4});
    for (const std::size_t turn : {std::size_t{1}, std::size_t{3}}) {
        QCOMPARE(ids(after.turns[turn]), ids(before.turns[turn]));
        QCOMPARE(after.turns[turn].text, before.turns[turn].text);
    }
    QCOMPARE(after.turns[3].givenTokens, 3);
    QCOMPARE(after.summary.branchedFrom->session, std::int64_t{1});
    QCOMPARE(after.summary.branchedFrom->seq, std::int64_t{3});
    QCOMPARE(session(1).turns.size(), std::size_t{4});  // as it was
    // All of it can be looked at: text, and routing of every token that went through the model.
    const QString text = transcript()->plainText();
    QVERIFY(text.contains(QString::fromStdString(before.turns[1].text.substr(0, 40))));
    QVERIFY(text.contains(QStringLiteral("the first 3 tokens of the answer were given")));
    const std::set<std::int32_t> positions = routed(after);
    const auto last =
        static_cast<std::int32_t>(after.turns[3].promptIds.size() + after.turns[3].tokens.size()) -
        1;
    for (std::int32_t position = 0; position < last; ++position) {
        QVERIFY2(positions.contains(position), qPrintable(QString::number(position)));
    }
    for (std::int32_t number = 0; number + 1 < m_window->traces().size(); ++number) {
        QVERIFY2(m_window->traces().entry(number)->main, qPrintable(QString::number(number)));
    }
}

void BranchTest::withAnotherTokenGoesOnFromThat() {
    open();
    ask(QStringLiteral("Tell me a story about a fox."));
    const std::int32_t number = answerToken(5);
    const TraceStore::Entry entry = *m_window->traces().entry(number);
    select(number);
    QMenu* menu = actions()->branchWith;
    Q_EMIT menu->aboutToShow();
    QVERIFY(!menu->actions().isEmpty());
    const auto other = std::find_if(entry.alternatives.begin(), entry.alternatives.end(),
                                    [&](const auto& one) { return one.id != entry.tokenId; });
    QVERIFY(other != entry.alternatives.end());
    QMenu context;  // of the transcript: the same, at the token under the pointer
    Q_EMIT transcript()->menuWanted(&context, number);
    QCOMPARE(context.actions().size(), 3);
    QCOMPARE(context.actions().at(1)->text(), QStringLiteral("Branch here"));
    QCOMPARE(context.actions().at(2)->menu()->actions().size(), menu->actions().size());
    answered([menu] { menu->actions().front()->trigger(); });
    const StoredSession stored = session(2);
    QCOMPARE(stored.turns[1].givenTokens, 6);
    QCOMPARE(stored.turns[1].tokens[5].id, other->id);
    QVERIFY(stored.turns[1].result);
    QCOMPARE(QString::fromStdString(stored.turns[1].text).left(20),
             QString::fromStdString(stored.turns[1].result->text).left(20));
    const auto first = session(1).turns[1].tokens;
    for (std::size_t i = 0; i < 5; ++i) {
        QCOMPARE(stored.turns[1].tokens[i].id, first[i].id);
    }
}

void BranchTest::regenerateKeepsWhatWasGiven() {
    open();
    ask(QStringLiteral("Tell me a story about a fox."));
    select(answerToken(8));
    answered([this] { actions()->branch->trigger(); });
    answered([this] { actions()->regenerate->trigger(); });
    const StoredSession stored = session(2);
    QCOMPARE(stored.turns.size(), std::size_t{3});
    QVERIFY(stored.turns[1].replaced);
    QCOMPARE(stored.turns[2].givenTokens, 8);
    QCOMPARE(ids(stored.turns[2]), ids(stored.turns[1]));
    for (std::int32_t number = 0; number + 1 < m_window->traces().size(); ++number) {
        QVERIFY2(m_window->traces().entry(number)->main, qPrintable(QString::number(number)));
    }
    // Every position counts once, also when it was recorded with both answers.
    const unsigned prefill = 1U << static_cast<unsigned>(Phase::Prefill) | kSpecialTokens;
    const StoredCounts counts = countSession(stored, {});
    QCOMPARE(counts.analysis->load().load().tokens(0, prefill),
             std::ssize(stored.turns[2].promptIds) + 8);
    // And the same when the branch is opened again.
    const auto show = [this](std::int64_t number) {
        m_window->chat()->openSession(std::make_shared<const StoredSession>(session(number)));
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->session(), std::optional(number), kPatience);
    };
    show(1);
    show(2);
    answered([this] { actions()->regenerate->trigger(); });
    const StoredSession again = session(2);
    QCOMPARE(again.turns.back().givenTokens, 8);
    QCOMPARE(ids(again.turns.back()), ids(stored.turns[2]));
    QCOMPARE(countSession(again, {}).analysis->load().load().tokens(0, prefill),
             std::ssize(stored.turns[2].promptIds) + 8);
}

void BranchTest::aMessageIsAskedInOtherWords() {
    open();
    ask(QStringLiteral("Tell me a story about a fox."));
    ask(QStringLiteral("What is 12 + 30?"));
    std::int32_t number = 0;  // of the second message
    while (m_window->chat()->placeOf(number).value_or(ChatController::TokenPlace()).question !=
           QStringLiteral("What is 12 + 30?")) {
        ++number;
    }
    select(number);
    QVERIFY(actions()->editMessage->isEnabled());
    QVERIFY(!actions()->branch->isEnabled());
    QMenu context;
    Q_EMIT transcript()->menuWanted(&context, number);
    QCOMPARE(context.actions().back()->text(), QStringLiteral("Edit and ask again…"));
    answered([&] { m_window->chat()->askInstead(number, QStringLiteral("What is 40 + 2?")); });
    const StoredSession stored = session(2);
    QCOMPARE(stored.turns.size(), std::size_t{4});
    QCOMPARE(stored.turns[2].text, std::string("What is 40 + 2?"));
    QCOMPARE(ids(stored.turns[1]), ids(session(1).turns[1]));
    QCOMPARE(stored.turns[3].givenTokens, 0);
    QVERIFY((stored.summary.branchedFrom == SessionBranch{1, 2, -1}));
    QCOMPARE(stored.summary.title, std::string("What is 40 + 2?"));
}

/// What the cache holds from the session before is computed again: it is this one's routing too.
void BranchTest::aSecondSessionCountsItsWholePrompt() {
    open();
    ask(QStringLiteral("What is 12 + 30?"));
    m_window->chat()->newSession();
    ask(QStringLiteral("What is 12 + 30?"));
    QCOMPARE(routed(session(2)), routed(session(1)));
}

QTEST_MAIN(BranchTest)
#include "branch_test.moc"
