// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_view.h"

#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QLabel>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <algorithm>
#include <cmath>
#include <random>

#include "engine/error.h"
#include "synthetic_routing.h"
#include "views/routing_map.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/view_export.h"

using namespace gatescope;

namespace {

constexpr unsigned bit(Phase phase) {
    return 1U << static_cast<unsigned>(phase);
}

/// Layer 1 of the demo shape: prefill chooses 0..3 (three tokens), decode 8..11 (one),
/// rejected 16..19. MTP: 20..23 (two drafts).
std::shared_ptr<const RoutingLoad> demoLoad() {
    const RoutingShape shape = demoShape();
    RoutingLoadCounter counter(shape);
    for (int i = 0; i < 3; ++i) {
        counter.add(mainToken(shape, 0, Phase::Prefill), false);
    }
    counter.add(mainToken(shape, 8, Phase::Decode), false);
    counter.add(mainToken(shape, 16, Phase::Rejected), false);
    counter.add(tokenFrom(shape, 1, 20, Phase::Draft), true);
    counter.add(tokenFrom(shape, 1, 20, Phase::Draft), true);
    return counter.snapshot();
}

/// Random routing with a preference for low ids, k different experts a row; every sixth token is
/// special.
class Traffic {
  public:
    explicit Traffic(const RoutingShape& shape) : m_shape(shape), m_counter(shape) {}

    void add(int tokens, Phase phase, bool mtp = false) {
        const int rows = mtp ? 1 : static_cast<int>(m_shape.layers.size());
        for (int i = 0; i < tokens; ++i) {
            RoutedToken token = tokenFrom(m_shape, rows, 0, phase);
            token.special = ++m_added % 6 == 0;
            for (auto row = token.routing.experts.begin(); row != token.routing.experts.end();
                 row += m_shape.topK) {
                choose(row);
            }
            m_counter.add(token, mtp);
        }
    }
    std::shared_ptr<const RoutingLoad> load() const { return m_counter.snapshot(); }

  private:
    void choose(std::vector<std::uint16_t>::iterator row) {
        std::exponential_distribution<double> skew(6.0 / m_shape.experts);
        for (int j = 0; j < m_shape.topK;) {
            const auto expert = static_cast<std::uint16_t>(skew(m_random));
            if (expert < m_shape.experts && std::find(row, row + j, expert) == row + j) {
                row[j++] = expert;
            }
        }
    }

    RoutingShape m_shape;
    RoutingLoadCounter m_counter;
    int m_added = 0;
    std::mt19937 m_random{11};
};

bool near(double a, double b) {
    return std::isnan(a) ? std::isnan(b) : std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b));
}

/// One cell, straight from the definitions, through RoutingLoad's own sums.
double naive(const RoutingInput& input, int row, int expert) {
    const RoutingLoad& load = *input.load;
    const double p = static_cast<double>(load.shape.topK) / load.shape.experts;
    const auto count = [&](const RoutingLoad& of) {
        return static_cast<double>(of.count(row, expert, input.phases));
    };
    const auto n = [&](const RoutingLoad& of) {
        return static_cast<double>(of.tokens(row, input.phases));
    };
    switch (input.mode) {
        case RoutingMode::RelativeLoad:
            return load.relativeLoad(row, expert, input.phases);
        case RoutingMode::GateMass:
            return load.relativeGateMass(row, expert, input.phases);
        case RoutingMode::ZScore:
            return n(load) * p < 5 ? std::nan("")
                                   : (count(load) - n(load) * p) / std::sqrt(n(load) * p * (1 - p));
        case RoutingMode::Difference: {
            const double since = input.continuesReference ? n(*input.reference) : 0;
            const double sinceCount = input.continuesReference ? count(*input.reference) : 0;
            const double n1 = n(load) - since;
            const double n0 = n(*input.reference);
            return n1 * p < 5 || n0 * p < 5
                       ? std::nan("")
                       : (count(load) - sinceCount) / (n1 * p) - count(*input.reference) / (n0 * p);
        }
        case RoutingMode::ThisToken:
            break;
    }
    return std::nan("");
}

QString allText(const QWidget& widget) {
    QString text;
    for (const QLabel* label : widget.findChildren<QLabel*>()) {
        if (label->isVisibleTo(&widget)) {
            text += label->text() + u'\n';
        }
    }
    return text;
}

}  // namespace

class RoutingViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup();

    void valuesStandInTheirCells();
    void pixelsHaveTheColourOfTheValue();
    void hoverTellsTheExactValue();
    void clickSelects();
    void dragDoesNotSelect();
    void keyboardMovesAndSelects();
    void phaseFilterChangesNumbers();
    void gateMass();
    void valuesOfEveryMode_data();
    void valuesOfEveryMode();
    void zScoreNeedsTokens();
    void zScoreNoteCountsCells();
    void scaleHoldsAllButTheOutermost();
    void sortedByLoad();
    void sortedCursorFollowsItsExpert();
    void differenceSinceThePin();
    void differenceToAnotherSession();
    void differenceOfAnotherModel();
    void pinByKey();
    void specialTokensAreApart();
    void settings();
    void everyModeIsExported();
    void hoverFollowsNewValues();
    void thisToken();
    void tokenOfAnotherModelIsNotRead();
    void denseAndMtpRows();
    void nAndUniformNull();
    void hiddenViewDoesNotCompute();
    void selectionIsOutlined();
    void zoomStaysInsideAndResets();
    void emptyStates();
    void oneLayerOneGroup();
    void copyAndSave();
    void followsTheTheme();

  private:
    RoutingMap* map() const { return view->findChild<RoutingMap*>(); }
    QPoint pixel(int layer, int expert) const { return map()->pixelOf({layer, expert}).toPoint(); }
    void show() {
        view->resize(800, 500);
        view->show();
        QApplication::processEvents();
        map()->replot();
    }

    std::unique_ptr<Selection> selection;
    std::unique_ptr<RoutingView> view;
};

void RoutingViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<RoutingView>(selection.get());
    view->setLoad(demoLoad());
    show();
}

void RoutingViewTest::cleanup() {
    view.reset();
    selection.reset();
}

void RoutingViewTest::valuesStandInTheirCells() {
    // n = 4: expert 0 of layer 1 was chosen 3 times of 16: q = 3 * 32 / 16 = 6.
    QCOMPARE(map()->drawnValue({1, 0}), std::log2(1.0 + 6.0));
    QCOMPARE(map()->drawnValue({1, 8}), std::log2(1.0 + 2.0));
    QCOMPARE(map()->drawnValue({1, 30}), 0.0);
    // Layer 3 is row 2: its experts start at 2.
    QCOMPARE(map()->drawnValue({3, 1}), 0.0);
    QCOMPARE(map()->drawnValue({3, 2}), std::log2(1.0 + 6.0));
    // The MTP layer: always 20..23.
    QCOMPARE(map()->drawnValue({6, 20}), std::log2(1.0 + 8.0));
    QVERIFY(std::isnan(map()->drawnValue({0, 0})));
}

void RoutingViewTest::pixelsHaveTheColourOfTheValue() {
    const QImage image = view->grab().toImage();
    const qreal ratio = image.devicePixelRatio();
    const auto at = [&](int layer, int expert) {
        const QPoint point = map()->mapTo(view.get(), pixel(layer, expert));
        return QColor(image.pixel((QPointF(point) * ratio).toPoint()));
    };
    QCOMPARE(at(1, 0), QColor(253, 231, 37));   // above 3: viridis' end
    QCOMPARE(at(1, 30), QColor(68, 1, 84));     // 0: its beginning
    QCOMPARE(at(6, 22), QColor(253, 231, 37));  // the MTP row, behind its gap
    QCOMPARE(at(6, 3), QColor(68, 1, 84));
}

void RoutingViewTest::hoverTellsTheExactValue() {
    QSignalSpy hover(view.get(), &RoutingView::hoverText);
    QTest::mouseMove(map(), pixel(3, 2));
    QVERIFY(!hover.isEmpty());
    const QString text = hover.last().first().toString();
    QVERIFY2(text.contains(QStringLiteral("layer 3 · expert 2 · load 6× · chosen 3 times")),
             qPrintable(text));
    QVERIFY2(text.endsWith(QStringLiteral("n = 4")), qPrintable(text));
    QTest::mouseMove(map(), pixel(0, 5));
    QCOMPARE(hover.last().first().toString(), QStringLiteral("layer 0 · dense, no router"));
    QTest::mouseMove(map(), QPoint(1, 1));
    QCOMPARE(hover.last().first().toString(), QString());
}

void RoutingViewTest::clickSelects() {
    QSignalSpy changed(selection.get(), &Selection::changed);
    QTest::mouseClick(map(), Qt::LeftButton, {}, pixel(3, 2));
    QCOMPARE(selection->layer(), std::optional(3));
    QCOMPARE(selection->expert(), std::optional(2));
    QCOMPARE(changed.count(), 1);
    QTest::mouseClick(map(), Qt::LeftButton, {}, pixel(6, 31));
    QCOMPARE(selection->layer(), std::optional(6));
    QCOMPARE(selection->expert(), std::optional(31));
    QTest::mouseClick(map(), Qt::LeftButton, {}, pixel(0, 4));  // dense: nothing to select
    QTest::mouseClick(map(), Qt::RightButton, {}, pixel(2, 4));
    QCOMPARE(changed.count(), 2);
}

void RoutingViewTest::dragDoesNotSelect() {
    QTest::mousePress(map(), Qt::LeftButton, {}, pixel(3, 2));
    QTest::mouseMove(map(), pixel(4, 9));
    QTest::mouseRelease(map(), Qt::LeftButton, {}, pixel(4, 9));
    QVERIFY(!selection->layer());
}

void RoutingViewTest::keyboardMovesAndSelects() {
    QSignalSpy hover(view.get(), &RoutingView::hoverText);
    map()->setFocus();
    QTest::keyClick(map(), Qt::Key_Down);  // the first key sets the cursor on the first cell
    QCOMPARE(map()->cursor().value(), (MapCell{1, 0}));
    QTest::keyClick(map(), Qt::Key_Down);
    QTest::keyClick(map(), Qt::Key_Right);
    QCOMPARE(map()->cursor().value(), (MapCell{2, 1}));
    QVERIFY(hover.last().first().toString().startsWith(QStringLiteral("layer 2 · expert 1")));
    QVERIFY(!selection->layer());
    QTest::keyClick(map(), Qt::Key_Return);
    QCOMPARE(selection->layer(), std::optional(2));
    QCOMPARE(selection->expert(), std::optional(1));
    QTest::keyClick(map(), Qt::Key_End);
    QTest::keyClick(map(), Qt::Key_PageDown);
    QCOMPARE(map()->cursor().value(), (MapCell{6, 31}));  // the MTP layer follows the last
    QTest::keyClick(map(), Qt::Key_Right);
    QTest::keyClick(map(), Qt::Key_Down);
    QCOMPARE(map()->cursor().value(), (MapCell{6, 31}));
    QTest::keyClick(map(), Qt::Key_Home);
    QTest::keyClick(map(), Qt::Key_PageUp);
    QCOMPARE(map()->cursor().value(), (MapCell{1, 0}));  // not onto the dense layer
}

void RoutingViewTest::phaseFilterChangesNumbers() {
    view->setPhases(bit(Phase::Decode));
    QCOMPARE(map()->drawnValue({1, 0}), 0.0);
    QCOMPARE(map()->drawnValue({1, 8}), std::log2(1.0 + 8.0));
    QVERIFY(std::isnan(map()->drawnValue({6, 20})));  // no drafts: hatched
    QVERIFY(view->cellText(1, 8).endsWith(QStringLiteral("n = 1")));

    QSignalSpy settings(view.get(), &RoutingView::settingsChanged);
    auto* rejected = view->findChild<QCheckBox*>(QStringLiteral("phase3"));
    QVERIFY(rejected != nullptr && !rejected->isChecked());
    rejected->click();
    QCOMPARE(view->phases(), bit(Phase::Decode) | bit(Phase::Rejected));
    QCOMPARE(settings.count(), 1);
    QCOMPARE(map()->drawnValue({1, 16}), std::log2(1.0 + 4.0));
}

void RoutingViewTest::gateMass() {
    view->setMode(RoutingView::Mode::GateMass);
    // A token's weights are .1 .2 .3 .4; layer 1: expert 3 holds 3 * .4 of 4 * 1.
    const double expected = 1.2 * 32 / 4;
    QVERIFY(std::abs(std::exp2(map()->drawnValue({1, 3})) - 1 - expected) < 1e-5);
    const auto load = demoLoad();
    for (int expert = 0; expert < 32; ++expert) {
        const double own = std::exp2(map()->drawnValue({4, expert})) - 1;
        QVERIFY(std::abs(own - load->relativeGateMass(3, expert, kDefaultPhases)) < 1e-9);
    }
    QVERIFY(view->cellText(1, 3).contains(QStringLiteral("gate mass 9.6× · chosen 3 times")));
}

void RoutingViewTest::valuesOfEveryMode_data() {
    QTest::addColumn<int>("mode");
    QTest::addColumn<bool>("continues");
    QTest::newRow("load") << static_cast<int>(RoutingMode::RelativeLoad) << false;
    QTest::newRow("mass") << static_cast<int>(RoutingMode::GateMass) << false;
    QTest::newRow("z") << static_cast<int>(RoutingMode::ZScore) << false;
    QTest::newRow("difference") << static_cast<int>(RoutingMode::Difference) << false;
    QTest::newRow("since") << static_cast<int>(RoutingMode::Difference) << true;
}

void RoutingViewTest::valuesOfEveryMode() {
    QFETCH(int, mode);
    QFETCH(bool, continues);
    Traffic traffic(demoShape());
    traffic.add(70, Phase::Prefill);
    RoutingInput input;
    input.reference = traffic.load();  // no MTP: the difference has none either
    traffic.add(90, Phase::Decode);
    traffic.add(50, Phase::Rejected);
    traffic.add(120, Phase::Draft, true);
    input.load = traffic.load();
    input.continuesReference = continues;
    input.mode = static_cast<RoutingMode>(mode);
    for (const unsigned phases : {kDefaultPhases, kAllTokens, bit(Phase::Decode)}) {
        input.phases = phases;
        for (const ExpertOrder order : {ExpertOrder::ById, ExpertOrder::ByLoad}) {
            input.order = order;
            const RoutingValues values = routingValues(input);
            QCOMPARE(values.values.size(), std::size_t{6 * 32});
            for (int row = 0; row < 6; ++row) {
                for (int expert = 0; expert < 32; ++expert) {
                    const double own = values.values[static_cast<std::size_t>(row * 32 + expert)];
                    const double expected = naive(input, row, expert);
                    QVERIFY2(near(own, expected),
                             qPrintable(QStringLiteral("row %1 expert %2: %3, expected %4")
                                            .arg(row)
                                            .arg(expert)
                                            .arg(own)
                                            .arg(expected)));
                }
            }
        }
    }
}

void RoutingViewTest::zScoreNeedsTokens() {
    const RoutingShape shape = demoShape();
    QCOMPARE(tokensNeeded(shape), std::int64_t{40});  // 40 * 4 / 32 = 5
    QCOMPARE(tokensNeeded(fullShape()), std::int64_t{160});
    RoutingLoadCounter counter(shape);
    for (int i = 0; i < 39; ++i) {
        counter.add(mainToken(shape, 0, Phase::Decode), false);
    }
    view->setMode(RoutingView::Mode::ZScore);
    view->setLoad(counter.snapshot());
    QVERIFY(std::isnan(map()->drawnValue({1, 0})));
    QVERIFY(allText(*view).contains(QStringLiteral("not enough tokens in layer 1: n = 39")));
    QVERIFY(view->cellText(1, 0).contains(QStringLiteral("not enough tokens: n must be 40")));
    QVERIFY(!view->tableText(u',').contains(QStringLiteral("nan")));
    // Hatched: more than one colour around the middle of a cell.
    const QImage hatched = map()->grab().toImage().copy(QRect(pixel(3, 9), QSize(16, 16)));
    bool varies = false;
    for (int i = 0; i < 256; ++i) {
        varies = varies || hatched.pixel(i % 16, i / 16) != hatched.pixel(0, 0);
    }
    QVERIFY(varies);

    counter.add(mainToken(shape, 0, Phase::Decode), false);
    view->setLoad(counter.snapshot());
    // 40 times of 40, 5 expected: (40 - 5) / sqrt(5 * 7 / 8).
    QVERIFY(near(map()->drawnValue({1, 0}), 35 / std::sqrt(4.375)));
    QVERIFY(near(map()->drawnValue({1, 20}), -5 / std::sqrt(4.375)));
    QVERIFY(std::isnan(map()->drawnValue({6, 20})));  // the MTP layer has an n of its own: 0
    QVERIFY2(view->cellText(1, 0).contains(
                 QStringLiteral("z +16.7332 · chosen 40 times, 5.00 expected · n = 40")),
             qPrintable(view->cellText(1, 0)));
}

void RoutingViewTest::zScoreNoteCountsCells() {
    const RoutingShape shape = demoShape();
    RoutingLoadCounter counter(shape);
    for (int i = 0; i < 40; ++i) {
        counter.add(mainToken(shape, 0, Phase::Decode), false);
    }
    view->setLoad(counter.snapshot());
    view->setMode(RoutingView::Mode::ZScore);
    // Every expert is far out: 4 hot ones, the others never chosen at -2.39.
    QVERIFY(allText(*view).contains(QStringLiteral("|z| ≥ 1.96 for 100")));
    QVERIFY(allText(*view).contains(QStringLiteral("in all layers")));
    selection->setLayer(2);
    QVERIFY(allText(*view).contains(QStringLiteral("in layer 2")));
    selection->setLayer(6);
    QVERIFY(allText(*view).contains(QStringLiteral("not enough tokens in MTP layer: n = 0")));
}

void RoutingViewTest::scaleHoldsAllButTheOutermost() {
    std::vector<double> values(100, -3.0);
    QCOMPARE(divergingLimit(values, 4), 4.0);
    QCOMPARE(divergingLimit(values, 1), 4.0);
    values[0] = 1000;
    values[1] = std::nan("");
    QCOMPARE(divergingLimit(values, 4), 4.0);  // one of a hundred
    std::fill_n(values.begin(), 5, 30.0);
    QCOMPARE(divergingLimit(values, 4), 32.0);
    QCOMPARE(divergingLimit({}, 4), 4.0);
    QCOMPARE(divergingLimit({std::nan("")}, 0.5), 0.5);
}

void RoutingViewTest::sortedByLoad() {
    Traffic traffic(demoShape());
    traffic.add(60, Phase::Decode);
    const auto load = traffic.load();
    view->setLoad(load);
    view->setOrder(RoutingView::Order::ByLoad);
    map()->replot();
    for (int row = 0; row < 5; ++row) {
        const int layer = load->layerOfRow(row);
        QSet<int> seen;
        std::int64_t previous = std::numeric_limits<std::int64_t>::max();
        for (int column = 0; column < 32; ++column) {
            const QPointF place(map()->xAxis->coordToPixel(column),
                                map()->yAxis->coordToPixel(layer));
            const MapCell cell = map()->cellAt(place).value();
            QCOMPARE(map()->pixelOf(cell), place);
            const std::int64_t count = load->count(row, cell.expert, kDefaultPhases);
            QVERIFY(count <= previous);
            previous = count;
            seen.insert(cell.expert);
            QVERIFY(near(map()->drawnValue(cell),
                         std::log2(1 + load->relativeLoad(row, cell.expert, kDefaultPhases))));
            QVERIFY(view->cellText(layer, cell.expert)
                        .contains(QStringLiteral("expert %1 · rank %2 by load · load")
                                      .arg(cell.expert)
                                      .arg(column)));
        }
        QCOMPARE(seen.size(), 32);
    }
    // The table keeps its columns.
    const QString sorted = view->tableText();
    const MapCell first =
        map()->cellAt({map()->xAxis->coordToPixel(0), map()->yAxis->coordToPixel(3)}).value();
    QTest::mouseClick(map(), Qt::LeftButton, {}, pixel(3, first.expert));
    QCOMPARE(selection->expert(), std::optional(first.expert));
    view->setOrder(RoutingView::Order::ById);
    QCOMPARE(view->tableText(), sorted);
    QCOMPARE(map()->xAxis->label(), QStringLiteral("expert (4 groups of 8)"));
}

void RoutingViewTest::sortedCursorFollowsItsExpert() {
    view->setOrder(RoutingView::Order::ByLoad);
    map()->setFocus();
    QTest::keyClick(map(), Qt::Key_Down);
    QTest::keyClick(map(), Qt::Key_Right);
    QCOMPARE(map()->cursor().value(), (MapCell{1, 1}));  // 0..3 three times each, ties by id
    const RoutingShape shape = demoShape();
    RoutingLoadCounter counter(shape);
    for (int i = 0; i < 3; ++i) {
        counter.add(mainToken(shape, 20, Phase::Decode), false);
    }
    view->setLoad(counter.snapshot());  // now 20..23 lead; expert 1 lies behind them
    QCOMPARE(map()->cursor().value(), (MapCell{1, 1}));
    QTest::keyClick(map(), Qt::Key_Left);
    QCOMPARE(map()->cursor().value(), (MapCell{1, 0}));
    QTest::keyClick(map(), Qt::Key_Left);
    QCOMPARE(map()->cursor().value(), (MapCell{1, 23}));
    QTest::keyClick(map(), Qt::Key_Down);  // the same column: layer 2 leads with 21..24
    QCOMPARE(map()->cursor().value(), (MapCell{2, 24}));
}

void RoutingViewTest::differenceSinceThePin() {
    const RoutingShape shape = demoShape();
    view->setMode(RoutingView::Mode::Difference);
    QVERIFY(allText(*view).contains(QStringLiteral("No reference is pinned.")));
    RoutingLoadCounter counter(shape);
    for (int i = 0; i < 40; ++i) {
        counter.add(mainToken(shape, 0, Phase::Prefill), false);
    }
    view->setLoad(counter.snapshot());
    view->pinReference();
    QVERIFY(allText(*view).contains(QStringLiteral("No tokens since the pin")));
    for (int i = 0; i < 80; ++i) {
        counter.add(mainToken(shape, i % 2, Phase::Decode), false);
    }
    view->setLoad(counter.snapshot());
    // Layer 1. Expert 0: 8 before; since then 40 of 80: 4. Expert 4: 40 of 80, never before.
    QCOMPARE(map()->drawnValue({1, 0}), -4.0);
    QCOMPARE(map()->drawnValue({1, 1}), 0.0);
    QCOMPARE(map()->drawnValue({1, 4}), 4.0);
    QCOMPARE(view->cellText(1, 0),
             QStringLiteral("layer 1 · expert 0 · difference −4 · since the pin 4× (chosen 40 "
                            "times, n = 80) · reference 8× (chosen 40 times, n = 40)"));
    // While counts only grow, the note follows four times a second.
    QTRY_VERIFY(allText(*view).contains(QStringLiteral("since the pin n = 80")));
    const QString note = allText(*view);
    QVERIFY2(note.contains(QStringLiteral("since the pin n = 80 · reference n = 40")),
             qPrintable(note));
    // sqrt(7 * (1/80 + 1/40)) = 0.512
    QVERIFY2(note.contains(QStringLiteral("±0.512")), qPrintable(note));
    const QStringList lines = view->tableText(u',').split(u'\n');
    QVERIFY(lines[0].startsWith(QStringLiteral("layer,measure,phases,n,reference n,expert 0")));
    QVERIFY2(lines[1].contains(QStringLiteral(",80,40,-4,0,0,0,4,")), qPrintable(lines[1]));
    view->unpinReference();
    QVERIFY(!view->reference());
    QVERIFY(allText(*view).contains(QStringLiteral("No reference is pinned.")));
}

void RoutingViewTest::differenceToAnotherSession() {
    const RoutingShape shape = demoShape();
    RoutingLoadCounter counter(shape);
    for (int i = 0; i < 40; ++i) {
        counter.add(mainToken(shape, 0, Phase::Prefill), false);
    }
    view->setLoad(counter.snapshot());
    view->setMode(RoutingView::Mode::Difference);
    view->pinReference();
    view->hide();  // a session may change meanwhile
    view->setLoad(RoutingLoadCounter(shape).snapshot());
    RoutingLoadCounter other(shape);
    for (int i = 0; i < 200; ++i) {
        other.add(mainToken(shape, 8, Phase::Prefill), false);
    }
    view->setLoad(other.snapshot());
    view->show();
    // All 200 count, though 200 > 40 as in a session that went on.
    QCOMPARE(map()->drawnValue({1, 8}), 8.0);
    QCOMPARE(map()->drawnValue({1, 0}), -8.0);
    QVERIFY(allText(*view).contains(QStringLiteral("this session n = 200 · reference n = 40")));
}

void RoutingViewTest::differenceOfAnotherModel() {
    view->pinReference();
    const RoutingShape shape = fullShape();
    RoutingLoadCounter counter(shape);
    counter.add(mainToken(shape, 0, Phase::Prefill), false);
    view->setLoad(counter.snapshot());
    view->setMode(RoutingView::Mode::Difference);
    QVERIFY(allText(*view).contains(QStringLiteral("reference is of another model")));
    QVERIFY(view->cellText(3, 200).contains(QStringLiteral("not enough tokens")));
}

void RoutingViewTest::pinByKey() {
    const auto load = demoLoad();
    view->setLoad(load);
    map()->setFocus();
    QTest::keyClick(map(), Qt::Key_P);
    QCOMPARE(view->reference(), load);
    QVERIFY(view->findChild<QAction*>(QStringLiteral("unpin"))->isEnabled());
    QTest::keyClick(map(), Qt::Key_U);
    QVERIFY(!view->reference());
    QVERIFY(!view->findChild<QAction*>(QStringLiteral("unpin"))->isEnabled());
    QSignalSpy settings(view.get(), &RoutingView::settingsChanged);
    QTest::keyClick(map(), Qt::Key_S);
    QCOMPARE(view->order(), RoutingView::Order::ByLoad);
    QTest::keyClick(map(), Qt::Key_S);
    QCOMPARE(view->order(), RoutingView::Order::ById);
    QCOMPARE(settings.count(), 2);
}

void RoutingViewTest::specialTokensAreApart() {
    const RoutingShape shape = demoShape();
    RoutingLoadCounter counter(shape);
    counter.add(mainToken(shape, 0, Phase::Prefill), false);
    RoutedToken begin = mainToken(shape, 12, Phase::Prefill);
    begin.special = true;
    counter.add(begin, false);
    view->setLoad(counter.snapshot());
    QCOMPARE(map()->drawnValue({1, 12}), 0.0);
    QCOMPARE(map()->drawnValue({1, 0}), std::log2(1.0 + 8.0));
    auto* box = view->findChild<QCheckBox*>(QStringLiteral("special"));
    QVERIFY(box != nullptr && !box->isChecked() && !box->toolTip().isEmpty());
    QSignalSpy settings(view.get(), &RoutingView::settingsChanged);
    box->click();
    QCOMPARE(settings.count(), 1);
    QCOMPARE(view->phases(), kDefaultPhases | kSpecialTokens);
    QCOMPARE(map()->drawnValue({1, 12}), std::log2(1.0 + 4.0));
    QVERIFY(view->cellText(1, 12).endsWith(QStringLiteral("n = 2")));
    QVERIFY(view->tableText().contains(QStringLiteral("prefill + decode + draft + special")));
}

void RoutingViewTest::settings() {
    view->setMode(static_cast<RoutingView::Mode>(99));
    view->setMode(static_cast<RoutingView::Mode>(-1));
    QCOMPARE(view->mode(), RoutingView::Mode::RelativeLoad);
    view->setOrder(static_cast<RoutingView::Order>(2));
    QCOMPARE(view->order(), RoutingView::Order::ById);
    view->setPhases(~0U);
    QCOMPARE(view->phases(), kAllTokens);
    QSignalSpy changed(view.get(), &RoutingView::settingsChanged);
    view->setMode(RoutingView::Mode::ZScore);
    view->setOrder(RoutingView::Order::ByLoad);
    QCOMPARE(changed.count(), 0);  // not by the person
}

void RoutingViewTest::everyModeIsExported() {
    Traffic traffic(demoShape());
    traffic.add(100, Phase::Prefill);
    view->setLoad(traffic.load());
    view->pinReference();
    traffic.add(100, Phase::Decode);
    traffic.add(60, Phase::Draft, true);
    view->setLoad(traffic.load());
    const auto token = std::make_shared<RoutedToken>(mainToken(demoShape(), 4, Phase::Decode, 7));
    view->setToken(token, nullptr);
    view->resize(360, 260);  // small pictures are written fast
    QTemporaryDir folder;
    for (int mode = 0; mode < kRoutingModes; ++mode) {
        view->setMode(static_cast<RoutingView::Mode>(mode));
        QVERIFY(map()->isVisible());
        const QStringList lines = view->tableText(u',').split(u'\n');
        QCOMPARE(lines.size(), 1 + 6 + 1);
        const int columns = static_cast<int>(lines[0].count(u','));
        for (int row = 0; row < 6; ++row) {
            QCOMPARE(static_cast<int>(lines[row + 1].count(u',')), columns);
        }
        for (const char* suffix : {"png", "svg", "pdf"}) {
            const QString file =
                folder.filePath(QStringLiteral("%1.").arg(mode) + QLatin1String(suffix));
            savePicture(map(), file);
            QVERIFY(QFileInfo(file).size() > 1000);
        }
    }
}

void RoutingViewTest::hoverFollowsNewValues() {
    QSignalSpy hover(view.get(), &RoutingView::hoverText);
    QTest::mouseMove(map(), pixel(3, 2));
    QVERIFY(hover.last().first().toString().endsWith(QStringLiteral("n = 4")));
    const RoutingShape shape = demoShape();
    RoutingLoadCounter counter(shape);
    counter.add(mainToken(shape, 0, Phase::Decode), false);
    view->setLoad(counter.snapshot());
    QVERIFY(hover.last().first().toString().endsWith(QStringLiteral("n = 1")));
    view->setLoad(nullptr);
    QCOMPARE(hover.last().first().toString(), QString());
}

void RoutingViewTest::thisToken() {
    view->setMode(RoutingView::Mode::ThisToken);
    QVERIFY(allText(*view).contains(QStringLiteral("Select a token in the transcript")));
    const RoutingShape shape = demoShape();
    view->setToken(std::make_shared<RoutedToken>(mainToken(shape, 4, Phase::Decode, 7)), nullptr);
    QVERIFY(allText(*view).contains(QStringLiteral("token 7 · its 4 experts")));
    QCOMPARE(map()->drawnValue({1, 7}), static_cast<double>(0.4F));
    QCOMPARE(map()->drawnValue({5, 8}), static_cast<double>(0.1F));  // row 4 starts at 8
    QCOMPARE(map()->drawnValue({1, 8}), 0.0);
    QVERIFY(std::isnan(map()->drawnValue({6, 0})));
    QCOMPARE(view->cellText(1, 7),
             QStringLiteral("layer 1 · expert 7 · weight 0.4 · choice 4 of 4"));
    QCOMPARE(view->cellText(1, 8), QStringLiteral("layer 1 · expert 8 · not chosen by token 7"));
    view->setToken(nullptr, std::make_shared<RoutedToken>(tokenFrom(shape, 1, 0, Phase::Draft)));
    QCOMPARE(map()->drawnValue({6, 0}), static_cast<double>(0.1F));
    QVERIFY(std::isnan(map()->drawnValue({1, 0})));
}

void RoutingViewTest::tokenOfAnotherModelIsNotRead() {
    view->setMode(RoutingView::Mode::ThisToken);
    const auto foreign =
        std::make_shared<RoutedToken>(mainToken(fullShape(), 200, Phase::Decode, 7));
    view->setToken(foreign, foreign);
    QVERIFY(allText(*view).contains(QStringLiteral("Select a token")));
}

void RoutingViewTest::denseAndMtpRows() {
    QCOMPARE(map()->cellAt(map()->pixelOf({0, 5})).value(), (MapCell{0, -1}));
    QCOMPARE(map()->cellAt(map()->pixelOf({6, 5})).value(), (MapCell{6, 5}));
    // Between the last layer and the MTP layer lies a gap of its own.
    const double y5 = map()->pixelOf({5, 0}).y();
    const double y4 = map()->pixelOf({4, 0}).y();
    const double y6 = map()->pixelOf({6, 0}).y();
    QVERIFY(y6 - y5 > 1.1 * (y5 - y4));
    const QPointF gap(map()->pixelOf({5, 5}).x(),
                      (y5 + 0.5 * (y5 - y4) + y6 - 0.5 * (y5 - y4)) / 2);
    QVERIFY(!map()->cellAt(gap));
    QCOMPARE(view->cellText(0, 3), QStringLiteral("layer 0 · dense, no router"));
    QVERIFY(view->cellText(6, 20).startsWith(QStringLiteral("MTP layer 6 · expert 20 · load 8×")));
    QVERIFY(view->cellText(7, 0).isEmpty());
    QVERIFY(view->cellText(1, 32).isEmpty());
}

void RoutingViewTest::nAndUniformNull() {
    const QString note = allText(*view);
    QVERIFY2(note.contains(QStringLiteral("n = 4 tokens")), qPrintable(note));
    QVERIFY2(note.contains(QStringLiteral("a uniform router would show MaxVio")), qPrintable(note));
    QVERIFY2(note.contains(QStringLiteral("the worst, layer 1, shows 5.00")), qPrintable(note));
    selection->setLayer(6);
    QVERIFY(allText(*view).contains(QStringLiteral("n = 2 tokens")));
    QVERIFY(allText(*view).contains(QStringLiteral("MTP layer shows 7.00")));
    QVERIFY(view->accessibleDescription().contains(QStringLiteral("MaxVio")));
}

void RoutingViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 20; ++i) {
        view->setLoad(demoLoad());
    }
    view->setMode(RoutingView::Mode::GateMass);
    view->setOrder(RoutingView::Order::ByLoad);
    view->pinReference();
    selection->setLayer(4);
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
    QVERIFY(allText(*view).contains(QStringLiteral("layer 4 shows")));
}

void RoutingViewTest::selectionIsOutlined() {
    const QImage before = map()->grab().toImage();
    selection->setCell(3, 16);
    QApplication::processEvents();
    const QImage after = map()->grab().toImage();
    QVERIFY(before != after);
    selection->setCell(std::nullopt, std::nullopt);
    QApplication::processEvents();
    QCOMPARE(map()->grab().toImage(), before);
    selection->setCell(99, 16);  // not in this model
    QApplication::processEvents();
    QCOMPARE(map()->grab().toImage(), before);
}

void RoutingViewTest::zoomStaysInsideAndResets() {
    const QCPRange full = map()->xAxis->range();
    QCOMPARE(full, QCPRange(-0.5, 31.5));
    QTest::keyClick(map(), Qt::Key_Plus);
    QVERIFY(map()->xAxis->range().size() < full.size());
    map()->xAxis->moveRange(1000);
    QCOMPARE(map()->xAxis->range().upper, 31.5);
    map()->yAxis->setRange(3.0, 3.001);
    QVERIFY(map()->yAxis->range().size() >= 1.999);
    QTest::keyClick(map(), Qt::Key_0);
    QCOMPARE(map()->xAxis->range(), full);
    QTest::keyClick(map(), Qt::Key_Plus);
    QTest::mouseDClick(map(), Qt::LeftButton, {}, pixel(3, 10));
    QCOMPARE(map()->xAxis->range(), full);
    for (int i = 0; i < 30; ++i) {
        QTest::keyClick(map(), Qt::Key_Plus);
    }
    QTest::keyClick(map(), Qt::Key_End);  // the cursor is brought into the picture
    QVERIFY(map()->xAxis->range().contains(map()->cursor()->expert));
}

void RoutingViewTest::emptyStates() {
    view->setLoad(RoutingLoadCounter(demoShape()).snapshot());
    QVERIFY(allText(*view).contains(
        QStringLiteral("Ask something: the heatmap fills as tokens pass the router.")));
    QVERIFY(!map()->isVisible());
    QVERIFY(view->tableText().isEmpty());
    view->setLoad(nullptr);
    QVERIFY(allText(*view).contains(QStringLiteral("No model is open.")));
    QVERIFY(view->cellText(1, 1).isEmpty());
    view->setLoad(demoLoad());
    QVERIFY(map()->isVisible());
    view->setPhases(0);
    QVERIFY(allText(*view).contains(QStringLiteral("No tokens in the chosen phases")));
}

void RoutingViewTest::oneLayerOneGroup() {
    RoutingShape shape = demoShape();
    shape.layers = {0};
    shape.totalLayers = 1;
    shape.mtpLayer = -1;
    shape.groups = 1;
    shape.topkGroups = 1;
    RoutingLoadCounter counter(shape);
    counter.add(mainToken(shape, 0, Phase::Prefill), false);
    view->setLoad(counter.snapshot());
    map()->replot();
    QCOMPARE(map()->drawnValue({0, 3}), std::log2(1.0 + 8.0));
    const QPoint point = map()->mapTo(view.get(), pixel(0, 3));
    QCOMPARE(QColor(view->grab().toImage().pixel(point)), QColor(253, 231, 37));
    QTest::mouseClick(map(), Qt::LeftButton, {}, pixel(0, 3));
    QCOMPARE(selection->layer(), std::optional(0));
}

void RoutingViewTest::copyAndSave() {
    const QStringList lines = view->tableText(u',').split(u'\n');
    QCOMPARE(lines.size(), 1 + 6 + 1);
    QVERIFY(lines[0].startsWith(QStringLiteral("layer,measure,phases,n,expert 0,expert 1")));
    QVERIFY(lines[1].startsWith(
        QStringLiteral("1,relative load,prefill + decode + draft,4,6,6,6,6,0")));
    QVERIFY(lines[6].contains(QStringLiteral(",2,0,0")));

    map()->setFocus();
    QTest::keyClick(map(), Qt::Key_Down);
    for (QAction* action : map()->actions()) {
        if (action->shortcut() == QKeySequence(QKeySequence::Copy)) {
            action->trigger();
        }
    }
    QVERIFY(QApplication::clipboard()->text().startsWith(QStringLiteral("layer 1 · expert 0")));

    QTemporaryDir folder;
    for (const char* suffix : {"png", "svg", "pdf"}) {
        const QString file = folder.filePath(QStringLiteral("map.") + QLatin1String(suffix));
        savePicture(map(), file);
        QVERIFY(QFileInfo(file).size() > 1000);
    }
    QCOMPARE(QImage(folder.filePath(QStringLiteral("map.png"))).size(), 2 * map()->size());
    QVERIFY_EXCEPTION_THROWN(savePicture(map(), QStringLiteral("/nowhere/map.png")), Error);
    QVERIFY_EXCEPTION_THROWN(savePicture(map(), QStringLiteral("/nowhere/map.svg")), Error);
    QVERIFY_EXCEPTION_THROWN(savePicture(map(), folder.filePath(QStringLiteral("map.gif"))), Error);
    QVERIFY_EXCEPTION_THROWN(saveText(QStringLiteral("x"), QStringLiteral("/nowhere/t.csv")),
                             Error);
}

void RoutingViewTest::followsTheTheme() {
    const auto corner = [this] { return QColor(view->grab().toImage().pixel(3, 495)); };
    QVERIFY(corner().lightness() > 200);
    applyTheme(Theme::Dark);
    QApplication::processEvents();
    QVERIFY(corner().lightness() < 80);
    QVERIFY(map()->yAxis->tickLabelColor().lightness() > 120);
    applyTheme(Theme::Light);
}

QTEST_MAIN(RoutingViewTest)
#include "routing_view_test.moc"
