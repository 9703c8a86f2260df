// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/balance_view.h"

#include <QApplication>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTabBar>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "engine/analysis/balance.h"
#include "tests/views/synthetic_routing.h"
#include "views/balance_chart.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

/// Row r prefers expert r + 2, the more the deeper it lies; expert 31 is never chosen.
std::shared_ptr<const RoutingLoad> skewedLoad(const RoutingShape& shape, int tokens,
                                              unsigned seed = 5) {
    RoutingLoadCounter counter(shape);
    std::mt19937 random(seed);
    std::vector<std::uint16_t> order(static_cast<std::size_t>(shape.experts) - 1);
    std::iota(order.begin(), order.end(), std::uint16_t{0});
    const auto routed = [&](Phase phase, int rows) {
        RoutedToken token;
        token.phase = phase;
        for (int row = 0; row < rows; ++row) {
            std::shuffle(order.begin(), order.end(), random);
            if (random() % 100 < static_cast<unsigned>(12 * row)) {
                std::iter_swap(order.begin(), std::find(order.begin(), order.end(), row + 2));
            }
            token.routing.experts.insert(token.routing.experts.end(), order.begin(),
                                         order.begin() + shape.topK);
        }
        token.routing.weights.assign(token.routing.experts.size(), 0.25F);
        token.routing.margins.assign(static_cast<std::size_t>(rows), 0.01F);
        token.routing.biasDecided.assign(static_cast<std::size_t>(rows), 0);
        return token;
    };
    for (int n = 0; n < tokens; ++n) {
        StepTrace step;
        step.tokens.push_back(routed(Phase::Decode, static_cast<int>(shape.layers.size())));
        if (shape.mtpLayer >= 0 && n % 2 == 0) {
            step.mtp.push_back(routed(Phase::Draft, 1));
        }
        counter.add(step);
    }
    return counter.snapshot();
}

QString plain(QString text) {
    return text.replace(QChar(0xA0), u' ').replace(QChar(0x202F), u' ');
}

}  // namespace

class BalanceViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup() {
        view.reset();
        selection.reset();
    }
    void worstLayersFirstAndMtpLast();
    void cellsAreTheEnginesNumbers();
    void chartHoldsAllNumbers();
    void headerSorts();
    void newNumbersDoNotScroll();
    void clickSelectsTheLayer();
    void metricCanBeChosen();
    void keyboardInTheChart();
    void expertsOfTheSelectedLayer();
    void expertClickSelects();
    void noteSaysN();
    void exports();
    void emptyStates();
    void phasesCount();
    void framesAreThrottled();
    void hiddenViewDoesNotCompute();

  private:
    NumberTable* table(const char* name) const {
        return view->findChild<NumberTable*>(QLatin1String(name));
    }
    BalanceChart* chart() const { return view->findChild<BalanceChart*>(); }
    QComboBox* metrics() const { return view->findChild<QComboBox*>(QStringLiteral("metric")); }
    QTabBar* tabs() const { return view->findChild<QTabBar*>(QStringLiteral("pages")); }
    QString cell(const char* name, int row, int column) const {
        return plain(table(name)->item(row, column)->text());
    }
    int columnOf(const QString& header) const {
        for (int c = 0; c < table("layers")->columnCount(); ++c) {
            const QString text = table("layers")->horizontalHeaderItem(c)->text();
            if (text == header || text.startsWith(header + u' ')) {  // perhaps with an arrow
                return c;
            }
        }
        return -1;
    }
    void clickHeader(int column) {
        QHeaderView* header = table("layers")->horizontalHeader();
        QTest::mouseClick(header->viewport(), Qt::LeftButton, {},
                          {header->sectionViewportPosition(column) + 12, header->height() / 2});
    }
    QString labels() const {
        QString text;
        for (const QLabel* label : view->findChildren<QLabel*>()) {
            text += label->isVisibleTo(view.get()) ? label->text() + u'\n' : QString();
        }
        return plain(text);
    }

    std::unique_ptr<Selection> selection;
    std::unique_ptr<BalanceView> view;
    std::shared_ptr<const RoutingLoad> load;
};

void BalanceViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<BalanceView>(selection.get());
    load = skewedLoad(demoShape(), 400);
    view->setLoad(load);
    view->resize(640, 480);
    view->show();
    QVERIFY(QTest::qWaitForWindowExposed(view.get()));
}

void BalanceViewTest::worstLayersFirstAndMtpLast() {
    QCOMPARE(table("layers")->rowCount(), 6);
    // Made the more uneven the deeper: 5 4 3 2 1, then the MTP layer.
    QCOMPARE(cell("layers", 0, 0), QStringLiteral("5"));
    QCOMPARE(cell("layers", 1, 0), QStringLiteral("4"));
    QCOMPARE(cell("layers", 5, 0), QStringLiteral("MTP 6"));
}

void BalanceViewTest::cellsAreTheEnginesNumbers() {
    const BalanceValue value = balanceOf(*load, kDefaultPhases);
    const BalanceRow& worst = value.rows[4];
    const auto exact = [&](const char* header) {
        return table("layers")
            ->item(0, columnOf(QLatin1String(header)))
            ->data(Qt::UserRole)
            .toString()
            .toDouble();
    };
    QCOMPARE(exact("MaxVio"), worst.maxVio.value);
    QCOMPARE(exact("per step"), worst.stepMaxVio.value);
    QCOMPARE(exact("Gini"), worst.gini.value);
    QCOMPARE(exact("entropy"), worst.entropy.value);
    QCOMPARE(exact("gate CV"), worst.gateCv);
    QCOMPARE(exact("n"), 400.0);
    QCOMPARE(exact("hot"), static_cast<double>(worst.hot));
    QVERIFY(worst.hot >= 1);
    QCOMPARE(exact("dead"), 1.0);
    const QString tip = plain(table("layers")->item(0, columnOf(QStringLiteral("CV")))->toolTip());
    QVERIFY2(tip.contains(QStringLiteral("uniform router")), qPrintable(tip));
    QVERIFY(tip.contains(QStringLiteral("excess +")));
    QVERIFY(tip.contains(QStringLiteral("n = 400 tokens")));
}

void BalanceViewTest::chartHoldsAllNumbers() {
    const BalanceValue value = balanceOf(*load, kDefaultPhases);
    for (const BalanceRow& row : value.rows) {
        for (const double number : {row.maxVio.value, row.maxVio.nullMean, row.maxVio.nullP95}) {
            QVERIFY(chart()->yAxis->range().contains(number));
        }
    }
    QVERIFY(chart()->yAxis->range().upper < 1.5 * value.rows[4].maxVio.value);
}

void BalanceViewTest::newNumbersDoNotScroll() {
    view->setLoad(skewedLoad(fullShape(), 20));
    selection->setLayer(60);
    QScrollBar* bar = table("layers")->verticalScrollBar();
    bar->setValue(bar->maximum() / 2);
    const int before = bar->value();
    QVERIFY(before > 0);
    view->setPhases(kAllTokens);  // computes anew
    QCOMPARE(bar->value(), before);
}

void BalanceViewTest::headerSorts() {
    clickHeader(0);
    QCOMPARE(cell("layers", 0, 0), QStringLiteral("1"));
    clickHeader(0);
    QCOMPARE(cell("layers", 0, 0), QStringLiteral("5"));
    QCOMPARE(cell("layers", 5, 0), QStringLiteral("MTP 6"));
    const int column = columnOf(QStringLiteral("CV"));
    clickHeader(column);
    QCOMPARE(metrics()->currentText(), QStringLiteral("CV"));
    QCOMPARE(cell("layers", 0, 0), QStringLiteral("5"));
    clickHeader(column);
    QVERIFY(cell("layers", 0, 0) != QStringLiteral("5"));
    QCOMPARE(cell("layers", 4, 0), QStringLiteral("5"));
}

void BalanceViewTest::clickSelectsTheLayer() {
    QSignalSpy hover(view.get(), &BalanceView::hoverText);
    const QRect at = table("layers")->visualItemRect(table("layers")->item(1, 1));
    QTest::mouseClick(table("layers")->viewport(), Qt::LeftButton, {}, at.center());
    QCOMPARE(selection->layer(), std::optional(4));
    QVERIFY(hover.last().first().toString().startsWith(QStringLiteral("layer 4 · MaxVio")));
    selection->setLayer(6);
    QCOMPARE(table("layers")->currentRow(), 5);
    selection->setLayer(0);  // dense
    QCOMPARE(table("layers")->currentRow(), -1);
}

void BalanceViewTest::metricCanBeChosen() {
    QCOMPARE(chart()->xAxis->label(), QStringLiteral("MaxVio, all tokens, by layer"));
    metrics()->setCurrentIndex(4);
    Q_EMIT metrics()->activated(4);
    QCOMPARE(chart()->xAxis->label(), QStringLiteral("Normalised entropy, by layer"));
    // Worst first is the lowest excess here.
    QCOMPARE(cell("layers", 0, 0), QStringLiteral("5"));
}

void BalanceViewTest::keyboardInTheChart() {
    QSignalSpy hover(view.get(), &BalanceView::hoverText);
    QTest::keyClick(chart(), Qt::Key_Right);
    QTest::keyClick(chart(), Qt::Key_Right);
    const QString text = plain(hover.last().first().toString());
    QVERIFY2(text.startsWith(QStringLiteral("layer 2 · MaxVio, all tokens ")), qPrintable(text));
    QVERIFY(text.contains(QStringLiteral("95 % point")));
    QTest::keyClick(chart(), Qt::Key_Return);
    QCOMPARE(selection->layer(), std::optional(2));
    QTest::mouseMove(chart(), chart()->pixelOfRow(5).toPoint());
    QTest::mouseClick(chart(), Qt::LeftButton, {}, chart()->pixelOfRow(5).toPoint());
    QCOMPARE(selection->layer(), std::optional(6));
}

void BalanceViewTest::expertsOfTheSelectedLayer() {
    tabs()->setCurrentIndex(1);
    QVERIFY(labels().contains(QStringLiteral("Select a layer")));
    QCOMPARE(table("experts")->rowCount(), 0);
    selection->setLayer(5);
    QCOMPARE(table("experts")->rowCount(), 32);
    QCOMPARE(cell("experts", 0, 0), QStringLiteral("6"));  // row 4 prefers expert 6
    QCOMPARE(cell("experts", 0, 1), QStringLiteral("hot"));
    const BalanceValue value = balanceOf(*load, kDefaultPhases);
    QCOMPARE(cell("experts", value.rows[4].hot, 1), QStringLiteral("dead"));
    QCOMPARE(cell("experts", value.rows[4].hot, 0), QStringLiteral("31"));
    QVERIFY(labels().contains(QStringLiteral("1 dead")));
    QVERIFY(labels().contains(QStringLiteral("layer 5 · ")));
}

void BalanceViewTest::expertClickSelects() {
    selection->setLayer(5);
    tabs()->setCurrentIndex(1);
    const QRect at = table("experts")->visualItemRect(table("experts")->item(0, 0));
    QTest::mouseClick(table("experts")->viewport(), Qt::LeftButton, {}, at.center());
    QCOMPARE(selection->expert(), std::optional(6));
    QCOMPARE(selection->layer(), std::optional(5));
}

void BalanceViewTest::noteSaysN() {
    QVERIFY2(labels().contains(QStringLiteral("n = 400 tokens in 400 steps")),
             qPrintable(labels()));
    QVERIFY(labels().contains(QStringLiteral("one chat is not serving traffic")));
}

void BalanceViewTest::exports() {
    const QStringList lines = view->tableText(u'\t').trimmed().split(u'\n');
    QCOMPARE(lines.size(), 7);
    const auto columns = lines[0].split(u'\t').size();
    for (const QString& line : lines) {
        QCOMPARE(line.split(u'\t').size(), columns);
    }
    QVERIFY(lines[1].startsWith(QStringLiteral("1\t0\t")));
    QVERIFY(lines[6].startsWith(QStringLiteral("6\t1\t")));
    QVERIFY(view->expertsText().isEmpty());
    selection->setLayer(3);
    const QStringList experts = view->expertsText(u',').trimmed().split(u'\n');
    QCOMPARE(experts.size(), 33);
    QVERIFY(experts[32].endsWith(QStringLiteral(",dead")));
}

void BalanceViewTest::emptyStates() {
    view->setLoad(nullptr);
    QVERIFY(labels().contains(QStringLiteral("No model is open")));
    QVERIFY(view->tableText().isEmpty());
    view->setLoad(RoutingLoadCounter(demoShape()).snapshot());
    QVERIFY(labels().contains(QStringLiteral("Ask something")));
    view->setLoad(std::make_shared<const RoutingLoad>());
    QVERIFY(labels().contains(QStringLiteral("No model is open")));
}

void BalanceViewTest::phasesCount() {
    view->setPhases(1U << static_cast<unsigned>(Phase::Rejected));
    QVERIFY(labels().contains(QStringLiteral("No tokens in the chosen phases")));
    view->setPhases(1U << static_cast<unsigned>(Phase::Decode));
    QCOMPARE(cell("layers", 5, columnOf(QStringLiteral("n"))), QStringLiteral("0"));
    QCOMPARE(cell("layers", 5, 1), QStringLiteral("–"));
}

void BalanceViewTest::framesAreThrottled() {
    const int before = view->computations();
    for (unsigned frame = 0; frame < 50; ++frame) {
        view->setLoad(skewedLoad(demoShape(), 10 + static_cast<int>(frame)));
    }
    QVERIFY(view->computations() <= before + 1);
    // The newest comes in the end, by itself.
    QTRY_VERIFY(labels().contains(QStringLiteral("n = 59 tokens")));
    QVERIFY(view->computations() <= before + 2);
}

void BalanceViewTest::hiddenViewDoesNotCompute() {
    view->hide();
    const int before = view->computations();
    for (int i = 0; i < 5; ++i) {
        view->setLoad(skewedLoad(demoShape(), 20 + i));
        selection->setLayer(1 + i % 3);
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
    QVERIFY(labels().contains(QStringLiteral("n = 24 tokens")));
}

QTEST_MAIN(BalanceViewTest)
#include "balance_view_test.moc"
