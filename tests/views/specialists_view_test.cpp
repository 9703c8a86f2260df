// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/specialists_view.h"

#include <QApplication>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTest>
#include <cmath>
#include <random>

#include "tests/views/synthetic_routing.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/specialists_map.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

constexpr int kDomains = 3;

/// Three domains, 600 tokens each but 20 of "rare"; expert 5 of layer 3 serves "sums", expert 9 of
/// layer 1 "code" in the first half only.
std::shared_ptr<const SpecialisationValue> value() {
    const RoutingShape shape = demoShape();
    SpecialisationCounter counter(shape, {"sums", "code", "rare"});
    std::mt19937 random(5);
    for (int i = 0; i < 1220; ++i) {
        const int domain = i >= 1200 ? 2 : i % 2;
        const int half = i / 2 % 2;
        RoutedToken token = mainToken(shape, static_cast<int>(random() % 32), Phase::Prefill, i);
        token.tokenId = domain * 10 + i % 3;
        const auto plant = [&](std::size_t row, std::uint16_t expert) {
            if (random() % 10 < 8) token.routing.experts[row * 4] = expert;
        };
        if (domain == 0) plant(2, 5);
        if (domain == 1 && half == 0) plant(0, 9);
        counter.add(token, false, domain, half);
    }
    const auto bytes = [](std::int32_t id) {
        return id == 0 ? std::string("\x1b[31m=") : "t" + std::to_string(id);
    };
    return counter.value(bytes);
}

}  // namespace

class SpecialistsViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup() { view.reset(); }
    void emptyStatesSayWhatToDo();
    void listNamesSpecialistsAndSelects();
    void listSortsByHeader();
    void mapShowsLiftAndHatchesWhatIsTooFew();
    void mapByKeyboardAndSelection();
    void tokensOfTheSelectedExpert();
    void replicationHasEveryLayer();
    void progressAndCancel();
    void messages();
    void hiddenViewDoesNotCompute();

  private:
    template <class T>
    T* child(const char* name = "") const {
        return view->findChild<T*>(QLatin1String(name));
    }
    NumberTable* list() const { return child<NumberTable>("specialists"); }
    SpecialistsMap* map() const { return view->findChild<SpecialistsMap*>(); }
    void showTab(int index) const {
        view->findChild<QTabWidget*>()->setCurrentIndex(index);
        QApplication::processEvents();
    }
    QString labels() const {
        QString text;
        for (const QLabel* label : view->findChildren<QLabel*>()) {
            if (label->isVisibleTo(view.get())) text += label->text() + u'\n';
        }
        return text;
    }

    Selection selection;
    std::unique_ptr<SpecialistsView> view;
};

void SpecialistsViewTest::init() {
    selection.reset();
    view = std::make_unique<SpecialistsView>(&selection);
    view->setModel(true, true);
    view->setValue(value());
    view->resize(480, 400);
    view->show();
    QApplication::processEvents();
}

void SpecialistsViewTest::emptyStatesSayWhatToDo() {
    view->setValue(nullptr);
    QVERIFY(labels().contains(QStringLiteral("Run prompts of which is known")));
    QSignalSpy run(view.get(), &SpecialistsView::runDemoRequested);
    auto* demo = child<QPushButton>("runDemo");
    QVERIFY(demo->isVisible());
    QTest::mouseClick(demo, Qt::LeftButton);
    QCOMPARE(run.count(), 1);
    view->setModel(true, false);  // another model has no prompt set of its own
    QVERIFY(!demo->isVisible());
    QVERIFY(child<QPushButton>("runFile")->isVisible());
    view->setModel(false, false);
    QVERIFY(labels().contains(QStringLiteral("No model is open.")));
    QVERIFY(!child<QPushButton>("runFile")->isVisible());
}

void SpecialistsViewTest::listNamesSpecialistsAndSelects() {
    showTab(1);
    QCOMPARE(list()->rowCount(), 2);
    QCOMPARE(list()->item(0, 0)->text(), QStringLiteral("sums"));  // the replicated one first
    QCOMPARE(list()->item(0, 1)->text(), QStringLiteral("3"));
    QCOMPARE(list()->item(0, 2)->text(), QStringLiteral("5"));
    QCOMPARE(list()->item(1, 0)->text(), QStringLiteral("code"));
    QVERIFY(labels().contains(QStringLiteral("1 of 2 specialists replicated")));
    // What is not found in both halves recedes.
    QVERIFY(!list()->item(0, 0)->data(Qt::ForegroundRole).isValid());
    QVERIFY(list()->item(1, 0)->data(Qt::ForegroundRole).isValid());
    QTest::mouseClick(list()->viewport(), Qt::LeftButton, {},
                      list()->visualItemRect(list()->item(1, 0)).center());
    QCOMPARE(selection.layer().value_or(-1), 1);
    QCOMPARE(selection.expert().value_or(-1), 9);
    QVERIFY(labels().contains(QStringLiteral("layer 1 expert 9: code")));
    QVERIFY(labels().contains(QStringLiteral("not in both halves")));
    QVERIFY(view->tableText().startsWith(QStringLiteral("domain\tlayer\texpert\tratio")));
}

void SpecialistsViewTest::listSortsByHeader() {
    showTab(1);
    const auto click = [this](int column) {
        QHeaderView* header = list()->horizontalHeader();
        const QPoint at(header->sectionViewportPosition(column) + 5, header->height() / 2);
        QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, at);
    };
    click(1);  // by layer
    QCOMPARE(list()->item(0, 1)->text(), QStringLiteral("1"));
    click(1);
    QCOMPARE(list()->item(0, 1)->text(), QStringLiteral("3"));
    click(0);
    QCOMPARE(list()->item(0, 0)->text(), QStringLiteral("code"));
    // The row stands for the specialist that is shown in it.
    QTest::mouseClick(list()->viewport(), Qt::LeftButton, {},
                      list()->visualItemRect(list()->item(0, 0)).center());
    QCOMPARE(selection.expert().value_or(-1), 9);
}

void SpecialistsViewTest::mapShowsLiftAndHatchesWhatIsTooFew() {
    const auto shown = value();
    selection.setCell(3, 5);
    const double lift = shown->lift(shown->rowOfLayer(3), 5, 0);
    QVERIFY(lift > 5);
    QCOMPARE(map()->drawnValue({0, 5}), std::log2(1 + lift));
    QVERIFY(std::isnan(map()->drawnValue({2, 5})));  // 20 tokens, 49 needed
    QSignalSpy hover(view.get(), &SpecialistsView::hoverText);
    QTest::mouseMove(map(), map()->pixelOf({0, 5}).toPoint());
    const QString text = hover.last().first().toString().replace(QChar(0x202F), u' ');
    QVERIFY2(text.contains(QStringLiteral("Layer 3, expert 5, sums: chosen for")),
             qPrintable(text));
    QVERIFY2(text.contains(QStringLiteral("of 600 tokens")), qPrintable(text));
    QTest::mouseMove(map(), map()->pixelOf({2, 5}).toPoint());
    QVERIFY(hover.last().first().toString().contains(QStringLiteral("not enough tokens")));
    // A layer without a router leaves the shown one alone; the MTP layer saw no token.
    selection.setCell(6, 1);
    QVERIFY(std::isnan(map()->drawnValue({0, 5})));
    QCOMPARE(child<QComboBox>("layer")->currentText(), QStringLiteral("Layer 6 (MTP)"));
}

void SpecialistsViewTest::mapByKeyboardAndSelection() {
    selection.setLayer(1);
    map()->setFocus();
    QSignalSpy hover(view.get(), &SpecialistsView::hoverText);
    QTest::keyClick(map(), Qt::Key_Down);
    for (int i = 0; i < 9; ++i) QTest::keyClick(map(), Qt::Key_Right);
    QTest::keyClick(map(), Qt::Key_Down);
    QVERIFY(hover.last().first().toString().contains(QStringLiteral("expert 9, code")));
    QTest::keyClick(map(), Qt::Key_Return);
    QCOMPARE(selection.layer().value_or(-1), 1);
    QCOMPARE(selection.expert().value_or(-1), 9);
}

void SpecialistsViewTest::tokensOfTheSelectedExpert() {
    showTab(2);
    QVERIFY(labels().contains(QStringLiteral("Select an expert")));
    selection.setCell(3, 5);
    auto* tokens = child<NumberTable>("tokens");
    QVERIFY(tokens->rowCount() >= 3);
    QVERIFY(labels().contains(QStringLiteral("Layer 3, expert 5")));
    QString names;
    for (int row = 0; row < 3; ++row) names += tokens->item(row, 0)->text();
    QVERIFY(names.contains(QStringLiteral("t1")));
    QVERIFY2(names.contains(QStringLiteral("\\u001B[31m=")), qPrintable(names));  // made harmless
    QVERIFY(tokens->item(0, 5)->text().endsWith(QChar(0xD7)));
}

void SpecialistsViewTest::replicationHasEveryLayer() {
    showTab(3);
    QVERIFY(child<QTabWidget>() != nullptr);
    for (NumberTable* table : view->findChildren<NumberTable*>()) {
        if (!table->isVisible()) continue;
        QCOMPARE(table->rowCount(), 6);
        QCOMPARE(table->item(5, 0)->text(), QStringLiteral("6 (MTP)"));
        QCOMPARE(table->item(0, 4)->text(), QStringLiteral("96"));
        QCOMPARE(table->item(5, 4)->text(), QStringLiteral("0"));
        QCOMPARE(table->item(5, 1)->text(), QString(QChar(0x2013)));
    }
}

void SpecialistsViewTest::progressAndCancel() {
    auto* bar = child<QProgressBar>("progress");
    auto* cancel = child<QPushButton>("cancel");
    QVERIFY(!bar->isVisible());
    view->setProgress(37, 144, QStringLiteral("12 s left"));
    QVERIFY(bar->isVisible());
    QCOMPARE(bar->text(), QStringLiteral("37 of 144 · 12 s left"));
    QVERIFY(!child<QPushButton>("run")->isVisible());
    QSignalSpy cancelled(view.get(), &SpecialistsView::cancelRequested);
    QTest::mouseClick(cancel, Qt::LeftButton);
    QCOMPARE(cancelled.count(), 1);
    view->setProgress(0, 0, {});
    QVERIFY(!bar->isVisible());
    QVERIFY(child<QPushButton>("run")->isVisible());
}

void SpecialistsViewTest::messages() {
    auto* problem = child<QLabel>("problem");
    QVERIFY(!problem->isVisible());
    view->setMessage(QStringLiteral("Stopped: <b>3</b> of 144 prompts"));
    QVERIFY(problem->isVisible());
    QCOMPARE(problem->textFormat(), Qt::PlainText);
    view->setMessage({});
    QVERIFY(!problem->isVisible());
}

void SpecialistsViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 5; ++i) {
        view->setValue(value());
        selection.setCell(1, i);
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
    QCOMPARE(map()->drawnValue({0, 4}) >= 0, true);
}

QTEST_MAIN(SpecialistsViewTest)
#include "specialists_view_test.moc"
