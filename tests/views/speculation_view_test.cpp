// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_view.h"

#include <QApplication>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>

#include "synthetic_routing.h"
#include "views/number_table.h"
#include "views/speculation_chart.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

/// Every fifth draft is rejected; 25 distinct experts in every step.
std::shared_ptr<const SpeculationValue> drafts(int count) {
    std::vector<DraftOutcome> list(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < list.size(); ++i) {
        list[i].accepted = i % 5 != 4;
        list[i].distinctExperts = 25;
    }
    return std::make_shared<const SpeculationValue>(
        speculationStats(std::span<const DraftOutcome>(list)));
}

}  // namespace

class SpeculationViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup() { view.reset(); }
    void numbersWithIntervalAndN();
    void distinctExpertsWithTheirNull();
    void stripShowsEveryDraft();
    void longRunsShareCells();
    void hoverTellsTheStep();
    void severalDraftsPerStep();
    void states();
    void hiddenViewDoesNotCompute();

  private:
    NumberTable* table() const { return view->findChild<NumberTable*>(); }
    SpeculationChart* chart() const { return view->findChild<SpeculationChart*>(); }
    QStringList row(const QString& name) const {
        QStringList cells;
        for (int r = 0; r < table()->rowCount(); ++r) {
            if (table()->item(r, 0)->text() == name) {
                for (int c = 1; c < table()->columnCount(); ++c) {
                    cells += table()->item(r, c)->text().replace(QChar(0x202F), u' ');
                }
            }
        }
        return cells;
    }

    std::unique_ptr<SpeculationView> view;
};

void SpeculationViewTest::init() {
    view = std::make_unique<SpeculationView>();
    view->setState(SpeculationView::State::On);
    view->setValue(drafts(50), demoShape());
    view->resize(480, 440);
    view->show();
    QApplication::processEvents();
    chart()->replot();
}

void SpeculationViewTest::numbersWithIntervalAndN() {
    QCOMPARE(row(QStringLiteral("Accepted of drafted"))[0], QStringLiteral("40 / 50"));
    QCOMPARE(row(QStringLiteral("Acceptance rate")), QStringList({"80.0 %", "67.0–88.8 %", "50"}));
    QCOMPARE(row(QStringLiteral("Acceptance length τ")), QStringList({"1.80", "", "50"}));
    QCOMPARE(row(QStringLiteral("… without the bonus")), QStringList({"0.800", "", "50"}));
    QVERIFY(view->message().isEmpty());
    QVERIFY(view->accessibleDescription().contains(QStringLiteral("40 of 50 drafts accepted")));
}

void SpeculationViewTest::distinctExpertsWithTheirNull() {
    // Five MoE layers, 4 of 32: one token reads 20; two uniform ones 5 * 32 * (1 - (7/8)^2) = 37.5.
    QCOMPARE(row(QStringLiteral("Distinct experts per step"))[0], QStringLiteral("25.0"));
    QCOMPARE(row(QStringLiteral("… to those of one token"))[0], QStringLiteral("1.25×"));
    QCOMPARE(row(QStringLiteral("… under a uniform router"))[0], QStringLiteral("1.88×"));
    view->setValue(drafts(50), RoutingShape{});  // no shape, no null
    QVERIFY(row(QStringLiteral("Distinct experts per step")).isEmpty());
}

void SpeculationViewTest::stripShowsEveryDraft() {
    QCOMPARE(chart()->stepsPerCell(), 1);
    const QImage image = chart()->grab().toImage();
    const ThemeColours colours = themeColours(view->palette());
    for (int step = 0; step < 50; ++step) {
        const QColor colour(image.pixel(chart()->pixelOfStep(step).toPoint()));
        QCOMPARE(colour, step % 5 == 4 ? colours.rejected : colours.accepted);
    }
}

void SpeculationViewTest::longRunsShareCells() {
    view->setValue(drafts(5000), demoShape());
    chart()->replot();
    QVERIFY(chart()->stepsPerCell() > 10);
    QVERIFY(chart()->stepsPerCell() < 100);
    QCOMPARE(row(QStringLiteral("Acceptance rate"))[2], QStringLiteral("5 000"));
}

void SpeculationViewTest::hoverTellsTheStep() {
    QSignalSpy hover(view.get(), &SpeculationView::hoverText);
    QTest::mouseMove(chart(), chart()->pixelOfStep(4).toPoint());
    QCOMPARE(hover.last().first().toString().replace(QChar(0x202F), u' '),
             QStringLiteral("step 4 · rejected · last 5 steps 80.0 % · 25 distinct experts"));
    QTest::mouseMove(chart(), chart()->pixelOfStep(44).toPoint());
    QVERIFY(hover.last().first().toString().startsWith(
        QStringLiteral("step 44 · rejected · last 32 steps")));
}

void SpeculationViewTest::severalDraftsPerStep() {
    const std::vector<VerifyStep> steps{{3, 3, 0}, {3, 0, 0}, {3, 1, 0}, {3, 3, 0}};
    view->setValue(std::make_shared<const SpeculationValue>(
                       speculationStats(std::span<const VerifyStep>(steps))),
                   demoShape());
    QCOMPARE(row(QStringLiteral("… at position 1"))[0], QStringLiteral("75.0 %"));
    QCOMPARE(row(QStringLiteral("… at position 2")).last(), QStringLiteral("3"));
    QVERIFY(row(QStringLiteral("Distinct experts per step")).isEmpty());  // not recorded
}

void SpeculationViewTest::states() {
    using State = SpeculationView::State;
    view->setState(State::NoModule);
    QVERIFY(view->message().contains(QStringLiteral("no MTP layer")));
    QVERIFY(!chart()->isVisible());
    view->setState(State::Off);
    QVERIFY(view->message().contains(QStringLiteral("Speculation is off; these are the drafts")));
    QVERIFY(chart()->isVisible());
    view->setValue(nullptr, {});
    QVERIFY(view->message().contains(QStringLiteral("Switch MTP on")));
    QVERIFY(!chart()->isVisible());
    view->setState(State::On);
    QVERIFY(view->message().contains(QStringLiteral("Ask something")));
    view->setState(State::NoModel);
    QVERIFY(view->message().contains(QStringLiteral("No model is open")));
    view->setState(State::On);
    view->setValue(drafts(0), demoShape());
    QVERIFY(!chart()->isVisible());
}

void SpeculationViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 10; ++i) {
        view->setValue(drafts(i), demoShape());
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
}

QTEST_MAIN(SpeculationViewTest)
#include "speculation_view_test.moc"
