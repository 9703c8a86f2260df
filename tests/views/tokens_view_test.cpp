// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/tokens_view.h"

#include <QApplication>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>
#include <cmath>

#include "synthetic_routing.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/tokens_chart.h"
#include "views/tokens_strip.h"

using namespace gatescope;

namespace {

/// Token i chooses experts i, i + 1, ..; 0..9 are the prompt, 0 is special, the last is not routed.
TokenCell cellOf(int index, int count) {
    TokenCell cell;
    cell.number = index;
    cell.id = 100 + index;
    cell.bytes = index == 0   ? QByteArray("<bos>")
                 : index == 7 ? QByteArray("\xE4")
                 : index == 8 ? QByteArray(" <b>x\n")
                              : QByteArray(" w") + QByteArray::number(index);
    cell.special = index == 0;
    cell.prompt = index < 10;
    if (!cell.prompt) {
        cell.probability = 0.5F;
    }
    cell.draft = index == 11   ? TokenEvent::Draft::Accepted
                 : index == 12 ? TokenEvent::Draft::Rejected
                               : TokenEvent::Draft::None;
    cell.rejectedDraftId = index == 12 ? 77 : -1;
    if (index + 1 < count) {
        RoutedToken token = mainToken(demoShape(), index, Phase::Decode, index);
        token.routing.margins[3] = 0.001F;
        token.routing.biasDecided[2] = 5;
        cell.main = std::make_shared<const RoutedToken>(std::move(token));
    }
    return cell;
}

QString labels(const QWidget& widget) {
    QString text;
    for (const QLabel* label : widget.findChildren<QLabel*>()) {
        if (label->isVisibleTo(&widget)) {
            text += label->text() + u'\n';
        }
    }
    return text;
}

}  // namespace

class TokensViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup();

    void emptyStateSaysWhatToDo();
    void textOfATokenIsVisible();
    void hoverAndHeadSayItAll();
    void keysAndSliderStepThroughTheTokens();
    void aRunOfStepsIsOneStepInTheHistory();
    void clickSelects();
    void followsTheSelection();
    void aHundredThousandTokensAskForAFew();
    void growingTokensKeepThePlace();
    void numbersNeedNotBeIndices();
    void pinAndCompare();
    void pinnedTokenThatWasTakenBackIsForgotten();
    void chartHasKeyboardAndSelectsLayers();
    void damagedRoutingIsOneSentence();
    void followButtonOnlyAsks();
    void draftsInWords();
    void tables();
    void hiddenViewDoesNotCompute();

  private:
    void fill(int count) {
        m_count = count;
        view->setTokens(count, [this, count](int index) {
            ++m_asked;
            return cellOf(index, count);
        });
    }
    TokensStrip* strip() const { return view->findChild<TokensStrip*>(); }
    TokensChart* chart() const { return view->findChild<TokensChart*>(); }
    QSlider* slider() const { return view->findChild<QSlider*>(); }

    std::unique_ptr<Selection> selection;
    std::unique_ptr<TokensView> view;
    int m_count = 0;
    int m_asked = 0;
};

void TokensViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<TokensView>(selection.get());
    view->setShape(demoShape());
    fill(40);
    view->resize(500, 400);
    view->show();
    QApplication::processEvents();
    m_asked = 0;
}

void TokensViewTest::cleanup() {
    view.reset();
    selection.reset();
}

void TokensViewTest::emptyStateSaysWhatToDo() {
    view->setTokens(0, {});
    QVERIFY(labels(*view).contains(QStringLiteral("No tokens yet. Ask something")));
    QCOMPARE(view->accessibleDescription(), labels(*view).trimmed());
    QTest::keyClick(strip(), Qt::Key_Right);
    QTest::keyClick(strip(), Qt::Key_P);
    QVERIFY(!selection->position());
    fill(3);
    QVERIFY(labels(*view).contains(QStringLiteral("3 tokens")));
    QVERIFY(labels(*view).contains(QStringLiteral("No token is selected")));
}

void TokensViewTest::textOfATokenIsVisible() {
    QCOMPARE(stripText(cellOf(7, 40)), QStringLiteral("\\xE4"));
    QCOMPARE(stripText(cellOf(8, 40)), QStringLiteral("␣<b>x\\n"));
    TokenCell none;
    none.id = 5;
    QCOMPARE(stripText(none), QStringLiteral("#5"));
    selection->setPosition(8);
    for (const QLabel* label : view->findChildren<QLabel*>()) {
        QCOMPARE(label->textFormat(), Qt::PlainText);
    }
}

void TokensViewTest::hoverAndHeadSayItAll() {
    selection->setPosition(12);
    const QString text = QStringLiteral(
        "token 12 “ w12” · id 112 · generated · probability 0.5 · in place of a rejected draft (id "
        "77) · smallest margin 0.001 in layer 4 · bias decided 2 of 20 choices");
    QVERIFY2(labels(*view).contains(text), qPrintable(labels(*view)));
    QCOMPARE(view->accessibleDescription(), text);
    QSignalSpy hover(view.get(), &TokensView::hoverText);
    QTest::mouseMove(strip(), strip()->rectOf(11).center().toPoint());
    QVERIFY(hover.last().first().toString().contains(QStringLiteral("accepted draft")));
    selection->setPosition(39);
    QVERIFY(labels(*view).contains(QStringLiteral("not routed yet")));
    selection->setPosition(0);
    QVERIFY(labels(*view).contains(QStringLiteral("prompt, special")));
}

void TokensViewTest::keysAndSliderStepThroughTheTokens() {
    const auto press = [this](Qt::Key key, Qt::KeyboardModifiers modifiers = {}) {
        QTest::keyClick(strip(), key, modifiers);
        return selection->position().value_or(-1);
    };
    QCOMPARE(press(Qt::Key_Right), 0);
    QCOMPARE(press(Qt::Key_Right), 1);
    QCOMPARE(press(Qt::Key_Right, Qt::ControlModifier), 11);
    QCOMPARE(press(Qt::Key_Left), 10);
    QCOMPARE(press(Qt::Key_End), 39);
    QCOMPARE(press(Qt::Key_Right), 39);
    QCOMPARE(press(Qt::Key_Left, Qt::ControlModifier), 29);
    QCOMPARE(press(Qt::Key_Home), 0);
    slider()->setValue(25);
    QCOMPARE(selection->position(), std::optional(25));
    QVERIFY(labels(*view).contains(QStringLiteral("26 of 40")));
    QVERIFY(!strip()->rectOf(25).isEmpty());
}

void TokensViewTest::aRunOfStepsIsOneStepInTheHistory() {
    selection->setCell(2, 5);
    for (int i = 0; i < 10; ++i) {
        QTest::keyClick(strip(), Qt::Key_Right);
    }
    QCOMPARE(selection->position(), std::optional(9));
    selection->back();
    QVERIFY(!selection->position());
    QCOMPARE(selection->expert(), std::optional(5));
    selection->forward();
    QCOMPARE(selection->position(), std::optional(9));
}

void TokensViewTest::clickSelects() {
    const int index = strip()->last() - 1;
    QTest::mouseClick(strip(), Qt::LeftButton, {}, strip()->rectOf(index).center().toPoint());
    QCOMPARE(selection->position(), std::optional(index));
    QCOMPARE(strip()->current(), index);
}

void TokensViewTest::followsTheSelection() {
    for (const int position : {39, 0, 20, 19, 30}) {
        selection->setPosition(position);
        QCOMPARE(strip()->current(), position);
        const QRectF rect = strip()->rectOf(position);
        QVERIFY(rect.left() >= 0 && !rect.isEmpty() && rect.right() <= strip()->width() + 1);
        QCOMPARE(slider()->value(), position);
    }
    selection->setPosition(1000);
    QCOMPARE(strip()->current(), -1);
    QVERIFY(labels(*view).contains(QStringLiteral("No token is selected")));
}

void TokensViewTest::aHundredThousandTokensAskForAFew() {
    fill(100000);
    QVERIFY2(m_asked < 100, qPrintable(QString::number(m_asked)));
    m_asked = 0;
    selection->setPosition(99999);
    selection->setPosition(50000);
    QVERIFY2(m_asked < 300, qPrintable(QString::number(m_asked)));
    QCOMPARE(strip()->current(), 50000);
    view->resize(1000, 400);
    QTest::keyClick(strip(), Qt::Key_End);
    QCOMPARE(strip()->last(), 99999);
    QVERIFY(m_asked < 1000);
}

void TokensViewTest::growingTokensKeepThePlace() {
    selection->setPosition(20);
    const int first = strip()->first();
    for (int count = 41; count < 60; ++count) {
        fill(count);
    }
    QCOMPARE(strip()->first(), first);
    QCOMPARE(slider()->maximum(), 58);
    QCOMPARE(selection->position(), std::optional(20));
    fill(5);  // an answer was taken back
    QCOMPARE(strip()->current(), -1);
    QCOMPARE(strip()->first(), 0);
}

void TokensViewTest::numbersNeedNotBeIndices() {
    view->setTokens(40, [](int index) {
        TokenCell cell = cellOf(index, 40);
        cell.number = 1000 + 3 * index;
        return cell;
    });
    selection->setPosition(1000 + 3 * 17);
    QCOMPARE(strip()->current(), 17);
    selection->setPosition(1000 + 3 * 17 + 1);
    QCOMPARE(strip()->current(), -1);
    QTest::keyClick(strip(), Qt::Key_End);
    QCOMPARE(selection->position(), std::optional(1000 + 3 * 39));
}

void TokensViewTest::pinAndCompare() {
    QVERIFY(labels(*view).contains(QStringLiteral("Pin a token (P)")) ||
            view->comparisonText().isEmpty());
    selection->setPosition(10);
    QTest::keyClick(strip(), Qt::Key_P);
    QCOMPARE(view->pinned(), std::optional(10));
    QVERIFY(labels(*view).contains(QStringLiteral("Token 10 “ w10” is pinned. Step to another")));
    // Experts 10..13 and 11..14: 3 of 4 shared, and 0.1 of each of the four weights moves.
    QTest::keyClick(strip(), Qt::Key_Right);
    QVERIFY2(labels(*view).contains(QStringLiteral(
                 "10 “ w10” and 11 “ w11”: mean overlap 0.750, chance 0.125; gate mass moved "
                 "0.400 of 1.00; n = 5 layers")),
             qPrintable(labels(*view)));
    QVERIFY(view->comparisonText().contains(QStringLiteral("\n3\t3\t0.75\t0.125\t0.4")));
    selection->setPosition(39);
    QVERIFY(labels(*view).contains(QStringLiteral("has not passed the router")));
    QTest::keyClick(strip(), Qt::Key_P);
    QVERIFY(!view->pinned());
    QVERIFY(view->comparisonText().isEmpty());
}

void TokensViewTest::pinnedTokenThatWasTakenBackIsForgotten() {
    selection->setPosition(30);
    QTest::keyClick(strip(), Qt::Key_P);
    fill(45);
    QCOMPARE(view->pinned(), std::optional(30));
    fill(20);
    QVERIFY(!view->pinned());
    selection->setPosition(5);
    QTest::keyClick(strip(), Qt::Key_P);
    view->setTokens(20, [](int index) {
        TokenCell cell = cellOf(index, 20);
        cell.id += index == 5 ? 1 : 0;  // another token in its place
        return cell;
    });
    QVERIFY(!view->pinned());
}

void TokensViewTest::chartHasKeyboardAndSelectsLayers() {
    selection->setPosition(10);
    QTest::keyClick(strip(), Qt::Key_P);
    QTest::keyClick(strip(), Qt::Key_Right);
    QSignalSpy hover(view.get(), &TokensView::hoverText);
    QTest::keyClick(chart(), Qt::Key_Right);
    QTest::keyClick(chart(), Qt::Key_Right);
    const QString text = hover.last().first().toString();
    QVERIFY2(text.startsWith(QStringLiteral("layer 2 · 3 of 4 experts shared · overlap 0.75 "
                                            "(chance 0.125) · gate mass moved 0.4")),
             qPrintable(text));
    QTest::keyClick(chart(), Qt::Key_Return);
    QCOMPARE(selection->layer(), std::optional(2));
    QTest::mouseClick(chart(), Qt::LeftButton, {}, chart()->pixelOf(4).toPoint());
    QCOMPARE(selection->layer(), std::optional(5));
    QCOMPARE(selection->position(), std::optional(11));
}

void TokensViewTest::damagedRoutingIsOneSentence() {
    view->setTokens(3, [](int index) {
        TokenCell cell = cellOf(index, 4);
        RoutedToken token = *cell.main;
        token.routing.experts[0] = index == 1 ? 60000 : 0;
        token.routing.biasDecided.resize(1);
        cell.main = std::make_shared<const RoutedToken>(std::move(token));
        return cell;
    });
    selection->setPosition(0);
    QTest::keyClick(strip(), Qt::Key_P);
    QTest::keyClick(strip(), Qt::Key_Right);
    QVERIFY(labels(*view).contains(QStringLiteral("expert 60000 of 32")));
}

void TokensViewTest::followButtonOnlyAsks() {
    QSignalSpy asked(view.get(), &TokensView::followRequested);
    view->setFollowing(true);
    QVERIFY(view->following());
    QCOMPARE(asked.count(), 0);
    QTest::mouseClick(view->findChild<QPushButton*>(), Qt::LeftButton);
    QCOMPARE(asked.count(), 1);
    QCOMPARE(asked.first().first().toBool(), false);
    QVERIFY(!selection->position());
}

void TokensViewTest::draftsInWords() {
    TokenCell cell;
    QCOMPARE(draftText(cell), QString());
    cell.draft = TokenEvent::Draft::Bonus;
    QCOMPARE(draftText(cell), QStringLiteral("bonus token behind accepted drafts"));
    cell.source = DraftSource::Lookup;
    cell.drafted = 1;
    cell.draft = TokenEvent::Draft::Accepted;
    QCOMPARE(draftText(cell), QStringLiteral("accepted draft, by lookup"));
    cell.source = DraftSource::Mtp;
    cell.drafted = 3;
    cell.draft = TokenEvent::Draft::Rejected;
    cell.rejectedDraftId = 9;
    cell.rejectedBytes = "<b>\xE4\n";
    QCOMPARE(draftText(cell),
             QStringLiteral("in place of a rejected draft “<b>\\xE4\\n” (id 9), by MTP in a step "
                            "of 3 drafts"));
}

void TokensViewTest::tables() {
    const QStringList lines = view->tableText(u',').split(u'\n', Qt::SkipEmptyParts);
    QCOMPARE(lines.size(), 41);
    QCOMPARE(lines[12 + 1],
             QStringLiteral("12,112, w12,generated,0.5,in place of a rejected draft (id "
                            "77),0.001,4,2"));
    QVERIFY(lines[9].contains(QStringLiteral(" <b>x\\n")));
}

void TokensViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    m_asked = 0;
    for (int i = 0; i < 10; ++i) {
        fill(40 + i);
        selection->setPosition(i);
    }
    QCOMPARE(view->computations(), before);
    QCOMPARE(m_asked, 0);
    view->show();
    QCOMPARE(view->computations(), before + 1);
    QCOMPARE(strip()->current(), 9);
}

QTEST_MAIN(TokensViewTest)
#include "tokens_view_test.moc"
