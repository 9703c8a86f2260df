// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/routing_view.h"

#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QLabel>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

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
        QVERIFY(std::abs(own - load->relativeGateMass(3, expert, kDefaultPhases)) <
                1e-9);
    }
    QVERIFY(view->cellText(1, 3).contains(QStringLiteral("gate mass 9.6× · chosen 3 times")));
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
    QVERIFY(lines[0].startsWith(QStringLiteral("layer,n,expert 0,expert 1")));
    QVERIFY(lines[1].startsWith(QStringLiteral("1,4,6,6,6,6,0")));
    QVERIFY(lines[6].startsWith(QStringLiteral("6,2,0,0")));

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
