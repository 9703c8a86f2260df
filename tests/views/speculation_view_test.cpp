// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/speculation_view.h"

#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <cmath>
#include <limits>

#include "synthetic_routing.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/speculation_chart.h"
#include "views/speculation_pictures.h"
#include "views/speculation_plot.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

using Picture = SpeculationView::Picture;

constexpr std::int64_t kMs = 1000000;

StepTrace verifyStep(DraftSource source, int drafted, int accepted, std::int64_t ms) {
    StepTrace step;
    SpeculativeStep at;
    at.source = source;
    at.accepted = accepted;
    for (int i = 0; i < drafted; ++i) {
        at.drafts.push_back(
            {i, 0.5F, i <= accepted ? 0.6F : std::numeric_limits<float>::quiet_NaN()});
    }
    // Five MoE layers, 4 of 32.
    at.distinctExperts = {8, 7, 6, 5, static_cast<std::uint16_t>(4 * (drafted + 1))};
    at.wastedExperts.assign(5, accepted < drafted ? 2 : 0);
    step.speculation = at;
    step.timing.forwardNs = (ms - 1) * kMs;
    step.timing.draftNs = kMs;
    return step;
}

StepTrace plainStep(std::int64_t ms) {
    StepTrace step;
    step.tokens.resize(1);
    step.tokens.front().phase = Phase::Decode;
    step.timing.forwardNs = ms * kMs;
    return step;
}

SpeculationCounter counter() {
    return SpeculationCounter(demoShape(), [](std::int32_t id) {
        return id == 0 ? TokenClass::Word : TokenClass::Number;
    });
}

std::shared_ptr<const SpeculationValue> valueOf(const SpeculationCounter& counter) {
    return std::make_shared<const SpeculationValue>(counter.value());
}

/// One draft per step; every fifth is rejected.
std::shared_ptr<const SpeculationValue> drafts(int count) {
    SpeculationCounter all = counter();
    for (int i = 0; i < count; ++i) {
        all.add(verifyStep(DraftSource::Mtp, 1, i % 5 != 4 ? 1 : 0, 6));
    }
    return valueOf(all);
}

/// Both sources, depths 1 to 4, with plain steps.
std::shared_ptr<const SpeculationValue> mixed() {
    SpeculationCounter all = counter();
    for (int i = 0; i < 40; ++i) {
        all.add(plainStep(5));
        const int depth = i % 4 + 1;
        all.add(verifyStep(i % 2 == 0 ? DraftSource::Mtp : DraftSource::Lookup, depth,
                           (i / 4) % (depth + 1), 5 + depth));
    }
    return valueOf(all);
}

QString plain(QString text) {
    return text.replace(QChar(0x202F), u' ').replace(QChar(0xA0), u' ');
}

}  // namespace

class SpeculationViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup() {
        view.reset();
        selection.reset();
    }
    void setsWithIntervalAndN();
    void headlineSaysWhatIsNotMeasured();
    void stripShowsEveryDraft();
    void longRunsShareColumns();
    void hoverAndKeysTellTheStep();
    void positionsHaveTheirDenominators();
    void histogramAddsUp();
    void readsBesidePlainAndUniform();
    void gainAndBreakEven();
    void kindsOfToken();
    void picturesByKey();
    void states();
    void hiddenViewDoesNotCompute();

  private:
    NumberTable* table() const { return view->findChild<NumberTable*>(); }
    SpeculationChart* chart() const { return view->findChild<SpeculationChart*>(); }
    SpeculationPlot* plot() const { return view->findChild<SpeculationPlot*>(); }
    void show(Picture picture) {
        view->setPicture(picture);
        QApplication::processEvents();
        plot()->replot();
    }
    QStringList row(const QString& name) const {
        QStringList cells;
        for (int r = 0; r < table()->rowCount(); ++r) {
            if (table()->item(r, 0)->text() == name) {
                for (int c = 1; c < table()->columnCount(); ++c) {
                    cells += plain(table()->item(r, c)->text());
                }
            }
        }
        return cells;
    }

    std::unique_ptr<Selection> selection;
    std::unique_ptr<SpeculationView> view;
};

void SpeculationViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<SpeculationView>(selection.get());
    view->setState(SpeculationView::State::On);
    view->setRule(QStringLiteral("temperature 0.6"));
    view->setValue(drafts(50));
    view->resize(480, 440);
    view->show();
    QApplication::processEvents();
    chart()->replot();
}

void SpeculationViewTest::setsWithIntervalAndN() {
    QCOMPARE(row(QStringLiteral("drafted")),
             QStringList({"50", "50", "40", "80.0 %", "67.0–88.8 %", "1.80", "0.800"}));
    QCOMPARE(row(QStringLiteral("drafted by MTP")), row(QStringLiteral("drafted")));
    QVERIFY(row(QStringLiteral("drafted by lookup")).isEmpty());
    QVERIFY(view->message().isEmpty());
    QVERIFY(view->accessibleDescription().contains(QStringLiteral("40 of 50 drafts accepted")));
    view->setValue(mixed());
    QCOMPARE(row(QStringLiteral("drafted by lookup"))[0], QStringLiteral("20"));
    QCOMPARE(row(QStringLiteral("drafted 3"))[0], QStringLiteral("10"));
}

void SpeculationViewTest::headlineSaysWhatIsNotMeasured() {
    QVERIFY2(view->noteText().contains(QStringLiteral("not measured yet: no plain steps")),
             qPrintable(view->noteText()));
    view->setValue(mixed());
    QVERIFY2(view->noteText().contains(QStringLiteral("40 plain steps")),
             qPrintable(view->noteText()));
}

void SpeculationViewTest::stripShowsEveryDraft() {
    const ThemeColours colours = themeColours(view->palette());
    QCOMPARE(chart()->stepsPerCell(), 1);
    QImage image = chart()->grab().toImage();
    for (int step = 0; step < 50; ++step) {
        const QColor colour(image.pixel(chart()->pixelOfDraft(step).toPoint()));
        QCOMPARE(colour, step % 5 == 4 ? colours.rejected : colours.accepted);
    }
    // Two of three accepted; one of three, so that the last was not judged.
    SpeculationCounter all = counter();
    for (int i = 0; i < 10; ++i) {
        all.add(verifyStep(DraftSource::Lookup, 3, 2 - i % 2, 6));
    }
    view->setValue(valueOf(all));
    chart()->replot();
    image = chart()->grab().toImage();
    const auto at = [&](int step, int draft) {
        return QColor(image.pixel(chart()->pixelOfDraft(step, draft).toPoint()));
    };
    QCOMPARE(at(0, 0), colours.accepted);
    QCOMPARE(at(0, 1), colours.accepted);
    QCOMPARE(at(0, 2), colours.rejected);
    QCOMPARE(at(1, 0), colours.accepted);
    QCOMPARE(at(1, 1), colours.rejected);
    QCOMPARE(at(1, 2), colours.neutral);
}

void SpeculationViewTest::longRunsShareColumns() {
    view->setValue(drafts(5000));
    chart()->replot();
    QVERIFY(chart()->stepsPerCell() > 10);
    QVERIFY(chart()->stepsPerCell() < 100);
    QCOMPARE(row(QStringLiteral("drafted"))[1], QStringLiteral("5 000"));
}

void SpeculationViewTest::hoverAndKeysTellTheStep() {
    QSignalSpy hover(view.get(), &SpeculationView::hoverText);
    const auto last = [&] { return plain(hover.last().first().toString()); };
    QTest::mouseMove(chart(), chart()->pixelOfDraft(4).toPoint());
    QCOMPARE(last(),
             QStringLiteral("step 4 · MTP · rejected · 34 distinct experts, 10 wasted · 6.00 ms "
                            "· last 5 steps: τ 1.8"));
    QTest::mouseMove(chart(), chart()->pixelOfDraft(44).toPoint());
    QVERIFY(last().startsWith(QStringLiteral("step 44 · MTP · rejected")));
    QTest::keyClick(chart(), Qt::Key_Right);
    QVERIFY(last().startsWith(QStringLiteral("step 45 · MTP · accepted")));
    QTest::keyClick(chart(), Qt::Key_End);
    QVERIFY(last().startsWith(QStringLiteral("step 49 ·")));
    QTest::keyClick(chart(), Qt::Key_Home);
    QVERIFY(last().startsWith(QStringLiteral("step 0 ·")));
}

void SpeculationViewTest::positionsHaveTheirDenominators() {
    view->setValue(mixed());
    show(Picture::Positions);
    QVERIFY(view->noteText().contains(QStringLiteral("different depths")));
    // Ten steps of each depth ask for position 1; only those of depth 4 for position 4.
    QCOMPARE(row(QStringLiteral("1"))[1], QStringLiteral("40"));
    QCOMPARE(row(QStringLiteral("4"))[1], QStringLiteral("10"));
    // Depth 4: accepted 0, 1, 2, 3, 4 twice each.
    auto* sets = view->findChild<QComboBox*>(QStringLiteral("steps"));
    const int depth = sets->findData(4);
    QVERIFY(depth > 0);
    sets->setCurrentIndex(depth);
    Q_EMIT sets->activated(depth);
    QApplication::processEvents();
    QVERIFY(!view->noteText().contains(QStringLiteral("different depths")));
    QCOMPARE(row(QStringLiteral("4")),
             QStringList({"2", "10", "4", "20.0 %", "5.67–51.0 %", "50.0 %", "15.0–85.0 %"}));
}

void SpeculationViewTest::histogramAddsUp() {
    view->setValue(mixed());
    show(Picture::Histogram);
    int steps = 0;
    for (int r = 0; r < table()->rowCount(); ++r) {
        steps += table()->item(r, 1)->text().toInt();
    }
    QCOMPARE(steps, 40);
    QCOMPARE(table()->rowCount(), 5);
}

void SpeculationViewTest::readsBesidePlainAndUniform() {
    show(Picture::Reads);
    // One draft: four layers read 8, 7, 6, 5, the last one 8; (a + 1) k = 8 or 4 plainly.
    const QStringList first = row(QStringLiteral("1"));
    QVERIFY(!first.isEmpty());
    QCOMPARE(first[0], QStringLiteral("8.00"));
    QCOMPARE(first[1], QStringLiteral("7.20"));
    QCOMPARE(first[2], QStringLiteral("1.11×"));
    QCOMPARE(first[3], QStringLiteral("7.50"));  // 32 (1 - (7/8)^2)
    QCOMPARE(first[4], QStringLiteral("0.400"));
    QCOMPARE(first.last(), QStringLiteral("50"));
    QSignalSpy changed(selection.get(), &Selection::changed);
    plot()->setFocus();
    QTest::keyClick(plot(), Qt::Key_Home);
    QTest::keyClick(plot(), Qt::Key_Return);
    QCOMPARE(selection->layer(), std::optional(demoShape().layers.front()));
    QTest::mouseClick(plot(), Qt::LeftButton, {}, plot()->pixelOf(2).toPoint());
    QCOMPARE(selection->layer(), std::optional(demoShape().layers[2]));
}

void SpeculationViewTest::gainAndBreakEven() {
    show(Picture::Gain);
    QVERIFY(view->noteText().contains(QStringLiteral("no plain steps")));
    QVERIFY(row(QStringLiteral("plain")).isEmpty());
    view->setValue(mixed());
    const QStringList plainRow = row(QStringLiteral("plain"));
    QCOMPARE(plainRow[0], QStringLiteral("40"));
    QCOMPARE(plainRow[2], QStringLiteral("200"));
    // Depth 1 by MTP: 6 ms in all, 1 of them drafting, 5 ms a plain step: c_d 0.2, v 1.
    const QStringList one = row(QStringLiteral("MTP 1"));
    QCOMPARE(one[8], QStringLiteral("0.200"));
    QCOMPARE(one[9], QStringLiteral("1.00"));
    QCOMPARE(one[1], QStringLiteral("1.50"));
    QCOMPARE(one[3], QStringLiteral("+25.0 %"));
    QCOMPARE(one[11], QStringLiteral("20.0 %"));
    QVERIFY(view->noteText().contains(QStringLiteral("breaks even at")));
}

void SpeculationViewTest::kindsOfToken() {
    show(Picture::Classes);
    QCOMPARE(row(QStringLiteral("words")), QStringList({"40", "50", "80.0 %", "67.0–88.8 %"}));
    QCOMPARE(table()->rowCount(), 1);
    SpeculationCounter unknown(demoShape());
    unknown.add(verifyStep(DraftSource::Mtp, 1, 1, 5));
    view->setValue(valueOf(unknown));
    QVERIFY(!table()->isVisible());
    QVERIFY(!plot()->isVisible());
}

void SpeculationViewTest::picturesByKey() {
    view->setValue(mixed());
    QSignalSpy hover(view.get(), &SpeculationView::hoverText);
    for (const Picture picture : {Picture::Positions, Picture::Histogram, Picture::Reads,
                                  Picture::Gain, Picture::Classes}) {
        show(picture);
        QTest::keyClick(plot(), Qt::Key_End);
        QVERIFY(!hover.last().first().toString().isEmpty());
        QTest::keyClick(plot(), Qt::Key_Home);
        QCOMPARE(hover.last().first().toString(), plot()->textOf(0));
        QVERIFY(view->tableText(u',').count(u'\n') >= 2);
    }
}

void SpeculationViewTest::states() {
    using State = SpeculationView::State;
    view->setState(State::Off);
    QVERIFY(view->noteText().contains(QStringLiteral("Speculation is off; these are the drafts")));
    QVERIFY(chart()->isVisible());
    view->setValue(nullptr);
    QVERIFY(view->message().contains(QStringLiteral("Switch it on")));
    QVERIFY(!chart()->isVisible());
    view->setState(State::NoModule);
    QVERIFY(view->message().contains(QStringLiteral("no MTP layer")));
    QVERIFY(view->message().contains(QStringLiteral("lookup")));
    view->setState(State::On);
    QVERIFY(view->message().contains(QStringLiteral("Ask something")));
    view->setState(State::NoModel);
    QVERIFY(view->message().contains(QStringLiteral("No model is open")));
    view->setState(State::On);
    view->setValue(drafts(0));
    QVERIFY(!chart()->isVisible());
}

void SpeculationViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 10; ++i) {
        view->setValue(drafts(i));
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
}

QTEST_MAIN(SpeculationViewTest)
#include "speculation_view_test.moc"
