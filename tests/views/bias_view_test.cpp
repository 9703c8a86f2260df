// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_view.h"

#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabWidget>
#include <QTest>
#include <cmath>
#include <random>

#include "tests/views/synthetic_routing.h"
#include "views/bias_chart.h"
#include "views/bias_drift_text.h"
#include "views/bias_time_chart.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

using Biases = std::vector<std::vector<float>>;

Biases syntheticBiases(const RoutingShape& shape) {
    Biases out(shape.layers.size() + 1);
    for (std::size_t row = 0; row < out.size(); ++row) {
        for (int e = 0; e < shape.experts; ++e) {
            const double wave = std::sin(0.9 * e + static_cast<double>(row));
            out[row].push_back(static_cast<float>(0.5 + 0.08 * wave));
        }
    }
    return out;
}

/// Tokens with affinities that prefer low experts a little.
std::vector<RoutedToken> syntheticTokens(const RoutingShape& shape, int count) {
    std::mt19937 random(9);
    std::vector<RoutedToken> out;
    for (int t = 0; t < count; ++t) {
        RoutedToken token = mainToken(shape, t % 7, Phase::Decode, t);
        std::vector<float> scores;
        for (std::size_t i = 0; i < shape.layers.size() * static_cast<std::size_t>(shape.experts);
             ++i) {
            scores.push_back(static_cast<float>(random() % 4096) / 4096.0F);
        }
        token.routing.scores = std::make_shared<const std::vector<float>>(std::move(scores));
        out.push_back(std::move(token));
    }
    return out;
}

BiasHistory demoHistory(const RoutingShape& shape) {
    return readBiasHistory(GATESCOPE_DEMO_MODEL_DIR, shape).value();
}

BiasViewValue filledValue() {
    BiasViewValue value;
    const RouterBiases model = readRouterBiases(GATESCOPE_DEMO_MODEL_DIR);
    value.shape = model.shape;
    value.biasByRow = model.byRow;
    BiasCounter counter(value.shape, value.biasByRow);
    ShadowBias shadow(value.shape, value.biasByRow, {0.001, 10});
    for (const RoutedToken& token : syntheticTokens(value.shape, 205)) {
        counter.add(token, false);
        shadow.add(token, false);
    }
    value.diagnostics = std::make_shared<const BiasDiagnostics>(counter.value());
    value.shadow = std::make_shared<const ShadowValue>(shadow.value());
    value.history = std::make_shared<const BiasHistory>(demoHistory(value.shape));
    value.checkpoint = std::make_shared<const BiasDrift>(
        biasDrift(value.shape, syntheticBiases(value.shape), value.biasByRow));
    value.checkpointLabel = QStringLiteral("other<b>\u202Emodel");
    return value;
}

}  // namespace

class BiasViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();
    void everyKindIsNamedOnItsAxis();
    void notesSayWhatIsSeen();
    void historyHasALineForEachExpert();
    void biasWithoutItsMean();
    void sortedByBias();
    void driftPerExpertInTheTable();
    void tableHasEveryLayerAndTheMtpLayer();
    void exactValueOnHoverAndByKeyboard();
    void clickSelectsTheExpert();
    void selectionChoosesTheLayer();
    void shadowControls();
    void appliedIsLabelledAndOneClickGoesBack();
    void applyOnlyWhenThereIsSomething();
    void compareAsksForACheckpoint();
    void untrustedLabelsAreShownAsText();
    void emptyStates();
    void hiddenViewDoesNotCompute();
    void fullSize();

  private:
    void set(const BiasViewValue& next) {
        view->setValue(std::make_shared<const BiasViewValue>(next));
    }
    BiasChart* bars() const { return view->findChild<BiasChart*>(); }
    BiasTimeChart* timeChart() const { return view->findChild<BiasTimeChart*>(); }
    NumberTable* table() const { return view->findChild<NumberTable*>(); }
    QCheckBox* box(const QString& text) const {
        for (QCheckBox* candidate : view->findChildren<QCheckBox*>()) {
            if (candidate->text() == text) {
                return candidate;
            }
        }
        return nullptr;
    }
    QPushButton* button(const QString& start) const {
        for (QPushButton* candidate : view->findChildren<QPushButton*>()) {
            if (candidate->text().startsWith(start)) {
                return candidate;
            }
        }
        return nullptr;
    }
    QString labels() const {
        QString text;
        for (const QLabel* label : view->findChildren<QLabel*>()) {
            if (label->isVisibleTo(view.get())) {
                text += label->text() + u'\n';
            }
        }
        return text.replace(QChar(0x202F), u' ').replace(QChar(0xA0), u' ');
    }
    void showBars(BiasDriftKind kind) {
        view->setKind(kind);
        box(kind == BiasDriftKind::Shadow ? QStringLiteral("Over batches")
                                          : QStringLiteral("Over time"))
            ->setChecked(false);
        QApplication::processEvents();
    }

    BiasViewValue value;
    std::unique_ptr<Selection> selection;
    std::unique_ptr<BiasView> view;
};

void BiasViewTest::initTestCase() {
    applyTheme(Theme::Light);
    value = filledValue();
}

void BiasViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<BiasView>(selection.get());
    set(value);
    view->resize(420, 420);
    view->show();
    QApplication::processEvents();
}

void BiasViewTest::cleanup() {
    view.reset();
    selection.reset();
}

void BiasViewTest::everyKindIsNamedOnItsAxis() {
    BiasViewValue all = value;
    all.applied = value.checkpoint;
    set(all);
    QStringList titles;
    for (const auto kind : {BiasDriftKind::TrainingHistory, BiasDriftKind::Shadow,
                            BiasDriftKind::Applied, BiasDriftKind::Checkpoint}) {
        view->setKind(kind);
        QCOMPARE(view->findChild<QComboBox*>()->currentText(), kindName(kind));
        if (bars()->isVisible()) {
            QCOMPARE(bars()->driftTitle(), kindAxis(kind));
            titles += bars()->driftTitle();
        } else {
            titles += timeChart()->biasTitle();
        }
    }
    titles.removeDuplicates();
    QCOMPARE(titles.size(), 4);
    QVERIFY(titles.contains(QStringLiteral("shadow bias − mean")));
    QVERIFY(titles.contains(QStringLiteral("trained bias − mean")));
    QVERIFY(titles.contains(QStringLiteral("applied drift")));
}

void BiasViewTest::notesSayWhatIsSeen() {
    view->setKind(BiasDriftKind::Shadow);
    QVERIFY2(labels().contains(QStringLiteral("n 200 tokens in 20 batches")), qPrintable(labels()));
    QVERIFY(labels().contains(QStringLiteral("the run does not change")));
    view->setKind(BiasDriftKind::TrainingHistory);
    QVERIFY2(labels().contains(QStringLiteral("170 snapshots")), qPrintable(labels()));
    QVERIFY(labels().contains(QStringLiteral("It ends with the bias the model has.")));
    view->setKind(BiasDriftKind::Applied);
    QVERIFY(labels().contains(QStringLiteral("nothing is applied")));
    QVERIFY(bars()->driftTitle().isEmpty());
    BiasViewValue other = value;
    other.biasByRow[0][3] += 0.5F;
    other.history = nullptr;
    other.historyProblem = QStringLiteral("bias-history.safetensors: bias: the tensor is missing");
    set(other);
    view->setKind(BiasDriftKind::TrainingHistory);
    QVERIFY(labels().contains(other.historyProblem));
    other.history = value.history;
    other.historyProblem.clear();
    set(other);
    QVERIFY(labels().contains(QStringLiteral("The model's bias is another one: up to 0.5")));
}

void BiasViewTest::historyHasALineForEachExpert() {
    view->setKind(BiasDriftKind::TrainingHistory);
    QVERIFY(timeChart()->isVisible());
    QCOMPARE(timeChart()->lines(), 32);
    selection->setLayer(3);
    const BiasHistory& history = *value.history;
    double mean = 0;
    const auto last = history.biasAt(169, 2);
    for (const float b : last) {
        mean += static_cast<double>(b) / 32;
    }
    const QCPGraph* line = timeChart()->graph(3);  // after highlight, cursor and load: expert 0
    const auto end = line->data()->constEnd() - 1;
    QCOMPARE(end->key, static_cast<double>(history.steps.back()));
    QVERIFY(std::abs(end->value - (static_cast<double>(last[0]) - mean)) < 1e-9);
}

void BiasViewTest::biasWithoutItsMean() {
    const QStringList lines = view->expertText(u',').split(u'\n');
    QCOMPARE(lines.size(), 34);
    double sum = 0;
    for (int e = 0; e < 32; ++e) {
        const QStringList fields = lines[e + 1].split(u',');
        QCOMPARE(fields[0], QStringLiteral("1"));
        QCOMPARE(fields[2].toFloat(), value.biasByRow[0][static_cast<std::size_t>(e)]);
        sum += fields[3].toDouble();
    }
    QVERIFY(std::abs(sum) < 1e-9);
}

void BiasViewTest::sortedByBias() {
    showBars(BiasDriftKind::Shadow);
    box(QStringLiteral("Sorted"))->setChecked(true);
    const auto* series = qobject_cast<QCPBars*>(bars()->plottable(0));
    QCOMPARE(series->dataCount(), 32);
    double before = 1e9;
    for (const QCPBarsData& bar : *series->data()) {
        QVERIFY(bar.value <= before);
        before = bar.value;
    }
}

void BiasViewTest::driftPerExpertInTheTable() {
    view->setKind(BiasDriftKind::Shadow);
    const QString text = view->expertText(u',');
    QVERIFY(text.startsWith(QStringLiteral("layer,expert,bias,bias − mean,Shadow (would-be)\n")));
    const std::vector<double> expected = centred(value.shadow->rows[0].delta);
    QCOMPARE(text.split(u'\n')[6].split(u',')[4].toDouble(), expected[5]);
    view->setKind(BiasDriftKind::Checkpoint);
    QVERIFY(view->expertText(u',').contains(QStringLiteral("Between checkpoints")));
}

void BiasViewTest::tableHasEveryLayerAndTheMtpLayer() {
    QCOMPARE(table()->rowCount(), 6);
    QCOMPARE(table()->item(5, 0)->text(), QStringLiteral("6 (MTP)"));
    QCOMPARE(table()->item(0, 1)->text(), QStringLiteral("205"));
    QCOMPARE(table()->item(5, 1)->text(), QStringLiteral("0"));
    QCOMPARE(table()->item(5, 2)->text(), QString(QChar(0x2013)));  // nothing known of it
    const BiasRowDiagnostics& row = value.diagnostics->rows[0];
    const QStringList fields = view->tableText(u',').split(u'\n')[1].split(u',');
    QCOMPARE(fields[2].toDouble(), row.biasDecided);
    QCOMPARE(fields[5].toDouble(), row.affinityCost);
    QCOMPARE(fields[6].toDouble(), row.balanceGain);
    QVERIFY(table()->item(0, 5)->toolTip().contains(QStringLiteral("can be negative")));
}

void BiasViewTest::exactValueOnHoverAndByKeyboard() {
    showBars(BiasDriftKind::Shadow);
    bars()->replot();
    QSignalSpy hover(view.get(), &BiasView::hoverText);
    QTest::mouseMove(bars(), bars()->pixelOfBar(4).toPoint());
    const QString text = hover.last().first().toString();
    QVERIFY2(text.startsWith(QStringLiteral("layer 1 · expert 4 · bias ")), qPrintable(text));
    QVERIFY(text.contains(QStringLiteral("shadow drift")));
    QTest::keyClick(bars(), Qt::Key_Right);
    QVERIFY(hover.last().first().toString().contains(QStringLiteral("expert 5")));
    QTest::keyClick(bars(), Qt::Key_Return);
    QCOMPARE(selection->expert(), std::optional(5));

    view->setKind(BiasDriftKind::TrainingHistory);
    box(QStringLiteral("Over time"))->setChecked(true);
    timeChart()->replot();
    QTest::keyClick(timeChart(), Qt::Key_Right);
    QString at = hover.last().first().toString();
    QVERIFY2(at.contains(QStringLiteral("expert 5 · training step")), qPrintable(at));
    QTest::keyClick(timeChart(), Qt::Key_Up);
    QVERIFY(hover.last().first().toString().contains(QStringLiteral("expert 6")));
    QTest::mouseMove(timeChart(), timeChart()->pixelOf(2, 100).toPoint());
    at = hover.last().first().toString();
    QVERIFY2(at.contains(QStringLiteral("MaxVio")), qPrintable(at));
}

void BiasViewTest::clickSelectsTheExpert() {
    showBars(BiasDriftKind::Shadow);
    bars()->replot();
    QTest::mouseClick(bars(), Qt::LeftButton, {}, bars()->pixelOfBar(9).toPoint());
    QCOMPARE(selection->expert(), std::optional(9));
    QCOMPARE(selection->layer(), std::optional(1));
}

void BiasViewTest::selectionChoosesTheLayer() {
    selection->setLayer(6);
    QVERIFY(view->expertText().contains(QStringLiteral("6 (MTP)")));
    table()->setCurrentCell(1, 0);
    QCOMPARE(selection->layer(), std::optional(2));
    QVERIFY(view->expertText().contains(QStringLiteral("\n2\t0\t")));
    selection->setLayer(0);  // dense: the layer last seen stays
    QVERIFY(view->expertText().contains(QStringLiteral("\n2\t0\t")));
}

void BiasViewTest::shadowControls() {
    QSignalSpy changed(view.get(), &BiasView::shadowParamsChanged);
    view->setShadowParams({0.01, 32, true});
    QCOMPARE(changed.size(), 0);
    QVERIFY((view->shadowParams() == ShadowParams{0.01, 32, true}));
    view->findChild<QSpinBox*>()->setValue(50);
    view->findChild<QDoubleSpinBox*>()->setValue(0.002);
    box(QStringLiteral("Mean-centred"))->setChecked(false);
    QCOMPARE(changed.size(), 3);
    QVERIFY((changed.last().first().value<ShadowParams>() == ShadowParams{0.002, 50, false}));
}

void BiasViewTest::appliedIsLabelledAndOneClickGoesBack() {
    QSignalSpy reset(view.get(), &BiasView::resetRequested);
    QVERIFY(!labels().contains(QStringLiteral("applied bias:")));
    BiasViewValue applied = value;
    applied.applied = value.checkpoint;
    applied.appliedLabel = QStringLiteral("shadow of 200 tokens");
    set(applied);
    const QString wanted = QStringLiteral("The model runs with an applied bias: shadow of 200");
    QVERIFY(labels().contains(wanted));
    for (const auto kind : {BiasDriftKind::Shadow, BiasDriftKind::Checkpoint}) {
        view->setKind(kind);
        QVERIFY(labels().contains(wanted));
    }
    QVERIFY(view->expertText().contains(wanted));
    QVERIFY(view->tableText().contains(wanted));
    button(QStringLiteral("Back to"))->click();
    QCOMPARE(reset.size(), 1);
}

void BiasViewTest::applyOnlyWhenThereIsSomething() {
    QSignalSpy apply(view.get(), &BiasView::applyRequested);
    view->setKind(BiasDriftKind::Shadow);
    button(QStringLiteral("Apply"))->click();
    QCOMPARE(apply.size(), 1);
    BiasViewValue early = value;
    const ShadowBias nothing(value.shape, value.biasByRow, {0.001, 10});
    early.shadow = std::make_shared<const ShadowValue>(nothing.value());
    set(early);
    QVERIFY(!button(QStringLiteral("Apply"))->isEnabled());
    QVERIFY(labels().contains(QStringLiteral("no batch is full yet, 0 of 10 tokens")));
}

void BiasViewTest::compareAsksForACheckpoint() {
    QSignalSpy compare(view.get(), &BiasView::checkpointRequested);
    view->setKind(BiasDriftKind::Checkpoint);
    button(QStringLiteral("Compare"))->click();
    QCOMPARE(compare.size(), 1);
}

void BiasViewTest::untrustedLabelsAreShownAsText() {
    view->setKind(BiasDriftKind::Checkpoint);
    QVERIFY2(labels().contains(QStringLiteral("other<b>\\u202Emodel minus this model")),
             qPrintable(labels()));
}

void BiasViewTest::emptyStates() {
    view->setValue(nullptr);
    QVERIFY(labels().contains(QStringLiteral("No model is open.")));
    BiasViewValue without;
    without.shape = demoShape();
    without.shape.hasBias = false;
    set(without);
    QVERIFY(labels().contains(QStringLiteral("no correction bias")));
    BiasViewValue fresh;
    fresh.shape = value.shape;
    fresh.biasByRow = value.biasByRow;
    set(fresh);
    view->setKind(BiasDriftKind::Shadow);
    QVERIFY(labels().contains(QStringLiteral("Ask something")));
    QCOMPARE(table()->rowCount(), 0);
    fresh.biasByRow.pop_back();  // does not fit: no picture rather than a wrong one
    set(fresh);
    QVERIFY(labels().contains(QStringLiteral("no correction bias")));
}

void BiasViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 10; ++i) {
        set(value);
    }
    selection->setLayer(4);
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
    QVERIFY(view->expertText().contains(QStringLiteral("\n4\t0\t")));
}

void BiasViewTest::fullSize() {
    BiasViewValue full;
    full.shape = fullShape();
    full.biasByRow = syntheticBiases(full.shape);
    full.checkpoint = std::make_shared<const BiasDrift>(
        biasDrift(full.shape, full.biasByRow, Biases(59, std::vector<float>(256, 0.0F))));
    set(full);
    view->setKind(BiasDriftKind::Checkpoint);
    QCOMPARE(view->expertText().count(u'\n'), 257);
    set(value);  // and back to a small one
    QCOMPARE(view->expertText().count(u'\n'), 33);
}

QTEST_MAIN(BiasViewTest)
#include "bias_view_test.moc"
