// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/why_view.h"

#include <QApplication>
#include <QLabel>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "engine/analysis/choice.h"
#include "synthetic_routing.h"
#include "views/group_strip.h"
#include "views/number_table.h"
#include "views/selection.h"
#include "views/theme.h"
#include "views/why_chart.h"

using namespace gatescope;

namespace {

/// 8 experts in 4 groups, 2 groups kept, 2 chosen. With the bias: groups 1 and 2, experts 4 and 2.
/// Without: groups 0 and 1, experts 0 and 2. So 4 is chosen only because of the bias.
WhyValue smallValue() {
    WhyValue value;
    value.shape.layers = {1, 2};
    value.shape.totalLayers = 3;
    value.shape.experts = 8;
    value.shape.topK = 2;
    value.shape.groups = 4;
    value.shape.topkGroups = 2;
    value.shape.hasBias = true;
    value.layer = 2;
    value.row = 1;
    value.tokenBytes = " <b>\xE2\x80\xAE";
    value.token.position = 7;
    value.bias = {0, 0, 0, 0, 0.3F, 0.1F, 0, -0.05F};
    value.token.routing.experts = {0, 1, 4, 2};  // row 0 is another layer
    value.token.routing.weights = {1, 1, 1.2F, 1.3F};
    value.token.routing.margins = {0.5F, 0.1F};
    value.token.routing.biasDecided = {0, 1};
    const std::vector<float> scores{9,    9,    9,    9,    9,    9,    9,    9,  //
                                    0.8F, 0.1F, 0.7F, 0.6F, 0.5F, 0.4F, 0.2F, 0.3F};
    value.token.routing.scores = std::make_shared<const std::vector<float>>(scores);
    return value;
}

std::shared_ptr<const WhyValue> shared(WhyValue value) {
    return std::make_shared<const WhyValue>(std::move(value));
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

class WhyViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void init();
    void cleanup();

    void headlineSaysItAll();
    void tableHasRanksWithAndWithoutBias();
    void chartIsSortedWithACut();
    void tokenTextIsNeverMarkup();
    void clickSelectsTheExpert();
    void selectionMarksRowWithoutLooping();
    void withoutAffinitiesOnlyWhatWasStored();
    void modelWithoutBias();
    void constantBiasIsTakenOut();
    void negativeBias();
    void differenceToTheRecordIsSaid();
    void valuesThatDoNotFit();
    void groupFlipAndTies();
    void asksForAReplayOnceTheTokenRests();
    void saysWhatReplayDoes();
    void replayedChoiceIsComparedWithTheRecord();
    void withoutItsBiasAChoiceIsNotRanked();
    void everyExpertCanBeReached();
    void exportHasEveryExpert();
    void hiddenViewDoesNotCompute();
    void followsTheTheme();

  private:
    WhyChart* chart() const { return view->findChild<WhyChart*>(); }
    NumberTable* table() const { return view->findChild<NumberTable*>(); }
    GroupStrip* strip() const { return view->findChild<GroupStrip*>(); }
    QStringList row(int index) const {
        QStringList cells;
        for (int c = 0; c < table()->columnCount(); ++c) {
            cells += table()->item(index, c)->text();
        }
        return cells;
    }

    std::unique_ptr<Selection> selection;
    std::unique_ptr<WhyView> view;
};

void WhyViewTest::init() {
    selection = std::make_unique<Selection>();
    view = std::make_unique<WhyView>(selection.get());
    view->setValue(shared(smallValue()));
    view->resize(500, 500);
    view->show();
    QApplication::processEvents();
    chart()->replot();
}

void WhyViewTest::cleanup() {
    view.reset();
    selection.reset();
}

void WhyViewTest::headlineSaysItAll() {
    QCOMPARE(
        view->headline(),
        QStringLiteral("token 7 “ <b>\\u202E” · layer 2 · groups kept 1 2 · 1 of 2 chosen only "
                       "because of the bias: within the groups, it keeps group 2 instead of 0"));
    QVERIFY(labels(*view).contains(
        QStringLiteral("margin 0.100 · group margin 0.400 · the weights are not proportional")));
    QCOMPARE(view->accessibleDescription(), view->headline());
    QVERIFY(strip()->isVisible());
    QCOMPARE(strip()->accessibleDescription(), QStringLiteral("kept: 1 2"));
}

void WhyViewTest::tableHasRanksWithAndWithoutBias() {
    const QChar none(0x2013);
    QCOMPARE(row(0), QStringList({"4", "0.500", "+0.300", "0.800", "1", none, "3", "1.20"}));
    QCOMPARE(row(1), QStringList({"2", "0.700", "0", "0.700", "2", "2", "1", "1.30"}));
    QCOMPARE(row(2), QStringList({"3", "0.600", "0", "0.600", "3", "3", "2", none}));
    // Expert 0 is listed last: best without the bias, but its group is not kept with it.
    const int last = table()->rowCount() - 1;
    QCOMPARE(row(last), QStringList({"0", "0.800", "0", "0.800", none, "1", none, none}));
    QVERIFY(table()->item(last, 4)->toolTip().contains(QStringLiteral("group 0 was not kept")));
    QCOMPARE(table()->item(0, 0)->foreground().color(), themeColours(view->palette()).bias);
    QVERIFY(view->tableText().contains(QStringLiteral("4\t0.5\t0.3\t0.8\t1")));
    QCOMPARE(table()->item(0, 1)->textAlignment() & Qt::AlignHorizontal_Mask,
             static_cast<int>(Qt::AlignRight));
}

void WhyViewTest::chartIsSortedWithACut() {
    QSignalSpy hover(view.get(), &WhyView::hoverText);
    const int order[]{4, 2, 3, 5};
    for (int i = 0; i < 4; ++i) {
        QTest::mouseMove(chart(), chart()->pixelOfBar(i).toPoint());
        const QString text = hover.last().first().toString();
        QVERIFY2(text.startsWith(QStringLiteral("expert %1 · s ").arg(order[i])), qPrintable(text));
    }
    QTest::mouseMove(chart(), chart()->pixelOfBar(0).toPoint());
    QCOMPARE(
        hover.last().first().toString(),
        QStringLiteral("expert 4 · s 0.5 · b 0.3 · s + b 0.8 · rank 1 · chosen only because of "
                       "the bias, within the groups · weight 1.2"));
    bool cut = false;
    for (int i = 0; i < chart()->itemCount(); ++i) {
        if (const auto* text = qobject_cast<QCPItemText*>(chart()->item(i))) {
            cut = cut || (text->visible() && text->text() == QStringLiteral("cut, margin 0.100"));
        }
    }
    QVERIFY(cut);
    // The bias is a segment of its own, in purple, on the chosen one's blue.
    const QImage image = chart()->grab().toImage();
    const auto at = [&](double value) {
        const QPointF bar = chart()->pixelOfBar(0);
        return QColor(image.pixel(qRound(bar.x()), qRound(chart()->yAxis->coordToPixel(value))));
    };
    const ThemeColours colours = themeColours(view->palette());
    QCOMPARE(at(0.2), colours.accepted);
    QCOMPARE(at(0.7), colours.bias);
}

void WhyViewTest::tokenTextIsNeverMarkup() {
    for (const QLabel* label : view->findChildren<QLabel*>()) {
        QCOMPARE(label->textFormat(), Qt::PlainText);
    }
}

void WhyViewTest::clickSelectsTheExpert() {
    QTest::mouseClick(chart(), Qt::LeftButton, {}, chart()->pixelOfBar(2).toPoint());
    QCOMPARE(selection->layer(), std::optional(2));
    QCOMPARE(selection->expert(), std::optional(3));
    table()->setCurrentCell(0, 0);
    QCOMPARE(selection->expert(), std::optional(4));
    QTest::keyClick(chart(), Qt::Key_Right);
    QTest::keyClick(chart(), Qt::Key_Return);
    QCOMPARE(selection->expert(), std::optional(2));  // the bar after the selected one
}

void WhyViewTest::selectionMarksRowWithoutLooping() {
    QSignalSpy changed(selection.get(), &Selection::changed);
    selection->setCell(2, 3);
    QCOMPARE(changed.count(), 1);
    QCOMPARE(table()->currentRow(), 2);
    selection->setCell(1, 3);  // another layer: nothing here
    QCOMPARE(table()->currentRow(), -1);
    view->setValue(shared(smallValue()));
    QCOMPARE(changed.count(), 2);
}

void WhyViewTest::withoutAffinitiesOnlyWhatWasStored() {
    WhyValue value = smallValue();
    value.token.routing.scores.reset();
    view->setValue(shared(std::move(value)));
    QVERIFY(labels(*view).contains(QStringLiteral("margin 0.100")));
    QVERIFY(view->headline().contains(QStringLiteral("1 of 2 chosen only because of the bias")));
    QVERIFY(!view->headline().contains(QStringLiteral("groups kept")));
    QVERIFY(labels(*view).contains(
        QStringLiteral("The affinities of all experts are kept only for recent tokens")));
    QVERIFY(!strip()->isVisible());
    QCOMPARE(table()->rowCount(), 2);
    QCOMPARE(row(0), QStringList({"4", "1", "1.20", "yes"}));
    QCOMPARE(row(1), QStringList({"2", "2", "1.30", "no"}));
}

void WhyViewTest::modelWithoutBias() {
    WhyValue value = smallValue();
    value.shape.hasBias = false;
    value.bias.clear();
    value.token.routing.experts = {0, 1, 0, 2};
    view->setValue(shared(std::move(value)));
    // The group score is the maximum: groups 0 (0.8) and 1 (0.7).
    QCOMPARE(view->headline(), QStringLiteral("token 7 “ <b>\\u202E” · layer 2 · groups kept 0 1"));
    QCOMPARE(table()->columnCount(), 4);
    QCOMPARE(row(0), QStringList({"0", "0.800", "1", "1.20"}));
}

void WhyViewTest::constantBiasIsTakenOut() {
    WhyValue value = smallValue();
    for (float& bias : value.bias) {
        bias += 11;
    }
    view->setValue(shared(std::move(value)));
    QVERIFY(labels(*view).contains(QStringLiteral("The chart shows b minus its mean 11.0")));
    QVERIFY(chart()->yAxis->range().upper < 2);
    QCOMPARE(row(0)[2], QStringLiteral("+11.3"));  // the table shows it as it is
}

void WhyViewTest::negativeBias() {
    WhyValue value = smallValue();
    for (float& bias : value.bias) {
        bias = -0.9F;  // every s + b is below zero
    }
    value.token.routing.experts = {0, 1, 2, 3};
    view->setValue(shared(std::move(value)));
    QVERIFY(chart()->yAxis->range().lower < -0.2);
    QVERIFY(row(0)[3].startsWith(QChar(0x2212)));
}

void WhyViewTest::differenceToTheRecordIsSaid() {
    QVERIFY(!labels(*view).contains(QStringLiteral("differs")));
    WhyValue value = smallValue();
    value.token.routing.experts = {0, 1, 6, 7};
    view->setValue(shared(std::move(value)));
    QVERIFY(labels(*view).contains(QStringLiteral("The recorded choice differs")));
}

void WhyViewTest::valuesThatDoNotFit() {
    view->setValue(nullptr);
    QVERIFY(view->headline().contains(QStringLiteral("Select a token")));
    WhyValue value = smallValue();
    value.row = 2;
    view->setValue(shared(value));
    QVERIFY(view->headline().contains(QStringLiteral("does not fit")));
    value = smallValue();
    value.bias.resize(3);
    view->setValue(shared(value));
    QVERIFY(view->headline().contains(QStringLiteral("does not fit")));
    value = smallValue();
    value.shape.groups = 3;
    view->setValue(shared(value));
    QVERIFY(view->headline().contains(QStringLiteral("8 experts do not divide into 3 groups")));
    value = smallValue();
    value.token.routing = {};
    view->setValue(shared(value));
    QVERIFY(view->headline().contains(QStringLiteral("has not passed the router")));
    value = smallValue();
    value.token.routing.experts = {0, 1, 4, 60000};  // a damaged record
    view->setValue(shared(value));
    QVERIFY(labels(*view).contains(QStringLiteral("differs")));
    selection->setCell(2, 60000);
    view->setValue(shared(smallValue()));
    QCOMPARE(table()->rowCount(), 5);
}

/// Groups score 1.5, 1.3, 1.4 with the bias (1.2 without): expert 4 comes with group 2.
WhyValue flipValue() {
    WhyValue value = smallValue();
    const std::vector<float> scores{9,    9,    9,    9,    9,    9,    9,    9,  //
                                    0.8F, 0.7F, 0.7F, 0.6F, 0.9F, 0.3F, 0.1F, 0.1F};
    value.token.routing.scores = std::make_shared<const std::vector<float>>(scores);
    value.bias = {0, 0, 0, 0, 0, 0.2F, 0, 0};
    value.token.routing.experts = {0, 1, 4, 0};
    value.token.routing.weights = {1, 1, 1.8F, 1.6F};
    return value;
}

void WhyViewTest::groupFlipAndTies() {
    view->setValue(shared(flipValue()));
    QVERIFY2(view->headline().endsWith(QStringLiteral(
                 "1 of 2 chosen only because of the bias: by other groups, it keeps group 2 "
                 "instead of 1")),
             qPrintable(view->headline()));
    QVERIFY(labels(*view).contains(QStringLiteral("weight = 2.00 s")));
    QVERIFY(row(0)[0] == QStringLiteral("4") && row(0)[6] == QStringLiteral("1"));
    QVERIFY(table()->item(0, 4)->toolTip().contains(QStringLiteral("the bias kept group 2")));

    WhyValue value = flipValue();
    auto scores = *value.token.routing.scores;
    scores[8] = scores[9] = 0.7F;  // experts 0 and 1
    value.token.routing.scores = std::make_shared<const std::vector<float>>(scores);
    view->setValue(shared(std::move(value)));
    QVERIFY(labels(*view).contains(QStringLiteral("a tie at the cut: the lower index is chosen")));
}

WhyValue oldValue(WhyValue::Scores scores) {
    WhyValue value = flipValue();
    value.token.routing.scores.reset();
    value.scores = scores;
    return value;
}

std::shared_ptr<const RoutedToken> replayOf(const WhyValue& value) {
    return std::make_shared<const RoutedToken>(value.token);
}

void WhyViewTest::asksForAReplayOnceTheTokenRests() {
    QSignalSpy wanted(view.get(), &WhyView::replayRequested);
    for (int position = 0; position < 5; ++position) {
        WhyValue value = oldValue(WhyValue::Scores::NotKept);
        value.token.position = position;
        view->setValue(shared(std::move(value)));
    }
    QCOMPARE(wanted.count(), 0);
    QVERIFY(wanted.wait());
    QCOMPARE(wanted.count(), 1);
    QCOMPARE(wanted.first().first().toInt(), 4);

    view->setAutoReplay(false);
    view->setValue(shared(oldValue(WhyValue::Scores::NotKept)));
    QVERIFY(!view->autoReplay());
    auto* button = view->findChild<QPushButton*>();
    QVERIFY(button->isVisible());
    QTest::mouseClick(button, Qt::LeftButton);
    QCOMPARE(wanted.count(), 2);
    QCOMPARE(wanted.last().first().toInt(), 7);
}

void WhyViewTest::saysWhatReplayDoes() {
    auto* button = view->findChild<QPushButton*>();
    QVERIFY(!button->isVisible());
    view->setValue(shared(oldValue(WhyValue::Scores::Recomputing)));
    QVERIFY(labels(*view).contains(QStringLiteral("Recomputing by replay…")));
    QVERIFY(!button->isVisible());
    QCOMPARE(table()->rowCount(), 2);  // what was stored stays in view
    WhyValue value = oldValue(WhyValue::Scores::CannotReplay);
    value.reason = QStringLiteral("The model is not open.");
    view->setValue(shared(std::move(value)));
    QVERIFY(labels(*view).contains(QStringLiteral("The model is not open.")));
    QVERIFY(!button->isVisible());
}

void WhyViewTest::replayedChoiceIsComparedWithTheRecord() {
    WhyValue value = oldValue(WhyValue::Scores::Known);
    value.replayed = replayOf(flipValue());
    view->setValue(shared(value));
    QVERIFY(labels(*view).contains(
        QStringLiteral("recomputed by replay. Choice and weights are the recorded ones, to the")));
    QVERIFY(strip()->isVisible());
    QVERIFY(!view->findChild<QPushButton*>()->isVisible());

    value.token.routing.weights[3] = 1.5F;
    view->setValue(shared(value));
    QVERIFY(labels(*view).contains(
        QStringLiteral("The choice is the recorded one; weights differ by up to 0.100")));
    QCOMPARE(row(1)[7], QStringLiteral("1.60"));  // the replayed one

    value.token.routing.experts = {0, 1, 4, 5};
    view->setValue(shared(value));
    QVERIFY(labels(*view).contains(
        QStringLiteral("The choice differs from the recorded one (recorded 5, here 0)")));
    bool listed = false;
    for (int i = 0; i < table()->rowCount(); ++i) {
        listed = listed || row(i)[0] == QStringLiteral("5");
    }
    QVERIFY(listed);

    auto damaged = std::make_shared<RoutedToken>(flipValue().token);
    damaged->routing.experts.resize(1);
    value.replayed = damaged;
    view->setValue(shared(value));
    QVERIFY(view->headline().contains(QStringLiteral("does not fit")));
}

void WhyViewTest::withoutItsBiasAChoiceIsNotRanked() {
    WhyValue value = smallValue();
    value.bias.clear();
    view->setValue(shared(std::move(value)));
    QVERIFY(labels(*view).contains(QStringLiteral("The model's bias is not at hand.")));
    QVERIFY(view->headline().contains(QStringLiteral("1 of 2 chosen only because of the bias")));
    QCOMPARE(table()->rowCount(), 2);
}

/// 256 experts, s falling with the index.
WhyValue largeValue() {
    WhyValue value;
    value.shape = fullShape();
    value.token = mainToken(value.shape, 0, Phase::Decode, 3);
    value.layer = value.shape.layers[1];
    value.row = 1;
    std::vector<float> scores(value.shape.layers.size() * 256);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        scores[i] = 1.0F - static_cast<float>(i % 256) / 300.0F;
    }
    value.token.routing.scores = std::make_shared<const std::vector<float>>(scores);
    value.bias.assign(256, 0.01F);
    return value;
}

void WhyViewTest::everyExpertCanBeReached() {
    view->setValue(shared(largeValue()));
    auto* scroll = view->findChild<QScrollBar*>(QStringLiteral("chartScroll"));
    const int fitting = chart()->shownBars();
    QVERIFY(fitting > 8 && fitting < 256);
    QCOMPARE(chart()->barCount(), 256);
    QVERIFY(scroll->isVisible());
    QCOMPARE(chart()->firstBar(), 0.0);

    QSignalSpy hover(view.get(), &WhyView::hoverText);
    QTest::keyClick(chart(), Qt::Key_End);
    QVERIFY(hover.last().first().toString().startsWith(QStringLiteral("expert 255 · ")));
    QVERIFY(hover.last().first().toString().contains(QStringLiteral("group 7 was not kept")));
    QVERIFY(chart()->axisRect()->rect().contains(chart()->pixelOfBar(255).toPoint()));
    QCOMPARE(scroll->value(), scroll->maximum());
    QTest::keyClick(chart(), Qt::Key_Return);
    QCOMPARE(selection->expert(), std::optional(255));

    for (int i = 0; i < 20; ++i) {
        QTest::keyClick(chart(), Qt::Key_Minus);
    }
    QCOMPARE(chart()->shownBars(), 256);
    QVERIFY(!scroll->isVisible());
    for (int i = 0; i < 40; ++i) {
        QTest::keyClick(chart(), Qt::Key_Plus);
    }
    QVERIFY(chart()->shownBars() <= 5);
    chart()->setFirstBar(1e9);
    QVERIFY(chart()->shownBars() >= 3);  // never outside
    QTest::keyClick(chart(), Qt::Key_0);
    QCOMPARE(chart()->firstBar(), 0.0);
    QCOMPARE(chart()->shownBars(), fitting);
    scroll->setValue(100);
    QCOMPARE(chart()->firstBar(), 10.0);
}

void WhyViewTest::exportHasEveryExpert() {
    view->setValue(shared(largeValue()));
    const QStringList lines = view->tableText().split(u'\n', Qt::SkipEmptyParts);
    QCOMPARE(lines.size(), 257);
    QVERIFY(lines[256].startsWith(QStringLiteral("255\t")));
    QCOMPARE(lines[0].count(u'\t'), lines[256].count(u'\t'));
}

void WhyViewTest::hiddenViewDoesNotCompute() {
    const int before = view->computations();
    view->hide();
    for (int i = 0; i < 10; ++i) {
        view->setValue(shared(smallValue()));
        selection->setCell(2, i % 4);
    }
    QCOMPARE(view->computations(), before);
    view->show();
    QCOMPARE(view->computations(), before + 1);
}

void WhyViewTest::followsTheTheme() {
    applyTheme(Theme::Dark);
    QApplication::processEvents();
    const ThemeColours colours = themeColours(darkPalette());
    QCOMPARE(table()->item(0, 0)->foreground().color(), colours.bias);
    QVERIFY(QColor(view->grab().toImage().pixel(250, 3)).lightness() < 80);
    applyTheme(Theme::Light);
}

QTEST_MAIN(WhyViewTest)
#include "why_view_test.moc"
