// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/selection.h"

#include <QSignalSpy>
#include <QTest>

using gatescope::Selection;
using gatescope::SelectionPoint;

class SelectionTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void everyPartIsOptional();
    void unchangedSetterIsSilent();
    void backAndForwardLikeABrowser();
    void newStepForgetsForward();
    void otherSessionClearsPosition();
    void replaceLeavesNoStep();
    void historyIsBounded();
    void resetForgets();
};

void SelectionTest::everyPartIsOptional() {
    Selection selection;
    QVERIFY(!selection.session() && !selection.position() && !selection.layer() &&
            !selection.expert());
    selection.setCell(29, 121);
    selection.setPosition(7);
    QCOMPARE(selection.layer(), std::optional(29));
    QCOMPARE(selection.expert(), std::optional(121));
    QCOMPARE(selection.position(), std::optional<std::int32_t>(7));
    selection.setExpert(std::nullopt);
    QVERIFY(!selection.expert());
    QCOMPARE(selection.layer(), std::optional(29));
}

void SelectionTest::unchangedSetterIsSilent() {
    Selection selection;
    selection.setLayer(3);
    QSignalSpy changed(&selection, &Selection::changed);
    selection.setLayer(3);
    selection.setCell(3, std::nullopt);
    selection.replace(selection.current());
    QCOMPARE(changed.count(), 0);
    selection.setCell(4, 5);
    QCOMPARE(changed.count(), 1);  // one step for both parts
    selection.back();
    QCOMPARE(selection.layer(), std::optional(3));
}

void SelectionTest::backAndForwardLikeABrowser() {
    Selection selection;
    QVERIFY(!selection.canGoBack());
    selection.setLayer(1);
    selection.setLayer(2);
    QSignalSpy changed(&selection, &Selection::changed);
    selection.back();
    QCOMPARE(selection.layer(), std::optional(1));
    QVERIFY(selection.canGoForward());
    selection.back();
    QVERIFY(!selection.layer());
    QVERIFY(!selection.canGoBack());
    selection.back();  // nothing before the first
    QCOMPARE(changed.count(), 2);
    selection.forward();
    selection.forward();
    selection.forward();
    QCOMPARE(selection.layer(), std::optional(2));
    QCOMPARE(changed.count(), 4);
}

void SelectionTest::newStepForgetsForward() {
    Selection selection;
    selection.setLayer(1);
    selection.setLayer(2);
    selection.back();
    selection.setLayer(9);
    QVERIFY(!selection.canGoForward());
    selection.back();
    QCOMPARE(selection.layer(), std::optional(1));
}

void SelectionTest::otherSessionClearsPosition() {
    Selection selection;
    selection.setSession(1);
    selection.setPosition(40);
    selection.setLayer(5);
    selection.setSession(2);
    QVERIFY(!selection.position());
    QCOMPARE(selection.layer(), std::optional(5));
    selection.back();
    QCOMPARE(selection.session(), std::optional<std::int64_t>(1));
    QCOMPARE(selection.position(), std::optional<std::int32_t>(40));
}

void SelectionTest::replaceLeavesNoStep() {
    Selection selection;
    selection.setLayer(1);
    for (int position = 0; position < 50; ++position) {
        SelectionPoint point = selection.current();
        point.position = position;
        selection.replace(point);
    }
    QCOMPARE(selection.position(), std::optional<std::int32_t>(49));
    selection.back();
    QVERIFY(!selection.canGoBack());
}

void SelectionTest::historyIsBounded() {
    Selection selection;
    for (int layer = 0; layer < 1000; ++layer) {
        selection.setLayer(layer);
    }
    int steps = 0;
    for (; selection.canGoBack(); ++steps) {
        selection.back();
    }
    QCOMPARE(steps, 199);
    QCOMPARE(selection.layer(), std::optional(800));
}

void SelectionTest::resetForgets() {
    Selection selection;
    selection.setLayer(1);
    selection.setLayer(2);
    QSignalSpy changed(&selection, &Selection::changed);
    selection.reset();
    selection.reset();
    QCOMPARE(changed.count(), 1);
    QVERIFY(!selection.layer() && !selection.canGoBack() && !selection.canGoForward());
}

QTEST_MAIN(SelectionTest)
#include "selection_test.moc"
