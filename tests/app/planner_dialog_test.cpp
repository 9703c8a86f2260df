// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/planner_dialog.h"

#include <QAction>
#include <QComboBox>
#include <QFile>
#include <QFileDialog>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMenuBar>
#include <QPushButton>
#include <QSpinBox>

#include "app/help_dialogs.h"
#include "app/notice_bar.h"
#include "app/window_actions.h"
#include "engine/report/placement_export.h"
#include "engine/session/session_store.h"
#include "tests/app/window_harness.h"
#include "views/number_table.h"
#include "views/placement_form.h"
#include "views/placement_view.h"
#include "views/session_list_view.h"

using namespace gatescope;

class PlannerDialogTest : public QObject, private WindowHarness {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { end(); }
    void plansWhatTheSessionRouted();
    void everyTargetsFileReadsBackAsThePlan();
    void whatCannotBeReadIsOneSentence();
    void aSidecarOfSomethingElseIsNotReplaced();
    void movesFromTheCurrentPlacement();
    void chosenSessionsOnly();
    void withTheKeyboardOnly();
    void closesWhileItPlans();

  private:
    PlannerDialog* planner() const { return m_window->planner(); }
    std::shared_ptr<const PlacementPlan> plan() const { return planner()->view()->plan(); }
    QSpinBox* spin(const char* name) const { return planner()->form()->findChild<QSpinBox*>(name); }
    void choose(const char* name, int index) const {
        planner()->form()->findChild<QComboBox*>(name)->setCurrentIndex(index);
    }
    void choose(PlacementTarget target) const {
        auto* box = planner()->form()->findChild<QComboBox*>("target");
        box->setCurrentIndex(box->findData(static_cast<int>(target)));
    }
    QString write(const QString& name, const QByteArray& bytes) const {
        QFile file(m_dir->filePath(name));
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size()) {
            qFatal("cannot write %s", qPrintable(name));
        }
        return file.fileName();
    }
    void readLoads(const QString& path) const {
        auto* edit = planner()->form()->findChild<QLineEdit*>("loads");
        edit->setText(path);
        edit->setModified(true);
        QTest::keyClick(edit, Qt::Key_Return);
    }
    void openPlanner() {
        m_window->actions()->planPlacement->trigger();
        QVERIFY(planner() != nullptr);
        QTRY_VERIFY_WITH_TIMEOUT(planner()->isVisible(), kPatience);
    }
    void openAfterAnswer() {
        open();
        ask("Hello");
        openPlanner();
        QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    }
};

void PlannerDialogTest::plansWhatTheSessionRouted() {
    openAfterAnswer();
    QCOMPARE(planner()->notice()->text(), QString());
    QCOMPARE(plan()->placement.experts, 32);
    QCOMPARE(plan()->placement.gpus, 8);
    QCOMPARE(plan()->placement.slots, 40);
    QCOMPARE(plan()->groups, 4);
    QCOMPARE(plan()->expertBytes, 3 * 256 * 64 * 2);  // of the demo model's config.json
    QVERIFY(plan()->fromSessions);
    QVERIFY(planner()->view()->caveats().contains("not serving traffic"));
    const QString headline = planner()->view()->headline();
    const double before = plan()->after.vllm;
    spin("gpus")->setValue(4);
    QVERIFY(!planner()->canSave());  // what is shown is no longer what is asked for
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QCOMPARE(plan()->placement.gpus, 4);
    QCOMPARE(plan()->placement.slots, 36);
    QCOMPARE(plan()->after.gpuLoads.size(), std::size_t{4});
    QVERIFY(plan()->after.vllm != before);
    QVERIFY(planner()->view()->headline() != headline);
    spin("redundant")->setValue(1);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->isVisible(), kPatience);
    QVERIFY(planner()->notice()->text().contains("33"));
    QVERIFY(plan() == nullptr);
    spin("redundant")->setValue(0);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QVERIFY(!planner()->notice()->isVisible());
}

void PlannerDialogTest::everyTargetsFileReadsBackAsThePlan() {
    openAfterAnswer();
    for (const PlacementTarget target :
         {PlacementTarget::TensorRtLlm, PlacementTarget::Vllm, PlacementTarget::VllmAscend,
          PlacementTarget::Eplb, PlacementTarget::Sglang}) {
        choose(target);
        QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
        const std::string_view id = name(target);
        const QString file =
            m_dir->filePath(QString::fromLatin1(id.data(), static_cast<qsizetype>(id.size())));
        planner()->saveTo(file);
        QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->text().contains(file), kPatience);
        QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
        QCOMPARE(readPlacementFile(file.toStdString(), plan()->layers, 32, 8, 1),
                 plan()->placement);
        QFile about(file + ".meta.json");
        QVERIFY(about.open(QIODevice::ReadOnly));
        QCOMPARE(about.readAll().toStdString(), placementJson(*plan(), false, 2) + "\n");
    }
    planner()->saveTo(m_dir->filePath("nowhere/p.json"));
    QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->text().contains("nowhere"), kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);  // the plan is still there
}

void PlannerDialogTest::whatCannotBeReadIsOneSentence() {
    make();
    openPlanner();  // nothing was ever recorded
    QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->isVisible(), kPatience);
    QVERIFY(!planner()->canSave());
    choose("traffic", static_cast<int>(PlacementInputs::Traffic::Recorded));
    QVERIFY(!planner()->notice()->isVisible());
    readLoads(write("bad.json", "[[1, 2], [3]]"));
    QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->isVisible(), kPatience);
    QVERIFY(planner()->notice()->text().contains("bad.json"));
    QVERIFY(!planner()->notice()->text().contains(u'\n'));
    QVERIFY(plan() == nullptr);
    // Which layers these are nobody says, and SGLang counts all.
    readLoads(write("good.json", "[[8, 1, 2, 4], [1, 6, 2, 2]]"));
    QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->text().contains("layers"), kPatience);
    spin("gpus")->setValue(2);
    spin("firstLayer")->setValue(3);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QCOMPARE(plan()->layers.layers, (std::vector<int>{3, 4}));
    QVERIFY(!plan()->fromSessions);
    QVERIFY(!planner()->notice()->isVisible());
}

void PlannerDialogTest::aSidecarOfSomethingElseIsNotReplaced() {
    openAfterAnswer();
    const QString other = write("p.json.meta.json", "mine");
    planner()->saveTo(m_dir->filePath("p.json"));
    QVERIFY(planner()->notice()->text().contains("p.json.meta.json"));
    QVERIFY(!QFile::exists(m_dir->filePath("p.json")));
    QFile file(other);
    QVERIFY(file.open(QIODevice::ReadOnly));
    QCOMPARE(file.readAll(), QByteArray("mine"));
}

void PlannerDialogTest::movesFromTheCurrentPlacement() {
    openAfterAnswer();
    const QString file = m_dir->filePath("now.json");
    planner()->saveTo(file);
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(file) && planner()->canSave(), kPatience);
    auto* current = planner()->form()->findChild<QLineEdit*>("current");
    QTest::keyClicks(current, file);
    QTest::keyClick(current, Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave() && plan()->beforeIsCurrent, kPatience);
    QCOMPARE(plan()->moved, std::optional<std::int64_t>(0));
    QCOMPARE(plan()->migrationBytes, std::optional<std::int64_t>(0));
    current->clear();
    QTest::keyClicks(current, write("no.json", "[[0]]"));
    QTest::keyClick(current, Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->notice()->text().contains("no.json"), kPatience);
    QVERIFY(plan() == nullptr);
}

void PlannerDialogTest::chosenSessionsOnly() {
    open();
    ask("Hello");
    m_window->chat()->newSession();
    ask("What is 12 + 5?");
    openPlanner();
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QCOMPARE(plan()->blocks, std::size_t{2});
    QVERIFY(plan()->heldOut.has_value());
    const double all = plan()->choices;
    auto* list = m_window->findChild<SessionListView*>();
    QTRY_COMPARE_WITH_TIMEOUT(list->shownCount(), 2, kPatience);
    list->list()->setCurrentIndex(list->list()->model()->index(0, 0));
    QCOMPARE(list->selected().size(), std::size_t{1});
    openPlanner();
    choose("traffic", static_cast<int>(PlacementInputs::Traffic::ChosenSessions));
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QCOMPARE(plan()->blocks, std::size_t{1});
    QVERIFY(!plan()->heldOut.has_value());
    QVERIFY(plan()->choices < all);
}

/// From the menu to the saved file.
void PlannerDialogTest::withTheKeyboardOnly() {
    open();
    ask("Hello");
    QTest::keyClick(m_window.get(), Qt::Key_E, Qt::ControlModifier | Qt::ShiftModifier);
    QTRY_VERIFY_WITH_TIMEOUT(planner() != nullptr && planner()->canSave(), kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->isActiveWindow(), kPatience);
    QTest::keyClick(planner(), Qt::Key_G, Qt::AltModifier);
    QTRY_COMPARE_WITH_TIMEOUT(planner()->focusWidget(), spin("gpus"), kPatience);
    QTest::keyClick(spin("gpus"), Qt::Key_A, Qt::ControlModifier);
    QTest::keyClicks(spin("gpus"), "4");
    QTest::keyClick(spin("gpus"), Qt::Key_Return);  // ends the input, saves nothing
    QVERIFY(planner()->findChild<QFileDialog*>() == nullptr);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave() && plan()->placement.gpus == 4, kPatience);
    // Every input and table is reached by Tab.
    QSet<QWidget*> reached;
    for (int i = 0; i < 40; ++i) {
        reached.insert(planner()->focusWidget());
        QTest::keyClick(planner()->focusWidget(), Qt::Key_Tab);
    }
    for (QWidget* widget : planner()->findChildren<QWidget*>()) {
        const bool input = qobject_cast<QSpinBox*>(widget) || qobject_cast<QComboBox*>(widget) ||
                           qobject_cast<QPushButton*>(widget) || qobject_cast<NumberTable*>(widget);
        if (input && widget->isVisible() && widget->isEnabled()) {
            QVERIFY2(reached.contains(widget), qPrintable(widget->objectName()));
        }
    }
    QTest::keyClick(planner(), Qt::Key_S, Qt::AltModifier);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->findChild<QFileDialog*>() != nullptr, kPatience);
    auto* where = planner()->findChild<QFileDialog*>();
    const QString file = m_dir->filePath("keys.json");
    auto* typed = where->findChild<QLineEdit*>("fileNameEdit");
    typed->setText(file);
    QTest::keyClick(typed, Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(file + ".meta.json"), kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QTest::keyClick(planner(), Qt::Key_Escape);
    QTRY_VERIFY_WITH_TIMEOUT(!planner()->isVisible(), kPatience);
    bool listed = false;
    for (const auto& [text, key] : m_window->actions()->keyTable()) {
        listed = listed || (text == "Plan expert placement" && key == "Ctrl+Shift+E");
    }
    QVERIFY(listed);
}

void PlannerDialogTest::closesWhileItPlans() {
    openAfterAnswer();
    spin("gpus")->setValue(16);
    planner()->close();
    openPlanner();
    QTRY_VERIFY_WITH_TIMEOUT(planner()->canSave(), kPatience);
    QCOMPARE(plan()->placement.gpus, 16);
    spin("gpus")->setValue(2);
    m_window.reset();  // with a plan to come
}

QTEST_MAIN(PlannerDialogTest)
#include "planner_dialog_test.moc"
