// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_view.h"

#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTabBar>
#include <QTest>

#include "experts_traffic.h"
#include "views/experts_cache_chart.h"
#include "views/experts_load_chart.h"
#include "views/experts_spin.h"
#include "views/formats.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"

using namespace gatescope;

class ExpertsViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup() { view.reset(); }
    void headlineHasCountAndChance();
    void hostileTokensAreText();
    void tablesOfTheExpert();
    void clickLeadsToAnExpert();
    void arrowKeysInATableLeadNowhere();
    void spinBoxesSelect();
    void layerAlone();
    void pairsLeadToEitherExpert();
    void cacheSizes();
    void nextLayerBesideChance();
    void chartsByKeyboard();
    void chartExportsHoldTheNumbers();
    void emptyStates();
    void asksForAValueOnlyWhenSeen();
    void hiddenViewDoesNotCompute();

  private:
    void set(const ExpertsValue& value) {
        view->setValue(std::make_shared<const ExpertsValue>(value));
        QApplication::processEvents();
    }
    template <typename T>
    T* shown() const {
        for (T* widget : view->findChildren<T*>()) {
            if (widget->isVisible()) {
                return widget;
            }
        }
        return nullptr;
    }
    QComboBox* chooser() const { return shown<QComboBox>(); }
    NumberTable* table() const { return shown<NumberTable>(); }
    ExpertsLayerSpin* layerSpin() const { return view->findChild<ExpertsLayerSpin*>(); }
    QSpinBox* expertSpin() const {
        for (QSpinBox* spin : view->findChildren<QSpinBox*>()) {
            if (spin != layerSpin()) {
                return spin;
            }
        }
        return nullptr;
    }
    void click(int row, int column) {
        const QRect cell = table()->visualItemRect(table()->item(row, column));
        QTest::mouseClick(table()->viewport(), Qt::LeftButton, {}, cell.center());
    }

    Selection selection;
    std::unique_ptr<ExpertsView> view;
    ExpertsValue full;
};

void ExpertsViewTest::init() {
    selection.reset();
    selection.setCell(2, 3);
    full = expertsValue(demoShape(), 400, 1, 3);
    view = std::make_unique<ExpertsView>(&selection);
    view->resize(480, 420);
    view->show();
    set(full);
}

void ExpertsViewTest::headlineHasCountAndChance() {
    const QString text = view->headline();
    QVERIFY2(text.contains(QStringLiteral("n = 400")), qPrintable(text));
    QVERIFY2(text.contains(QStringLiteral("chosen %1 of").arg(full.expert->chosen)),
             qPrintable(text));
    QVERIFY2(text.contains(QStringLiteral("by chance 50")), qPrintable(text));  // 400 * 4 / 32
    QCOMPARE(layerSpin()->layer(), std::optional(2));
    QCOMPARE(expertSpin()->value(), 3);
}

void ExpertsViewTest::hostileTokensAreText() {
    const std::int32_t id = full.expert->topTokens.front().id;
    full.tokens[id] = "<b>\n\x1b\xe2\x80\xae";
    set(full);
    const QString text = table()->item(0, 0)->text();
    QVERIFY2(text.contains(QStringLiteral("<b>\\n")), qPrintable(text));
    QVERIFY(!text.contains(QChar(0x202E)) && !text.contains(QChar(0x1B)));
    QVERIFY(!table()->item(0, 0)->toolTip().contains(QStringLiteral("<b>")));
    full.tokens.clear();
    set(full);
    QCOMPARE(table()->item(0, 0)->text(), QStringLiteral("id %1").arg(id));
}

void ExpertsViewTest::tablesOfTheExpert() {
    QStringList names;
    for (int i = 0; i < chooser()->count(); ++i) {
        names += chooser()->itemText(i);
    }
    QCOMPARE(names, (QStringList{QStringLiteral("Top tokens"), QStringLiteral("Co-active experts"),
                                 QStringLiteral("Layer before (1)"),
                                 QStringLiteral("Next layer (3)"), QStringLiteral("Domains")}));
    QCOMPARE(table()->rowCount(), static_cast<int>(full.expert->topTokens.size()));
    chooser()->setCurrentIndex(1);
    QCOMPARE(table()->rowCount(), static_cast<int>(full.expert->coactive.size()));
    const CoactiveExpert& last = full.expert->coactive.back();
    QVERIFY(last.masked);
    QCOMPARE(table()->item(table()->rowCount() - 1, 3)->text(), QString(QChar(0x2013)));
    QVERIFY(table()->item(0, 3)->text() != QString(QChar(0x2013)));
    chooser()->setCurrentIndex(4);
    QVERIFY(table() == nullptr);  // a sentence instead
    full.domains = {{"arithmetic", 0.25, 120}};
    set(full);
    QCOMPARE(chooser()->currentIndex(), 4);
    QCOMPARE(table()->item(0, 2)->text(), QStringLiteral("2.00"));  // over k / E = 1/8
}

void ExpertsViewTest::clickLeadsToAnExpert() {
    QSignalSpy wanted(view.get(), &ExpertsView::wanted);
    chooser()->setCurrentIndex(1);
    click(0, 0);
    QCOMPARE(selection.layer(), std::optional(2));
    QCOMPARE(selection.expert(), std::optional(full.expert->coactive.front().expert));
    QCOMPARE(wanted.count(), 1);
    chooser()->setCurrentIndex(3);
    click(0, 2);
    QCOMPARE(selection.layer(), std::optional(3));
    QCOMPARE(selection.expert(), std::optional(full.expert->after.front().expert));
    selection.back();
    QCOMPARE(selection.layer(), std::optional(2));
}

void ExpertsViewTest::arrowKeysInATableLeadNowhere() {
    chooser()->setCurrentIndex(1);
    table()->setFocus();
    table()->setCurrentCell(0, 0);
    QTest::keyClick(table(), Qt::Key_Down);
    QCOMPARE(selection.expert(), std::optional(3));
    QSignalSpy hover(view.get(), &ExpertsView::hoverText);
    QTest::keyClick(table(), Qt::Key_Right);
    QCOMPARE(hover.last().first().toString(), QString::number(full.expert->coactive[1].count));
    QTest::keyClick(table(), Qt::Key_Return);
    QCOMPARE(selection.expert(), std::optional(full.expert->coactive[1].expert));
}

void ExpertsViewTest::spinBoxesSelect() {
    QTest::keyClick(expertSpin(), Qt::Key_Up);
    QCOMPARE(selection.expert(), std::optional(4));
    QTest::keyClick(layerSpin(), Qt::Key_Down);
    QCOMPARE(selection.layer(), std::optional(1));
    QCOMPARE(selection.expert(), std::optional(4));
    selection.setCell(6, 31);
    QCOMPARE(layerSpin()->text(), QStringLiteral("6 MTP"));
    QCOMPARE(expertSpin()->value(), 31);
    selection.setCell(std::nullopt, std::nullopt);
    QCOMPARE(layerSpin()->layer(), std::nullopt);
    QVERIFY(!expertSpin()->isEnabled());
}

void ExpertsViewTest::layerAlone() {
    full.expert.reset();
    set(full);
    QVERIFY(shown<ExpertsCacheChart>() != nullptr);
    QVERIFY(shown<ExpertsLoadChart>() == nullptr);
    QVERIFY(!view->findChild<QTabBar*>()->isTabEnabled(0));
    QVERIFY(view->headline().contains(QStringLiteral("median reuse distance")));
    set(expertsValue(demoShape(), 400, 1, 3));  // and back when an expert is selected
    QVERIFY(shown<ExpertsLoadChart>() != nullptr);
}

void ExpertsViewTest::pairsLeadToEitherExpert() {
    view->findChild<QTabBar*>()->setCurrentIndex(1);
    QVERIFY(!full.layer.topPairs.empty());
    const ExpertPair& pair = full.layer.topPairs.front();
    click(0, 1);
    QCOMPARE(selection.expert(), std::optional(pair.second));
    view->findChild<QTabBar*>()->setCurrentIndex(1);
    click(0, 0);
    QCOMPARE(selection.expert(), std::optional(pair.first));
}

void ExpertsViewTest::cacheSizes() {
    view->findChild<QTabBar*>()->setCurrentIndex(1);
    chooser()->setCurrentIndex(1);
    QStringList sizes;
    for (int r = 0; r < table()->rowCount(); ++r) {
        sizes += table()->item(r, 0)->text();
    }
    QCOMPARE(sizes.join(u' '), QStringLiteral("1 2 4 8 16 32"));
    QVERIFY(table()->item(5, 0)->toolTip().contains(QStringLiteral("2.25\u00A0MiB")));
    const PinnedForecast& forecast = full.layer.reads.forecast;
    for (const int column : {3, 4}) {  // all pinned
        QCOMPARE(table()->item(5, column)->text().left(3), QStringLiteral("100"));
    }
    QCOMPARE(table()->item(2, 4)->text(), percentText(forecast.hitRate(4)));
    const QString tip = table()->horizontalHeaderItem(4)->toolTip();
    QVERIFY2(tip.contains(QStringLiteral("n = %1").arg(forecast.n)), qPrintable(tip));
    QVERIFY(table()->horizontalHeaderItem(3)->toolTip().contains(QStringLiteral("hindsight")));
    QVERIFY(shown<ExpertsCacheChart>()->sizeText(4).contains(
        QStringLiteral("(n = %1)").arg(forecast.n)));
}

void ExpertsViewTest::nextLayerBesideChance() {
    view->findChild<QTabBar*>()->setCurrentIndex(1);
    QCOMPARE(chooser()->itemText(2), QStringLiteral("Next layer (3)"));
    chooser()->setCurrentIndex(2);
    const ShiftBaseline& shifted = full.layer.next.shifted;
    QCOMPARE(shifted.n, 400);
    QCOMPARE(table()->rowCount(), 4);
    QCOMPARE(table()->item(0, 5)->text(), QStringLiteral("400"));
    QCOMPARE(table()->item(1, 1)->text(), threeDigits(shifted.observed));
    QCOMPARE(table()->item(1, 2)->text(), threeDigits(shifted.mean));
    QCOMPARE(table()->item(1, 3)->text(), threeDigits(shifted.p95));
    QCOMPARE(table()->item(1, 4)->text(), threeDigits(shifted.pValue));
    QVERIFY(table()->horizontalHeaderItem(4)->toolTip().contains(QStringLiteral("99 shifts")));
    // Of all tokens and of the newest: the same ones here.
    QCOMPARE(table()->item(0, 1)->text(), table()->item(1, 1)->text());

    set(expertsValue(demoShape(), 40, 1, -1));
    QCOMPARE(table()->item(1, 5)->text(), QStringLiteral("40"));
    QCOMPARE(table()->item(1, 4)->text(), threeDigits(std::nan("")));
    const int last = static_cast<int>(demoShape().layers.size()) - 1;
    set(expertsValue(demoShape(), 400, last, -1));
    QVERIFY(shown<NumberTable>() == nullptr);  // no layer follows
}

void ExpertsViewTest::chartsByKeyboard() {
    QSignalSpy hover(view.get(), &ExpertsView::hoverText);
    auto* load = shown<ExpertsLoadChart>();
    QTest::keyClick(load, Qt::Key_Right);
    QCOMPARE(hover.last().first().toString(), load->windowText(0));
    QVERIFY(load->windowText(0).contains(QStringLiteral("n = 16")));
    QTest::keyClick(load, Qt::Key_Left);
    QCOMPARE(hover.last().first().toString(), load->windowText(0));
    view->findChild<QTabBar*>()->setCurrentIndex(1);
    auto* cache = shown<ExpertsCacheChart>();
    QTest::keyClick(cache, Qt::Key_Left);
    QCOMPARE(hover.last().first().toString(), cache->sizeText(32));
    QVERIFY(cache->sizeText(32).contains(QStringLiteral("LRU spares reading")));
    QVERIFY(cache->sizeText(33).isEmpty());
}

void ExpertsViewTest::chartExportsHoldTheNumbers() {
    auto* load = shown<ExpertsLoadChart>();
    QCOMPARE(load->graph(2)->dataCount(), static_cast<int>(full.expert->windows.size()) + 1);
    QCOMPARE(load->graph(2)->data()->constBegin()->value,
             full.expert->windows.front().relativeLoad);
    QVERIFY(load->yAxis->range().contains(load->graph(1)->data()->constBegin()->value));
    const QString text = view->tableText(u',');
    QCOMPARE(text.count(u'\n'), static_cast<qsizetype>(full.expert->topTokens.size()) + 1);
}

void ExpertsViewTest::emptyStates() {
    view->setValue(nullptr);
    QVERIFY(view->headline().contains(QStringLiteral("No model is open.")));
    QVERIFY(!layerSpin()->isEnabled());
    selection.reset();
    ExpertsValue none;
    none.shape = demoShape();
    set(none);
    QVERIFY(view->headline().contains(QStringLiteral("Select an expert")));
    QVERIFY(layerSpin()->isEnabled());
    selection.setLayer(0);
    set(none);
    QCOMPARE(view->headline(), QStringLiteral("Layer 0 is dense: it has no experts."));
    selection.setCell(2, 3);
    set(expertsValue(demoShape(), 0, 1, 3));  // nothing routed yet
    QVERIFY(view->headline().contains(QStringLiteral("n = 0")));
    QVERIFY(table() == nullptr);
}

void ExpertsViewTest::asksForAValueOnlyWhenSeen() {
    QSignalSpy wanted(view.get(), &ExpertsView::wanted);
    selection.setExpert(5);
    QCOMPARE(wanted.count(), 1);
    selection.setExpert(3);  // what the value is about
    QCOMPARE(wanted.count(), 1);
    view->hide();
    QVERIFY(!view->wants());
    selection.setExpert(6);
    QCOMPARE(wanted.count(), 1);
    view->show();
    QVERIFY(view->wants());
    QCOMPARE(wanted.count(), 2);
}

void ExpertsViewTest::hiddenViewDoesNotCompute() {
    view->hide();
    const int before = view->computations();
    for (int i = 0; i < 5; ++i) {
        set(full);
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
}

QTEST_MAIN(ExpertsViewTest)
#include "experts_view_test.moc"
