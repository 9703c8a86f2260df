// SPDX-License-Identifier: GPL-3.0-or-later
#include <QAction>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QPlainTextEdit>
#include <QPushButton>

#include "app/compare_controller.h"
#include "app/compare_pane.h"
#include "app/compare_run_card.h"
#include "app/compare_setup.h"
#include "app/session_window.h"
#include "app/session_windows.h"
#include "app/window_actions.h"
#include "tests/app/window_harness.h"
#include "views/compare_token_text.h"
#include "views/compare_view.h"

using namespace gatescope;

class CompareWindowTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void twoPromptsByTheKeyboardAlone();
    void storedSessionsAndTheSameTokens();
    void otherSettingsAndFailures();
    void cancelLeavesTheChatAsItWas();

  private:
    CompareSetup* setup() const { return m_window->comparePane()->setup(); }
    CompareView* view() const { return m_window->comparePane()->view(); }
    QString message() const { return m_window->comparePane()->message(); }
    CompareRunSpec spec(const QString& prompt, int tokens = 24) const {
        CompareRunSpec out;
        out.prompt = prompt;
        out.settings.sampling.temperature = 0;
        out.settings.maxNewTokens = tokens;
        return out;
    }
    void waitForResult() {
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->compare()->isRunning(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(m_window->comparePane()->isResultShown(), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->compare()->isRunning(), kPatience);
        QVERIFY2(m_window->compare()->comparison() != nullptr, qPrintable(message()));
    }
};

void CompareWindowTest::twoPromptsByTheKeyboardAlone() {
    open();
    m_window->actions()->goToCompare->trigger();
    auto* first = qobject_cast<QPlainTextEdit*>(QApplication::focusWidget());
    QVERIFY(first != nullptr);
    QTest::keyClicks(first, QStringLiteral("What is 12 + 30?"));
    auto* second = setup()->card(1)->prompt();
    for (int i = 0; i < 40 && QApplication::focusWidget() != second; ++i) {
        QTest::keyClick(QApplication::focusWidget(), Qt::Key_Tab);
    }
    QCOMPARE(QApplication::focusWidget(), second);
    QTest::keyClicks(second, QStringLiteral("Tell me a story."));
    QVERIFY(setup()->runButton()->isEnabled());
    QTest::keyClick(second, Qt::Key_Return, Qt::ControlModifier);
    waitForResult();
    const Comparison& comparison = *m_window->compare()->comparison();
    QCOMPARE(comparison.runs.size(), std::size_t{2});
    QCOMPARE(comparison.pairs.size(), std::size_t{1});
    QVERIFY(!view()->verdictText().isEmpty());
    QVERIFY(view()->tableText(CompareView::Runs).contains(QStringLiteral("A")));
    for (const auto page : {CompareView::Layers, CompareView::Experts, CompareView::Runs}) {
        QVERIFY(view()->tableText(page).count(u'\n') > 1);
    }
    // Everything in a file, every number with its n.
    const QString file = m_dir->filePath("comparison.json");
    m_window->compare()->saveAs(file);
    QFile saved(file);
    QVERIFY(saved.open(QIODevice::ReadOnly));
    const QJsonDocument json = QJsonDocument::fromJson(saved.readAll());
    QVERIFY(json.isObject());
    QVERIFY(QString::fromUtf8(json.toJson()).contains(QStringLiteral("\"n_a\"")));
    ask(QStringLiteral("And now?"));  // the chat goes on
}

void CompareWindowTest::storedSessionsAndTheSameTokens() {
    open();
    ask(QStringLiteral("What is 12 + 30?"));
    const std::int64_t first = *m_window->chat()->session();
    m_window->chat()->newSession();
    ask(QStringLiteral("What is 7 + 5?"));
    const std::int64_t second = *m_window->chat()->session();
    m_window->compare()->compareSessions({first, second});
    waitForResult();
    QCOMPARE(m_window->compare()->comparison()->runs[1].answers.front().session, second);
    // A token leads to its session, in a window of its own.
    auto* answer = view()->findChild<CompareTokenText*>("answerB");
    answer->setCurrent(1);
    QTest::keyClick(answer, Qt::Key_Return);
    SessionWindow* shown = m_window->sessionWindows()->window(second);
    QVERIFY(shown != nullptr);
    QTRY_VERIFY_WITH_TIMEOUT(shown->selection()->position(), kPatience);
    QCOMPARE(shown->traces().entry(*shown->selection()->position())->tokenId,
             m_window->compare()->comparison()->runs[1].answers.front().tokens[1].id);
    shown->close();
    QSignalSpy finished(m_window->compare(), &CompareController::finished);
    Q_EMIT view()->forcedRequested(0);
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, kPatience);
    // The same model under the same routing twice: nothing can differ.
    QVERIFY2(view()->tableText(CompareView::SameTokens).count(u'\n') > 1,
             qPrintable(view()->tableText(CompareView::SameTokens)));
    m_window->compare()->compareSessions({first});
    QVERIFY(message().contains(QStringLiteral("2 to 8")));
}

void CompareWindowTest::otherSettingsAndFailures() {
    open();
    CompareRunSpec warm = spec(QStringLiteral("Tell me a story."));
    warm.settings.sampling.temperature = 0.9F;
    warm.label = QStringLiteral("warm");
    CompareRunSpec nowhere = spec(QStringLiteral("Tell me a story."));
    nowhere.modelDir = QStringLiteral("/nowhere/at/all");
    CompareRunSpec again = spec(QStringLiteral("Tell me a story."));
    again.modelDir = kDemo;  // the open one's folder
    setup()->setSpecs({spec(QStringLiteral("Tell me a story.")), warm, nowhere, again});
    m_window->compare()->runAll();
    waitForResult();
    const Comparison& comparison = *m_window->compare()->comparison();
    QCOMPARE(comparison.runs.size(), std::size_t{3});
    QCOMPARE(comparison.runs[1].label, std::string("warm"));
    QVERIFY(setup()->card(2)->status().contains(QStringLiteral("/nowhere/at/all")));
    QCOMPARE(comparison.runs[0].answers[0].tokens.size(),
             comparison.runs[2].answers[0].tokens.size());
}

void CompareWindowTest::cancelLeavesTheChatAsItWas() {
    open();
    ask(QStringLiteral("What is 12 + 30?"));
    setup()->setSpecs({spec(QStringLiteral("Tell me a story."), 400),
                       spec(QStringLiteral("Tell me another story."), 400)});
    m_window->compare()->runAll();
    QVERIFY(m_window->compare()->isRunning());
    m_window->comparePane()->cancelButton()->click();
    QTRY_VERIFY_WITH_TIMEOUT(!m_window->compare()->isRunning(), kPatience);
    QVERIFY2(message().contains(QStringLiteral("Cancelled")), qPrintable(message()));
    QCOMPARE(m_window->chat()->state(), ChatState::Ready);
    ask(QStringLiteral("And 7 + 5?"));
}

QTEST_MAIN(CompareWindowTest)
#include "compare_window_test.moc"
