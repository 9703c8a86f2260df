// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/placement_view.h"

#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStandardItemModel>
#include <QTest>
#include <limits>

#include "engine/report/session_loads.h"
#include "views/formats.h"
#include "views/number_table.h"
#include "views/placement_chart.h"
#include "views/placement_form.h"
#include "views/placement_tables.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

constexpr auto kTargets = {PlacementTarget::Sglang, PlacementTarget::TensorRtLlm,
                           PlacementTarget::Vllm, PlacementTarget::VllmAscend,
                           PlacementTarget::Eplb};

RecordedLoads traffic(int blocks) {
    RecordedLoads loads;
    loads.layers = {3, 4};
    loads.format = kSessionLoads;
    for (int block = 0; block < blocks; ++block) {
        ExpertLoads& some = loads.blocks.emplace_back(ExpertLoads{2, 8, {}});
        for (int i = 0; i < 16; ++i) {
            some.values.push_back(100 / (1 + i % 8) + block % 3);
        }
    }
    return loads;
}

PlacementRequest request() {
    PlacementRequest out;
    out.shape = {12, 4, 1, 1};
    return out;
}

std::shared_ptr<const PlacementPlan> planFor(int blocks, const PlacementRequest& asked) {
    return std::make_shared<const PlacementPlan>(planForLoads(traffic(blocks), asked));
}

QString cell(const NumberTable* table, int row, int column) {
    return table->item(row, column)->text();
}

}  // namespace

class PlacementViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void theTargetsOwnBalanceIsOnTop();
    void everyMeasureHasItsDefinition();
    void gpuLoadsByKeyboardAndExactly();
    void aPlanWithoutABeforeHasOneBarForEachGpu();
    void costsFollowWhatIsKnown();
    void heldOutOnlyWithHalves();
    void sessionsAreNoServingTraffic();
    void nothingIsAMessage();
    void theFormFollowsTheTraffic();
    void theFormAsksForLayersOnlyWhereTheyAreNotKnown();
    void aGroupsNodesAreAskedForWhereTheyMatter();
    void theFormIsQuietWhileItFollows();

  private:
    void set(const std::shared_ptr<const PlacementPlan>& plan,
             PlacementTarget target = PlacementTarget::Sglang) {
        view->setPlan(plan, target);
    }
    QSpinBox* spin(const char* name) const { return form->findChild<QSpinBox*>(name); }

    std::unique_ptr<PlacementView> view;
    std::unique_ptr<PlacementForm> form;
};

void PlacementViewTest::init() {
    applyTheme(Theme::Light);
    view = std::make_unique<PlacementView>();
    view->resize(700, 700);
    view->show();
    form = std::make_unique<PlacementForm>();
    form->show();
}

void PlacementViewTest::cleanup() {
    view.reset();
    form.reset();
}

void PlacementViewTest::theTargetsOwnBalanceIsOnTop() {
    const auto plan = planFor(4, request());
    const std::pair<PlacementTarget, QString> names[] = {
        {PlacementTarget::Sglang, "SGLang balancedness"},
        {PlacementTarget::TensorRtLlm, "TensorRT-LLM imbalance"},
        {PlacementTarget::Vllm, "vLLM balancedness"},
        {PlacementTarget::VllmAscend, "vLLM balancedness"},
        {PlacementTarget::Eplb, "vLLM balancedness"}};
    for (const auto& [target, name] : names) {
        set(plan, target);
        QVERIFY2(view->headline().startsWith(name), qPrintable(view->headline()));
        QVERIFY(view->headline().contains(u'→'));
        const bool own = target != PlacementTarget::VllmAscend && target != PlacementTarget::Eplb;
        QCOMPARE(definesMeasure(target), own);
    }
}

void PlacementViewTest::everyMeasureHasItsDefinition() {
    set(planFor(4, request()));
    const NumberTable* table = view->measures();
    const auto measures = placementMeasures();
    QCOMPARE(table->rowCount(), static_cast<int>(measures.size()));
    for (int row = 0; row < table->rowCount(); ++row) {
        const PlacementMeasure& measure = measures[static_cast<std::size_t>(row)];
        QCOMPARE(cell(table, row, 0), measure.name);
        for (int column = 0; column < table->columnCount(); ++column) {
            QVERIFY(table->item(row, column)->toolTip().contains("sum") ||
                    table->item(row, column)->toolTip().contains("mean"));
        }
        const QString exact = table->exactText(u'\t').split(u'\n')[row + 1].split(u'\t')[2];
        QCOMPARE(exact.toDouble(), view->plan()->after.*measure.value);
    }
}

void PlacementViewTest::gpuLoadsByKeyboardAndExactly() {
    set(planFor(4, request()));
    PlacementChart* chart = view->chart();
    QSignalSpy hovered(view.get(), &PlacementView::hoverText);
    chart->setFocus();
    for (int gpu = 0; gpu < 4; ++gpu) {
        QTest::keyClick(chart, Qt::Key_Right);
        QCOMPARE(chart->pointedGpu(), gpu);
    }
    QTest::keyClick(chart, Qt::Key_Right);  // stays at the last one
    QCOMPARE(chart->pointedGpu(), 3);
    const PlacementPlan& plan = *view->plan();
    QCOMPARE(hovered.last().at(0).toString(), gpuLoadText(plan, 3));
    QVERIFY(
        gpuLoadText(plan, 3).contains(QString::number(plan.after.gpuLoads[3], 'g', 12).left(6)));
    QCOMPARE(gpuLoadText(plan, 4), QString());
    const QStringList lines = gpuLoadsText(plan, u',').trimmed().split(u'\n');
    QCOMPARE(lines.size(), 5);
    QVERIFY(lines[0].contains("\"in order, no copies\""));
    QCOMPARE(lines[2].split(u',')[2].toDouble(), plan.after.gpuLoads[1]);
}

void PlacementViewTest::aPlanWithoutABeforeHasOneBarForEachGpu() {
    PlacementRequest asked = request();
    asked.shape = {9, 3, 1, 1};
    set(planFor(4, asked));
    QVERIFY(!view->plan()->before);
    QVERIFY(!view->headline().contains(u'→'));
    QCOMPARE(cell(view->measures(), 0, 1), QString("–"));
    QCOMPARE(view->chart()->legend->itemCount(), 1);
    set(planFor(4, request()));
    QCOMPARE(view->chart()->legend->itemCount(), 2);
}

void PlacementViewTest::costsFollowWhatIsKnown() {
    PlacementRequest asked = request();
    set(planFor(4, asked));
    QCOMPARE(view->costs()->rowCount(), 2);
    QCOMPARE(cell(view->costs(), 1, 1), QString("not known"));
    asked.expertBytes = 1 << 20;
    asked.current = view->plan()->placement;
    asked.shape.slots = 16;
    set(planFor(4, asked));
    QCOMPARE(view->costs()->rowCount(), 4);
    QCOMPARE(cell(view->costs(), 1, 1), bytesText(8 << 20));
    QCOMPARE(view->costs()->item(2, 1)->text().toLongLong(), *view->plan()->moved);
    QVERIFY(cell(view->costs(), 3, 1).endsWith("MiB"));
    QCOMPARE(view->measures()->horizontalHeaderItem(1)->text(), QString("current"));
}

void PlacementViewTest::heldOutOnlyWithHalves() {
    set(planFor(1, request()));
    QVERIFY(!view->heldOut()->isVisible());
    QVERIFY(view->caveats().contains("one block"));
    set(planFor(6, request()));
    QVERIFY(view->heldOut()->isVisible());
    QCOMPARE(view->heldOut()->rowCount(), 2);
    QCOMPARE(cell(view->heldOut(), 0, 0), QString("Gatescope"));
    QCOMPARE(cell(view->heldOut(), 1, 0), QString("EPLB"));
    QVERIFY(cell(view->heldOut(), 0, 3).toDouble() > 0);
    set(planFor(3, request()));  // one block is held out
    QCOMPARE(cell(view->heldOut(), 0, 3), QString("–"));
    PlacementRequest eplb = request();
    eplb.policy = PlacementPolicy::Eplb;
    set(planFor(6, eplb));
    QCOMPARE(view->heldOut()->rowCount(), 1);
}

void PlacementViewTest::sessionsAreNoServingTraffic() {
    PlacementPlan plan = planForLoads(traffic(2), request());
    set(std::make_shared<const PlacementPlan>(plan));
    QVERIFY(view->caveats().contains("not serving traffic"));
    plan.fromSessions = false;
    set(std::make_shared<const PlacementPlan>(plan));
    QVERIFY(!view->caveats().contains("not serving traffic"));
    QVERIFY(view->caveats().contains("2 blocks"));
}

void PlacementViewTest::nothingIsAMessage() {
    view->setMessage("Choose a file first.");
    for (QLabel* label : view->findChildren<QLabel*>()) {
        QVERIFY(!label->isVisible() || label->text() == "Choose a file first.");
    }
    set(planFor(1, request()));
    QVERIFY(view->chart()->isVisible());
    set(nullptr);
    QVERIFY(!view->chart()->isVisible());
}

void PlacementViewTest::theFormFollowsTheTraffic() {
    form->setFacts(TrafficFacts{32, 4, true, 6, 98304, "5 layers"});
    PlacementInputs inputs = form->inputs();
    QCOMPARE(inputs.request.shape.slots, 40);  // one more for each of 8 GPUs
    QCOMPARE(inputs.request.shape.groups, 4);
    QCOMPARE(inputs.request.expertBytes, 98304);
    QCOMPARE(inputs.request.totalLayers, 6);
    spin("gpus")->setValue(7);
    QCOMPARE(form->inputs().request.shape.slots, 35);
    spin("redundant")->setValue(10);
    spin("gpus")->setValue(6);
    QCOMPARE(form->inputs().request.shape.slots, 42);  // as a person said
    form->setFacts(TrafficFacts{64, 8, true, 6, 1000, "other"});
    QCOMPARE(form->inputs().request.shape.slots, 74);
    QCOMPARE(form->inputs().request.shape.groups, 8);
    QCOMPARE(form->inputs().request.expertBytes, 1000);
    for (const PlacementTarget target : kTargets) {
        auto* box = form->findChild<QComboBox*>("target");
        box->setCurrentIndex(box->findData(static_cast<int>(target)));
        QCOMPARE(form->inputs().target, target);
    }
}

void PlacementViewTest::theFormAsksForLayersOnlyWhereTheyAreNotKnown() {
    auto* source = form->findChild<QComboBox*>("traffic");
    source->setCurrentIndex(static_cast<int>(PlacementInputs::Traffic::Recorded));
    form->setFacts(TrafficFacts{32, 1, true, 0, 0, "known"});
    QVERIFY(!spin("firstLayer")->isVisible());
    QCOMPARE(form->inputs().request.firstLayer, -1);
    form->setFacts(TrafficFacts{32, 1, false, 0, 0, "not known"});
    QVERIFY(spin("firstLayer")->isVisible());
    spin("firstLayer")->setValue(3);
    spin("totalLayers")->setValue(61);
    QCOMPARE(form->inputs().request.firstLayer, 3);
    QCOMPARE(form->inputs().request.totalLayers, 61);
}

void PlacementViewTest::aGroupsNodesAreAskedForWhereTheyMatter() {
    auto* stay = form->findChild<QCheckBox*>("stay");
    form->setFacts(TrafficFacts{32, 4, true, 6, 0, {}});
    QVERIFY(!stay->isEnabled());
    spin("nodes")->setValue(2);
    QVERIFY(stay->isEnabled());
    QVERIFY(!form->inputs().request.anyNode);
    stay->click();
    QVERIFY(form->inputs().request.anyNode);
    spin("nodes")->setValue(3);
    QVERIFY(!stay->isEnabled());
}

void PlacementViewTest::theFormIsQuietWhileItFollows() {
    QSignalSpy planned(form.get(), &PlacementForm::planChanged);
    QSignalSpy traffics(form.get(), &PlacementForm::trafficChanged);
    form->setFacts(TrafficFacts{32, 4, true, 6, 98304, {}});
    QCOMPARE(planned.count(), 0);
    spin("gpus")->setValue(4);
    QCOMPARE(planned.count(), 1);
    auto* source = form->findChild<QComboBox*>("traffic");
    source->setCurrentIndex(static_cast<int>(PlacementInputs::Traffic::Recorded));
    QCOMPARE(traffics.count(), 1);
    auto* loads = form->findChild<QLineEdit*>("loads");
    QTest::keyClicks(loads, "x.json");
    QTest::keyClick(loads, Qt::Key_Return);
    QCOMPARE(traffics.count(), 2);
    QTest::keyClick(loads, Qt::Key_Return);  // the same file
    QCOMPARE(traffics.count(), 2);
    QCOMPARE(form->inputs().loads, QString("x.json"));
    form->setChosenSessions(0);
    const auto* items = qobject_cast<QStandardItemModel*>(source->model());
    QVERIFY(!items->item(1)->isEnabled());
    form->setChosenSessions(3);
    QVERIFY(items->item(1)->isEnabled());
    QVERIFY(source->itemText(1).contains(u'3'));
}

QTEST_MAIN(PlacementViewTest)
#include "placement_view_test.moc"
