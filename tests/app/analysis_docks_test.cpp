// SPDX-License-Identifier: GPL-3.0-or-later
// The analysis docks in the real window, with the demo model.

#include <QAction>
#include <QApplication>
#include <QDockWidget>
#include <QFile>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include "app/changed_routing_bar.h"
#include "app/window_actions.h"
#include "app/window_docks.h"
#include "engine/model/interventions.h"
#include "engine/session/session_store.h"
#include "engine/session/settings_json.h"
#include "tests/app/window_harness.h"
#include "views/balance_view.h"
#include "views/bias_view.h"
#include "views/dock_view.h"
#include "views/experts_view.h"
#include "views/interventions_view.h"
#include "views/routing_view.h"
#include "views/selection.h"
#include "views/specialists_view.h"
#include "views/tokens_view.h"
#include "views/transcript_view.h"
#include "views/view_export.h"
#include "views/why_view.h"

using namespace gatescope;

class AnalysisDocksTest : public QObject, WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }

    void everyDockHasSomethingToSay() {
        open();
        ask("What is 347 + 285?");
        for (const std::string& name : WindowDocks::names()) {
            m_window->docks()->bringUp(QString::fromStdString(name));
            QTRY_VERIFY_WITH_TIMEOUT(
                m_window->docks()->dock(QString::fromStdString(name))->widget()->isVisible(),
                kPatience);
        }
        const TraceViews& views = m_window->docks()->views();
        m_window->docks()->bringUp("balance");
        QVERIFY(!views.balance->tableText().isEmpty());
        m_window->docks()->bringUp("bias");
        QTRY_VERIFY_WITH_TIMEOUT(!views.bias->tableText().isEmpty(), kPatience);
        m_window->selection()->setCell(4, 3);
        m_window->docks()->bringUp("experts");
        QTRY_VERIFY2_WITH_TIMEOUT(views.experts->headline().contains("chosen"),
                                  qPrintable(views.experts->headline()), kPatience);
        QVERIFY(!views.tokens->tableText().isEmpty());
    }

    void everyDockIsReachedByKey() {
        open();
        ask("What is 347 + 285?");
        for (const auto& [name, action] : m_window->actions()->goToDocks) {
            QVERIFY2(!action->shortcut().isEmpty(), qPrintable(name));
            QTest::keySequence(m_window.get(), action->shortcut());
            QDockWidget* dock = m_window->docks()->dock(name);
            QVERIFY2(dock->isVisible(), qPrintable(name));
            QWidget* focus = QApplication::focusWidget();
            QVERIFY2(focus != nullptr && dock->isAncestorOf(focus), qPrintable(name));
            QVERIFY2(static_cast<DockView*>(dock->widget())->isSeen(), qPrintable(name));
        }
    }

    void hiddenDocksComputeNothing() {
        open();
        m_window->docks()->bringUp("routing");
        const TraceViews& views = m_window->docks()->views();
        const auto hidden = [&views] {
            return std::vector<int>{views.balance->computations(), views.bias->computations(),
                                    views.experts->computations(),
                                    views.specialists->computations(),
                                    views.interventions->computations()};
        };
        const std::vector<int> before = hidden();
        const int routing = views.routing->computations();
        ask("What is 347 + 285?");
        QVERIFY(views.routing->computations() > routing);
        QCOMPARE(hidden(), before);
    }

    void appliedBiasIsLabelledAndTakenBack() {
        open();
        ask("What is 347 + 285?");
        const TraceViews& views = m_window->docks()->views();
        m_window->docks()->bringUp("bias");
        Q_EMIT views.bias->shadowParamsChanged({0.05, 8, false});
        ChangedRoutingBar* bar = m_window->pane()->changedRouting();
        QTRY_VERIFY2_WITH_TIMEOUT(applied("gamma 0.05"), qPrintable(bar->text()), kPatience);
        QVERIFY(bar->isVisible());
        QCOMPARE(exportLabel(views.routing), bar->text());

        ask("What is 12 + 30?");
        QVERIFY(m_window->pane()->transcript()->plainText().contains("changed routing"));
        QTest::mouseClick(bar->findChild<QPushButton*>(), Qt::LeftButton);
        QVERIFY(!bar->isVisible());
        QVERIFY(exportLabel(views.routing).isEmpty());
        ask("What is 7 + 8?");
        const auto session = m_window->chat()->session();
        QVERIFY(session.has_value());
        m_window.reset();

        SessionStore store(m_dir->filePath("sessions.db").toStdString());
        std::vector<bool> changedRouting;
        for (const StoredTurn& turn : store.load(*session).turns) {
            if (turn.role == Role::Assistant) {
                changedRouting.push_back(settingsFromJson(turn.paramsJson).interventions !=
                                         nullptr);
            }
        }
        QCOMPARE(changedRouting, (std::vector<bool>{false, true, false}));
    }

    void comparisonShowsWhatAnInterventionDoes() {
        open();
        ask("What is 347 + 285?");
        const QString before = m_window->pane()->transcript()->plainText();
        InterventionsView* view = m_window->docks()->views().interventions;
        m_window->docks()->bringUp("interventions");
        Interventions wanted;
        for (const int layer : m_window->traces().shape().layers) {
            wanted.layers.push_back({});
            wanted.layers.back().layer = layer;
            wanted.layers.back().topK = 1;
        }
        QVERIFY(view->tableText().isEmpty());
        Q_EMIT view->compareRequested(wanted);
        QTRY_VERIFY_WITH_TIMEOUT(!view->tableText().isEmpty(), kPatience);
        // The chat goes on as if nothing had been.
        QCOMPARE(m_window->pane()->transcript()->plainText(), before);
        ask("What is 12 + 30?");
        QVERIFY(m_window->pane()->transcript()->plainText().endsWith("42") ||
                m_window->pane()->transcript()->plainText().contains("42"));
    }

    void whyIsReplayedForAStoredToken() {
        open();
        ask("What is 347 + 285?");
        const auto session = m_window->chat()->session();
        m_window->chat()->newSession();
        QTRY_VERIFY_WITH_TIMEOUT(!m_window->chat()->session().has_value(), kPatience);
        SessionStore store(m_dir->filePath("sessions.db").toStdString());
        m_window->chat()->openSession(std::make_shared<const StoredSession>(store.load(*session)));
        QTRY_COMPARE_WITH_TIMEOUT(m_window->chat()->session(), session, kPatience);
        m_window->docks()->bringUp("why");
        m_window->selection()->set({session, 6, 3, {}});
        WhyView* why = m_window->docks()->views().why;
        // What only the affinities tell is there without having been stored.
        QTRY_VERIFY2_WITH_TIMEOUT(why->headline().contains("groups kept"),
                                  qPrintable(why->headline()), kPatience);
        QVERIFY(m_window->traces().entry(6)->main->routing.scores == nullptr);
    }

    void specialistsOfAPromptSet() {
        open();
        QFile file(m_dir->filePath("prompts.jsonl"));
        QVERIFY(file.open(QIODevice::WriteOnly));
        for (const char* prompt :
             {"What is 3 + 4?", "What is 8 + 9?", "What is 20 + 5?", "What is 6 + 6?"}) {
            file.write(QByteArray("{\"prompt\": \"") + prompt + "\", \"domain\": \"sums\"}\n");
        }
        for (const char* prompt :
             {"Tell me a story about a fox.", "Tell me a story about a cat.",
              "Tell me a story about a bird.", "Tell me a story about a dog."}) {
            file.write(QByteArray("{\"prompt\": \"") + prompt + "\", \"domain\": \"stories\"}\n");
        }
        file.close();
        SpecialistsView* view = m_window->docks()->views().specialists;
        m_window->docks()->bringUp("specialists");
        Q_EMIT view->runRequested(file.fileName());
        QTRY_VERIFY_WITH_TIMEOUT(!view->tableText().isEmpty(), kPatience);
        // What the prompt set chose is not the chat's load.
        QCOMPARE(m_window->traces().size(), 0);
        m_window->docks()->bringUp("routing");
        QVERIFY(m_window->docks()->views().routing->cellText(4, 3).contains("no tokens"));
    }

  private:
    /// Applies the shadow bias as it is now; true once it is the one that was asked for.
    bool applied(const QString& wanted) {
        m_window->chat()->setInterventions(nullptr);
        Q_EMIT m_window->docks()->views().bias->applyRequested();
        return m_window->pane()->changedRouting()->text().contains(wanted);
    }
};

QTEST_MAIN(AnalysisDocksTest)
#include "analysis_docks_test.moc"
