// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/interventions_view.h"

#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTest>
#include <QTextEdit>
#include <cmath>

#include "engine/error.h"
#include "tests/views/synthetic_routing.h"
#include "views/intervention_chart.h"
#include "views/interventions_composer.h"
#include "views/number_table.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

std::shared_ptr<const InterventionEffect> effectOf(int positions) {
    auto effect = std::make_shared<InterventionEffect>();
    effect->description = "top-k 2 in all MoE layers";
    effect->interventions.layers = {{.layer = 1, .topK = 2}};
    for (int t = 0; t < positions; ++t) {
        PositionEffect at;
        at.position = 10 + t;
        at.token = 300 + t;
        at.bytes = t == 3 ? "\xE2\x80\xAE<b>" : " the";
        at.kl = t == 5 ? 1.25 : 0.01 * (t % 7);
        at.topBefore = 40;
        at.topAfter = t % 4 == 1 ? 41 : 40;
        at.topBeforeBytes = " cat";
        at.topAfterBytes = at.topChanged() ? " dog" : " cat";
        at.topBeforeProbability = 0.5F;
        at.topAfterProbability = 0.25F;
        if (t + 1 < positions) {
            at.nextBefore = 0.5;
            at.nextAfter = 0.125;
        }
        effect->topChanged += at.topChanged() ? 1 : 0;
        effect->positions.push_back(at);
    }
    effect->meanKl = 0.0521;
    effect->maxKl = 1.25;
    effect->maxKlPosition = 15;
    for (const int layer : demoShape().layers) {
        effect->layers.push_back({layer, layer == 1, layer == 1 ? 0.25 : 0.125, 160});
    }
    effect->textBefore = " there was a little girl named Lily. She loved to play outside.";
    effect->textAfter = " there was a big dog. <b>He</b> ran and ran.";
    effect->commonBytes = 13;
    effect->idsBefore = {1, 2, 3, 4, 5, 6};
    effect->idsAfter = {1, 2, 3, 9, 9};
    effect->firstDifference = 3;
    return effect;
}

}  // namespace

class InterventionsViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup();
    void emptyStates();
    void composesForAllASelectedAndTypedLayers();
    void wrongCompositionsSayWhyWhileTheyAreTyped();
    void removingAndClearing();
    void whatOthersNeedCannotBeRemoved();
    void composedFromElsewhere();
    void selectionFillsTheField();
    void buttonsAskForWhatIsComposed();
    void activeRunIsAlwaysLabelled();
    void busyIsShownAndCanBeStopped();
    void effectInNumbers();
    void chartByPointerAndKeyboard();
    void manyPositionsShareBars();
    void textsMarkWhatDiffers();
    void modelTextIsOnlyText();
    void exportsAreLabelled();
    void numbersAndRanges();
    void anotherModelForgetsEverything();
    void hiddenViewDoesNotCompute();

  private:
    template <class Widget>
    Widget* named(const QString& name) const {
        for (Widget* widget : view->findChildren<Widget*>()) {
            if (widget->accessibleName() == name) {
                return widget;
            }
        }
        return nullptr;
    }
    QPushButton* button(const QString& text) const {
        for (QPushButton* one : view->findChildren<QPushButton*>()) {
            if (one->text() == text) {
                return one;
            }
        }
        return nullptr;
    }
    bool shows(const QString& text) const {
        for (const QLabel* label : view->findChildren<QLabel*>()) {
            if (label->isVisibleTo(view.get()) && label->text().contains(text)) {
                return true;
            }
        }
        return false;
    }
    QComboBox* what() const { return named<QComboBox>(QStringLiteral("What to change")); }
    QComboBox* where() const { return named<QComboBox>(QStringLiteral("In which layers")); }
    QLineEdit* value() const { return named<QLineEdit>(what()->currentText()); }
    QLineEdit* layers() const { return named<QLineEdit>(QStringLiteral("Layers")); }
    QListWidget* list() const { return view->findChild<QListWidget*>(); }
    InterventionChart* chart() const { return view->findChild<InterventionChart*>(); }
    void type(int change, const QString& text, int place = InterventionsComposer::AllLayers,
              const QString& in = {}) {
        what()->setCurrentIndex(change);
        where()->setCurrentIndex(place);
        value()->setText(text);
        layers()->setText(in);
    }
    void add() { QTest::mouseClick(button(QStringLiteral("Add")), Qt::LeftButton); }

    std::unique_ptr<Selection> selection;
    std::unique_ptr<InterventionsView> view;
};

void InterventionsViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<InterventionsView>(selection.get());
    view->setShape(std::make_shared<const RoutingShape>(demoShape()));
    view->resize(420, 360);
    view->show();
    QApplication::processEvents();
}

void InterventionsViewTest::cleanup() {
    view.reset();
    selection.reset();
}

void InterventionsViewTest::emptyStates() {
    QVERIFY(!button(QStringLiteral("Compare with the untouched run"))->isEnabled());
    QVERIFY(!button(QStringLiteral("Use in the chat"))->isEnabled());
    QVERIFY(!view->findChild<QTabWidget*>()->isTabEnabled(1));
    view->setShape(nullptr);
    QVERIFY(shows(QStringLiteral("No model is open")));
}

void InterventionsViewTest::composesForAllASelectedAndTypedLayers() {
    type(InterventionsComposer::TopK, QStringLiteral("2"));
    add();
    QCOMPARE(list()->count(), 1);
    QCOMPARE(list()->item(0)->text(), QStringLiteral("top-k 2 in all MoE layers"));
    selection->setLayer(6);
    type(InterventionsComposer::ExpertsOff, QStringLiteral("3, 8-10"),
         InterventionsComposer::SelectedLayer);
    add();
    QCOMPARE(list()->item(1)->text(), QStringLiteral("experts 3, 8-10 off in layer 6"));
    type(InterventionsComposer::BiasOff, {}, InterventionsComposer::TypedLayers,
         QStringLiteral("2-4"));
    add();
    const Interventions& all = view->composed();
    QCOMPARE(all.layers.size(), std::size_t(6));
    QCOMPARE(all.layers[1].topK.value_or(0), 2);
    QVERIFY(all.layers[1].biasOff && !all.layers[0].biasOff);
    QCOMPARE(all.layers[5].off, (std::vector<int>{3, 8, 9, 10}));
    QVERIFY(!all.layers[5].topK);
}

void InterventionsViewTest::wrongCompositionsSayWhyWhileTheyAreTyped() {
    const auto refused = [this](const QString& sentence) {
        return shows(sentence) && !button(QStringLiteral("Add"))->isEnabled();
    };
    type(InterventionsComposer::ExpertsOff, QStringLiteral("40"));
    QVERIFY(refused(QStringLiteral("layer 1: there is no expert 40, only 0 to 31")));
    type(InterventionsComposer::TopK, QStringLiteral("20"));
    QVERIFY(refused(QStringLiteral("20 experts are more than the 16 in the kept groups")));
    type(InterventionsComposer::KeptGroups, QStringLiteral("5"));
    QVERIFY(refused(QStringLiteral("cannot keep 5 groups")));
    type(InterventionsComposer::ExpertsForced, QStringLiteral("0, 8, 16"));
    QVERIFY(refused(QStringLiteral("lie in 3 groups")));
    type(InterventionsComposer::TopK, QStringLiteral("2, 3"));
    QVERIFY(refused(QStringLiteral("one number")));
    type(InterventionsComposer::ExpertsOff, QStringLiteral("x"));
    QVERIFY(refused(QStringLiteral("is no number or range")));
    type(InterventionsComposer::BiasOff, {}, InterventionsComposer::TypedLayers,
         QStringLiteral("0"));
    QVERIFY(refused(QStringLiteral("layer 0: the model has no router there")));
    type(InterventionsComposer::ExpertsOff, QStringLiteral("3"),
         InterventionsComposer::SelectedLayer);
    QVERIFY(refused(QStringLiteral("No layer is selected")));
    // Against what is already there.
    type(InterventionsComposer::ExpertsOff, QStringLiteral("3"));
    add();
    type(InterventionsComposer::ExpertsForced, QStringLiteral("3"));
    QVERIFY(refused(QStringLiteral("expert 3 cannot be both off and forced")));
    type(InterventionsComposer::ExpertsForced, QStringLiteral("4"));
    QVERIFY(!shows(QStringLiteral("layer 1:")));
    QVERIFY(button(QStringLiteral("Add"))->isEnabled());
}

void InterventionsViewTest::removingAndClearing() {
    for (const char* expert : {"1", "2", "3"}) {
        type(InterventionsComposer::ExpertsOff, QString::fromLatin1(expert));
        add();
    }
    QCOMPARE(view->composed().layers[0].off, (std::vector<int>{1, 2, 3}));
    list()->setCurrentRow(1);
    QTest::mouseClick(button(QStringLiteral("Remove")), Qt::LeftButton);
    QCOMPARE(view->composed().layers[0].off, (std::vector<int>{1, 3}));
    QTest::mouseClick(button(QStringLiteral("Clear")), Qt::LeftButton);
    QVERIFY(view->composed().empty());
    QCOMPARE(list()->count(), 0);
}

void InterventionsViewTest::whatOthersNeedCannotBeRemoved() {
    type(InterventionsComposer::TopK, QStringLiteral("5"));
    add();
    type(InterventionsComposer::ExpertsForced, QStringLiteral("0-4"));
    add();
    list()->setCurrentRow(0);
    QTest::mouseClick(button(QStringLiteral("Remove")), Qt::LeftButton);
    QCOMPARE(list()->count(), 2);
    QVERIFY(shows(QStringLiteral("5 experts are forced, but only 4 chosen")));
}

void InterventionsViewTest::composedFromElsewhere() {
    Interventions applied;
    applied.biasLabel = "shadow, gamma 0.001";
    for (const int layer : demoShape().layers) {
        LayerIntervention one{.layer = layer, .off = {layer == 2 ? 7 : 6}};
        one.bias.assign(32, 0.5F);
        applied.layers.push_back(one);
    }
    view->setComposed(applied);
    QVERIFY(view->composed() == applied);
    QCOMPARE(list()->count(), 3);
    QCOMPARE(list()->item(0)->text(),
             QStringLiteral("bias replaced (shadow, gamma 0.001) in all MoE layers"));
    applied.layers[0].bias.resize(3);
    view->setComposed(applied);
    QVERIFY(shows(QStringLiteral("layer 1: 3 bias values for 32 experts")));
    QCOMPARE(list()->count(), 3);
}

void InterventionsViewTest::selectionFillsTheField() {
    selection->setCell(3, 17);
    QCOMPARE(value()->text(), QStringLiteral("17"));
    QVERIFY(where()->itemText(1).contains(QStringLiteral("(3)")));
    value()->clear();
    QTest::keyClicks(value(), QStringLiteral("5"));
    selection->setCell(3, 18);
    QCOMPARE(value()->text(), QStringLiteral("5"));
    QTest::keyClick(value(), Qt::Key_Return);
    QCOMPARE(list()->count(), 1);
    selection->setCell(3, 19);
    QCOMPARE(value()->text(), QStringLiteral("19"));
}

void InterventionsViewTest::buttonsAskForWhatIsComposed() {
    QSignalSpy compare(view.get(), &InterventionsView::compareRequested);
    QSignalSpy apply(view.get(), &InterventionsView::applyRequested);
    type(InterventionsComposer::KeptGroups, QStringLiteral("1"));
    add();
    QTest::mouseClick(button(QStringLiteral("Compare with the untouched run")), Qt::LeftButton);
    QTest::mouseClick(button(QStringLiteral("Use in the chat")), Qt::LeftButton);
    QCOMPARE(compare.count(), 1);
    QCOMPARE(apply.count(), 1);
    QVERIFY(compare[0][0].value<Interventions>() == view->composed());
    QVERIFY(apply[0][0].value<Interventions>() == view->composed());
}

void InterventionsViewTest::activeRunIsAlwaysLabelled() {
    QVERIFY(!shows(QStringLiteral("The chat runs with")));
    view->setActive(QStringLiteral("top-k 2 in all MoE layers"));
    QSignalSpy reset(view.get(), &InterventionsView::resetRequested);
    for (int tab = 0; tab < 4; ++tab) {
        view->findChild<QTabWidget*>()->setCurrentIndex(tab);
        QVERIFY(shows(QStringLiteral("The chat runs with: top-k 2 in all MoE layers")));
    }
    QTest::mouseClick(button(QStringLiteral("Back to the untouched model")), Qt::LeftButton);
    QCOMPARE(reset.count(), 1);
    view->setActive({});
    QVERIFY(!shows(QStringLiteral("The chat runs with")));
}

void InterventionsViewTest::busyIsShownAndCanBeStopped() {
    type(InterventionsComposer::BiasOff, {});
    what()->setCurrentIndex(InterventionsComposer::BiasOff);
    add();
    view->setBusy(QStringLiteral("the untouched model, 30 of 200 tokens"));
    QVERIFY(shows(QStringLiteral("30 of 200")));
    QVERIFY(!button(QStringLiteral("Compare with the untouched run"))->isEnabled());
    QSignalSpy cancel(view.get(), &InterventionsView::cancelRequested);
    QTest::mouseClick(button(QStringLiteral("Stop")), Qt::LeftButton);
    QCOMPARE(cancel.count(), 1);
    view->setBusy({});
    QVERIFY(button(QStringLiteral("Compare with the untouched run"))->isEnabled());
}

void InterventionsViewTest::effectInNumbers() {
    view->setEffect(effectOf(40));
    QCOMPARE(view->findChild<QTabWidget*>()->currentIndex(), 1);
    QVERIFY(shows(QStringLiteral("largest 1.25 at position 15")));
    QVERIFY(shows(QStringLiteral("n = 40 positions")));
    QVERIFY(shows(QStringLiteral("top-k 2 in all MoE layers")));
    auto* table = view->findChild<NumberTable*>();
    QCOMPARE(table->rowCount(), 3 + 5);
    QCOMPARE(table->item(3, 0)->text(), QStringLiteral("Layer 1, changed here"));
    QVERIFY(table->item(3, 1)->text().startsWith(QStringLiteral("25")));
    QCOMPARE(table->item(3, 2)->text(), QStringLiteral("160"));
    QVERIFY(table->item(0, 0)->text() == QStringLiteral("Mean KL"));
    QVERIFY(table->item(2, 1)->text().startsWith(QStringLiteral("25")));
    Q_EMIT table->cellActivated(4, 0);
    QCOMPARE(selection->layer().value_or(-1), 2);
}

void InterventionsViewTest::chartByPointerAndKeyboard() {
    view->setEffect(effectOf(40));
    QApplication::processEvents();
    QSignalSpy hover(view.get(), &DockView::hoverText);
    QTest::mouseMove(chart(), chart()->pixelOfPosition(15).toPoint());
    QVERIFY(hover.count() > 0);
    QVERIFY(hover.last()[0].toString().contains(QStringLiteral("position 15")));
    QVERIFY(hover.last()[0].toString().contains(QStringLiteral("KL 1.25 nats")));
    chart()->setFocus();
    QTest::keyClick(chart(), Qt::Key_Home);
    QTest::keyClick(chart(), Qt::Key_Right);
    QVERIFY(hover.last()[0].toString().contains(QStringLiteral("position 11")));
    QVERIFY(hover.last()[0].toString().contains(QStringLiteral(" dog")));
    QTest::keyClick(chart(), Qt::Key_Return);
    QCOMPARE(selection->position().value_or(-1), 11);
    QTest::keyClick(chart(), Qt::Key_End);
    QVERIFY(!hover.last()[0].toString().contains(QStringLiteral("the token that follows")));
    selection->setPosition(20);
    QCOMPARE(chart()->cursorPosition().value_or(-1), 20);
    selection->setPosition(9999);
    QVERIFY(!chart()->cursorPosition());
}

void InterventionsViewTest::manyPositionsShareBars() {
    view->setEffect(effectOf(3000));
    QApplication::processEvents();
    QSignalSpy hover(view.get(), &DockView::hoverText);
    QTest::mouseMove(chart(), chart()->pixelOfPosition(15).toPoint());
    QVERIFY(hover.count() > 0);
    QVERIFY(hover.last()[0].toString().contains(QStringLiteral("KL 1.25 nats")));
}

void InterventionsViewTest::textsMarkWhatDiffers() {
    view->setEffect(effectOf(4));
    const auto edits = view->findChildren<QTextEdit*>();
    QCOMPARE(edits.size(), 2);
    for (QTextEdit* edit : edits) {
        QTextCursor cursor(edit->document());
        cursor.setPosition(13);
        QVERIFY(cursor.charFormat().background().style() == Qt::NoBrush);
        cursor.setPosition(14);
        QVERIFY(cursor.charFormat().background().style() != Qt::NoBrush);
    }
    QVERIFY(edits[0]->toPlainText().contains(QStringLiteral("little girl")));
    view->findChild<QTabWidget*>()->setCurrentIndex(2);
    QVERIFY(shows(QStringLiteral("3 tokens agree")));
}

void InterventionsViewTest::modelTextIsOnlyText() {
    view->setEffect(effectOf(40));
    QApplication::processEvents();
    QVERIFY(
        view->findChildren<QTextEdit*>()[1]->toPlainText().contains(QStringLiteral("<b>He</b>")));
    QSignalSpy hover(view.get(), &DockView::hoverText);
    chart()->setCursorPosition(12);
    QTest::keyClick(chart(), Qt::Key_Right);
    QVERIFY(hover.last()[0].toString().contains(QStringLiteral("\\u202E<b>")));
}

void InterventionsViewTest::exportsAreLabelled() {
    view->setEffect(effectOf(4));
    const QString text = view->tableText(u',');
    QVERIFY(text.startsWith(QStringLiteral("top-k 2 in all MoE layers\n")));
    QVERIFY(text.contains(QStringLiteral("10,0,40,40,0.5,0.125")));
    QVERIFY(text.contains(QStringLiteral("Layer 2,0.125,160")));
    QVERIFY(chart()->xAxis->label().contains(QStringLiteral("top-k 2 in all MoE layers")));
}

void InterventionsViewTest::numbersAndRanges() {
    const auto parse = [](const char* text) {
        return parseNumbers(QString::fromUtf8(text), QStringLiteral("x"));
    };
    QCOMPARE(parse(" 3, 8-10 ,9"), (std::vector<int>{3, 8, 9, 10}));
    QVERIFY(parse("").empty());
    for (const char* bad : {"a", "3-", "-3", "5-2", "1;2", "0-99999999999", "70000", "1 2"}) {
        bool refused = false;
        try {
            parse(bad);
        } catch (const Error&) {
            refused = true;
        }
        QVERIFY2(refused, bad);
    }
}

void InterventionsViewTest::anotherModelForgetsEverything() {
    type(InterventionsComposer::ExpertsOff, QStringLiteral("3"));
    add();
    view->setEffect(effectOf(4));
    view->setShape(std::make_shared<const RoutingShape>(fullShape()));
    QVERIFY(view->composed().empty());
    QCOMPARE(view->findChild<QTabWidget*>()->currentIndex(), 0);
    QVERIFY(!view->findChild<QTabWidget*>()->isTabEnabled(1));
}

void InterventionsViewTest::hiddenViewDoesNotCompute() {
    view->hide();
    const int before = view->computations();
    view->setEffect(effectOf(40));
    view->setEffect(effectOf(41));
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
}

QTEST_MAIN(InterventionsViewTest)
#include "interventions_view_test.moc"
