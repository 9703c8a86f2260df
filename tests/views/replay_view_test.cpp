// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/replay_view.h"

#include <QApplication>
#include <QLabel>
#include <QTest>

#include "views/number_table.h"
#include "views/theme.h"

using namespace gatescope;

class ReplayViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { applyTheme(Theme::Light); }
    void everythingTheSame();
    void differencesWithTheirMargins();
    void otherConditions();
    void modelTextIsNoMarkup();

  private:
    static ReplayValue same() {
        ReplayValue value;
        value.answers = 2;
        value.comparison.answerTokens = value.comparison.equalTokens = 212;
        value.comparison.n = value.comparison.identicalTokens = 240;
        value.comparison.layers.resize(5);
        value.token = [](std::int32_t id) { return QStringLiteral("<b>%1</b>").arg(id); };
        return value;
    }
    static QString shown(const QWidget& view) {
        QStringList texts;
        for (const QLabel* label : view.findChildren<QLabel*>()) {
            if (label->isVisibleTo(&view)) {
                texts.append(label->text());
            }
        }
        return texts.join(u'\n');
    }
};

void ReplayViewTest::everythingTheSame() {
    ReplayView view;
    view.setValue(std::make_shared<const ReplayValue>(same()));
    QVERIFY(shown(view).contains("212 tokens"));
    QVERIFY(shown(view).contains("n = 240 positions, 5 layers"));
    QVERIFY(!shown(view).contains("expected"));
    QVERIFY(!view.findChild<NumberTable*>()->isVisibleTo(&view));
}

void ReplayViewTest::differencesWithTheirMargins() {
    ReplayValue value = same();
    value.comparison.equalTokens = 40;
    value.comparison.identicalTokens = 100;
    value.comparison.saturation = 0.75;
    value.comparison.first = RoutingDivergence{1, 17, 300, 4, 0.000123456F, 0.25F};
    value.comparison.texts.push_back({0, 39, 60, 7, -1, 0.5F, 0, 0.25F, 0});
    ReplayView view;
    view.setValue(std::make_shared<const ReplayValue>(value));
    QVERIFY(shown(view).contains("40 of 212 tokens"));
    QVERIFY(shown(view).contains("100 of n = 240"));
    const auto* table = view.findChild<NumberTable*>();
    QVERIFY(table->isVisibleTo(&view));
    QCOMPARE(table->rowCount(), 2);
    QCOMPARE(table->item(0, 0)->text(), QStringLiteral("Answer 2, position 17, layer 4"));
    QCOMPARE(table->item(0, 2)->text(), QStringLiteral("0.000123"));
    QVERIFY(view.tableText(u',').contains("0.000123456"));
    QCOMPARE(table->item(1, 0)->text(), QStringLiteral("Answer 1, token 40"));
    QCOMPARE(table->item(1, 3)->text(), QStringLiteral("(the end)"));
}

void ReplayViewTest::otherConditions() {
    ReplayValue value = same();
    value.otherConditions = {QStringLiteral("device: cuda:0 when it was stored, cpu now")};
    ReplayView view;
    view.setValue(std::make_shared<const ReplayValue>(value));
    QVERIFY(shown(view).contains("not to be expected: device: cuda:0"));
}

void ReplayViewTest::modelTextIsNoMarkup() {
    ReplayValue value = same();
    value.otherConditions = {QStringLiteral("<img src=x>")};
    ReplayView view;
    view.setValue(std::make_shared<const ReplayValue>(value));
    for (const QLabel* label : view.findChildren<QLabel*>()) {
        QCOMPARE(label->textFormat(), Qt::PlainText);
    }
}

QTEST_MAIN(ReplayViewTest)
#include "replay_view_test.moc"
