// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_view.h"

#include <QComboBox>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QSignalSpy>
#include <QTabBar>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <random>

#include "engine/error.h"
#include "tests/views/synthetic_routing.h"
#include "views/compare_layers_chart.h"
#include "views/compare_maps.h"
#include "views/compare_options_row.h"
#include "views/compare_token_text.h"
#include "views/compare_transcripts.h"
#include "views/number_table.h"
#include "views/routing_map.h"
#include "views/selection.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

/// Tokens of an answer whose routing prefers low experts, in layers below `planted` another part.
ComparedRun makeRun(const RoutingShape& shape, const char* label, int tokens, int offset,
                    int planted, unsigned seed) {
    std::mt19937 random(seed);
    ComparedRun run;
    run.label = label;
    run.title = std::string("Story ") + label;
    run.modelName = "demo";
    run.device = "cpu, 2 threads, AVX2";
    run.precision = "exact";
    run.settings = "greedy";
    run.shape = shape;
    ComparedAnswer& answer = run.answers.emplace_back();
    answer.session = 7;
    answer.turn = 1;
    answer.prompt = std::string("Tell me about ") + label;
    for (int i = 0; i < tokens; ++i) {
        StepTrace step;
        step.step = i;
        RoutedToken token;
        token.position = i;
        token.phase = i < tokens / 4 ? Phase::Prefill : Phase::Decode;
        for (std::size_t row = 0; row < shape.layers.size(); ++row) {
            std::vector<bool> taken(static_cast<std::size_t>(shape.experts));
            for (int j = 0; j < shape.topK;) {
                const int part = static_cast<int>(row) < planted ? offset : 0;
                const int range = random() % 3 == 0 ? shape.experts : shape.experts / 2;
                const int expert =
                    (static_cast<int>(random() % static_cast<unsigned>(range)) + part) %
                    shape.experts;
                if (!taken[static_cast<std::size_t>(expert)]) {
                    taken[static_cast<std::size_t>(expert)] = true;
                    token.routing.experts.push_back(static_cast<std::uint16_t>(expert));
                    token.routing.weights.push_back(0.25F);
                    ++j;
                }
            }
            token.routing.margins.push_back(0.0125F);
            token.routing.biasDecided.push_back(0);
        }
        step.tokens.push_back(token);
        answer.steps.push_back(step);
        TokenEvent event;
        event.position = tokens / 4 + i;
        event.id = i < 5 ? i : i + offset;
        event.bytes = i == 5 ? std::string(label) : " word";
        event.probability = 0.5F;
        event.rawProbability = 0.25F;
        answer.tokens.push_back(event);
        answer.promptIds.push_back(i);
    }
    return run;
}

std::shared_ptr<const Comparison> compare(const RoutingShape& shape, int tokens, int planted,
                                          int runs = 2, int permutations = 199) {
    std::vector<ComparedRun> sides;
    static const char* const kLabels[] = {"A", "B", "C"};
    for (int i = 0; i < runs; ++i) {
        sides.push_back(makeRun(shape, kLabels[i], tokens, i == 1 ? shape.experts / 2 : 0, planted,
                                static_cast<unsigned>(i + 1)));
    }
    ComparisonOptions options;
    options.blockTokens = 8;
    options.permutations = permutations;
    options.threads = 1;
    return std::make_shared<const Comparison>(compareRuns(std::move(sides), options));
}

QString plain(QString text) {
    return text.replace(QChar(0xA0), u' ').replace(QChar(0x202F), u' ');
}

}  // namespace

class CompareViewTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() {
        applyTheme(Theme::Light);
        m_planted = compare(demoShape(), 200, 2);
    }
    void init();
    void cleanup() {
        m_view.reset();
        m_selection.reset();
    }
    void withoutAComparisonItSaysWhatToDo();
    void theSentenceSaysWhatTheNumbersSay();
    void tablesAreTheEnginesNumbers();
    void mapsShareScaleZoomAndSelection();
    void layersBeyondChanceHaveAnotherSymbol();
    void answersMarkWhereTheyPart();
    void aThirdRunHasAPairOfItsOwn();
    void optionsAreAskedFor();
    void everythingIsSaved();

  private:
    std::shared_ptr<const Comparison> m_planted;
    std::unique_ptr<Selection> m_selection;
    std::unique_ptr<CompareView> m_view;
};

void CompareViewTest::init() {
    m_selection = std::make_unique<Selection>();
    m_view = std::make_unique<CompareView>(m_selection.get());
    m_view->resize(700, 720);
    m_view->show();
    QVERIFY(QTest::qWaitForWindowActive(m_view.get()));
}

void CompareViewTest::withoutAComparisonItSaysWhatToDo() {
    QString shown;
    for (const QLabel* label : m_view->findChildren<QLabel*>()) {
        shown += label->isVisible() ? label->text() : QString();
    }
    QVERIFY(shown.contains("Write two prompts"));
    QVERIFY(m_view->verdictText().isEmpty());
}

void CompareViewTest::theSentenceSaysWhatTheNumbersSay() {
    m_view->setComparison(m_planted);
    const PairComparison& pair = m_planted->pairs[0];
    QCOMPARE(pair.verdict.layersBeyond, 2);
    const QString said = plain(m_view->verdictText());
    QVERIFY2(said.startsWith("2 of 5 layers differ beyond chance between A and B at n = 200 and "
                             "200 tokens; most in layer"),
             qPrintable(said));
    QVERIFY2(said.contains("not for all of their kind"), qPrintable(said));
    m_view->setComparison(compare(demoShape(), 200, 0));
    const QString alike = plain(m_view->verdictText());
    QVERIFY2(alike.startsWith("No layer differs beyond chance"), qPrintable(alike));
    QVERIFY2(alike.contains("smallest possible p 0.005"), qPrintable(alike));
    m_view->setComparison(compare(demoShape(), 12, 2));
    const QString few = plain(m_view->verdictText());
    QVERIFY2(few.startsWith("Too little text"), qPrintable(few));
}

void CompareViewTest::tablesAreTheEnginesNumbers() {
    m_view->setComparison(m_planted);
    const PairComparison& pair = m_planted->pairs[0];
    const auto cell = [this](const char* table, int row, int column) {
        return m_view->findChild<NumberTable*>(table)->item(row, column);
    };
    for (int row = 0; row < static_cast<int>(pair.layers.size()); ++row) {
        const LayerComparison& layer = pair.layers[static_cast<std::size_t>(row)];
        QCOMPARE(cell("layers", row, 0)->text().startsWith(u'◆'), layer.holm <= 0.05);
        if (!std::isnan(layer.pValue)) {
            QCOMPARE(cell("layers", row, 4)->data(Qt::UserRole).toString().toDouble(), layer.holm);
        }
    }
    QVERIFY(!pair.experts.empty());
    const ShiftedExpert& first = pair.experts.front();
    QCOMPARE(cell("experts", 0, 1)->data(Qt::UserRole).toString().toDouble(), first.log2Ratio);
    m_view->setPage(CompareView::Experts);
    m_view->findChild<NumberTable*>("experts")->setCurrentCell(0, 1);
    QCOMPARE(m_selection->layer(), std::optional(first.layer));
    QCOMPARE(m_selection->expert(), std::optional(first.expert));
    const QString runs = plain(m_view->tableText(CompareView::Runs, u','));
    QVERIFY2(runs.contains("MaxVio,"), qPrintable(runs));
    QVERIFY2(runs.contains("(n = 200)"), qPrintable(runs));
}

void CompareViewTest::mapsShareScaleZoomAndSelection() {
    m_view->setComparison(m_planted);
    m_view->setPage(CompareView::Maps);
    auto* maps = m_view->findChild<CompareMaps*>();
    const PairComparison& pair = m_planted->pairs[0];
    for (const auto& [which, load] :
         {std::pair(CompareMaps::A, pair.loadA), std::pair(CompareMaps::B, pair.loadB)}) {
        QCOMPARE(maps->map(which)->drawnValue({2, 3}),
                 std::log2(1 + load->relativeLoad(1, 3, kAllTokens)));
    }
    QCOMPARE(maps->map(CompareMaps::Difference)->drawnValue({2, 3}), pair.difference[32 + 3]);
    maps->map(CompareMaps::A)->xAxis->setRange(3, 12);
    QCOMPARE(maps->map(CompareMaps::Difference)->xAxis->range(), QCPRange(3, 12));
    QSignalSpy hover(m_view.get(), &CompareView::hoverText);
    auto* map = maps->map(CompareMaps::B);
    map->setFocus();
    QTest::keyClick(map, Qt::Key_Right);
    QTest::keyClick(map, Qt::Key_Return);
    QVERIFY(m_selection->layer() == 1);
    QVERIFY(plain(hover.last().at(0).toString()).contains("A: "));
}

void CompareViewTest::layersBeyondChanceHaveAnotherSymbol() {
    m_view->setComparison(m_planted);
    m_view->setPage(CompareView::Layers);
    auto* chart = m_view->findChild<CompareLayersChart*>();
    const auto named = [chart](const QString& name) {
        for (int i = 0; i < chart->graphCount(); ++i) {
            if (chart->graph(i)->name() == name) {
                return chart->graph(i);
            }
        }
        return static_cast<QCPGraph*>(nullptr);
    };
    QCOMPARE(named("beyond chance")->dataCount(), 2);
    QVERIFY(named("beyond chance")->scatterStyle().shape() !=
            named("as chance")->scatterStyle().shape());
    QSignalSpy hover(m_view.get(), &CompareView::hoverText);
    QTest::keyClick(chart, Qt::Key_Right);
    QTest::keyClick(chart, Qt::Key_Right);
    QTest::keyClick(chart, Qt::Key_Return);
    QCOMPARE(m_selection->layer(), std::optional(2));
    QVERIFY(hover.last().at(0).toString().contains("Holm"));
}

void CompareViewTest::answersMarkWhereTheyPart() {
    m_view->setComparison(m_planted);
    auto* a = m_view->findChild<CompareTokenText*>("answerA");
    auto* b = m_view->findChild<CompareTokenText*>("answerB");
    QCOMPARE(a->toPlainText().left(26), QStringLiteral(" word word word word wordA"));
    QSignalSpy chosen(m_view.get(), &CompareView::tokenOpened);
    a->setFocus(Qt::TabFocusReason);
    QCOMPARE(a->current(), std::optional<std::size_t>(5));
    QVERIFY(a->tokenText(5).contains("first that differs"));
    QTest::keyClick(a, Qt::Key_Return);
    QCOMPARE(b->current(), std::optional<std::size_t>(5));
    QCOMPARE(chosen.last().at(0).value<std::int64_t>(), 7);
    QCOMPARE(chosen.last().at(1).value<int>(), 1);
    QCOMPARE(chosen.last().at(2).value<std::int64_t>(), 5);
    QTest::mouseClick(b->viewport(), Qt::LeftButton, {}, b->pointOf(2));
    QCOMPARE(b->current(), std::optional<std::size_t>(2));
    QVERIFY(b->tokenText(2).contains("the same on both sides"));
    QCOMPARE(chosen.count(), 1);
    QTest::mouseDClick(b->viewport(), Qt::LeftButton, {}, b->pointOf(3));
    QCOMPARE(chosen.last().at(2).value<std::int64_t>(), 3);
}

void CompareViewTest::aThirdRunHasAPairOfItsOwn() {
    m_view->setComparison(compare(demoShape(), 200, 2, 3));
    auto* pairs = m_view->findChild<QComboBox*>("pair");
    QVERIFY(pairs->isVisible());
    QCOMPARE(pairs->count(), 2);
    QVERIFY(m_view->verdictText().startsWith(u'2'));
    QTest::keyClick(pairs, Qt::Key_Down);
    QCOMPARE(m_view->pair(), 1U);
    QVERIFY2(m_view->verdictText().startsWith("No layer"), qPrintable(m_view->verdictText()));
}

void CompareViewTest::optionsAreAskedFor() {
    QSignalSpy wanted(m_view.get(), &CompareView::optionsChanged);
    ComparisonOptions options;
    options.blockTokens = 16;
    m_view->setOptions(options);
    QCOMPARE(wanted.count(), 0);
    auto* row = m_view->findChild<CompareOptionsRow*>();
    row->findChild<QAbstractButton*>("afterPrefix")->click();
    QCOMPARE(wanted.count(), 1);
    const auto asked = wanted.last().at(0).value<ComparisonOptions>();
    QVERIFY(asked.afterCommonPrefix);
    QCOMPARE(asked.blockTokens, 16);
    QCOMPARE(asked.phases, kDefaultPhases);
}

void CompareViewTest::everythingIsSaved() {
    m_view->setComparison(m_planted);
    QTemporaryDir dir;
    const QString file = dir.filePath("comparison.json");
    m_view->save(file);
    QFile saved(file);
    QVERIFY(saved.open(QIODevice::ReadOnly));
    const QJsonObject pair =
        QJsonDocument::fromJson(saved.readAll()).object()["pairs"].toArray()[0].toObject();
    QCOMPARE(pair["n_a"].toInt(), 200);
    QCOMPARE(pair["layers"].toArray().size(), 6);
    QCOMPARE(pair["layers"].toArray()[0].toObject()["n_b"].toInt(), 200);
    QVERIFY(pair["layers"].toArray()[5].toObject()["p_value"].isNull());  // no MTP tokens
    m_view->save(dir.filePath("comparison.csv"));
    QFile table(dir.filePath("comparison.csv"));
    QVERIFY(table.open(QIODevice::ReadOnly));
    const QString text = QString::fromUtf8(table.readAll());
    QVERIFY(text.startsWith("pair,section,layer,expert,statistic,value,n_a,n_b\n"));
    QVERIFY(text.contains("A / B,layer,1,,holm,"));
    QVERIFY_EXCEPTION_THROWN(m_view->save(dir.filePath("comparison.png")), Error);
}

QTEST_MAIN(CompareViewTest)
#include "compare_view_test.moc"
