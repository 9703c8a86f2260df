// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare_export.h"

#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <cmath>
#include <utility>

#include "engine/error.h"
#include "views/compare_texts.h"
#include "views/formats.h"
#include "views/number_table.h"
#include "views/view_export.h"

namespace gatescope {
namespace {

/// Named numbers of one item, for both formats; NaN stays NaN.
using Numbers = std::vector<std::pair<const char*, double>>;

QString text(const std::string& value) {
    return QString::fromStdString(value);
}

QJsonValue json(double value) {
    return std::isfinite(value) ? QJsonValue(value) : QJsonValue();
}

double real(std::int64_t value) {
    return static_cast<double>(value);
}

void insert(QJsonObject& object, const Numbers& numbers) {
    for (const auto& [name, value] : numbers) {
        object.insert(QLatin1String(name), json(value));
    }
}

Numbers figuresOf(const RunFigures& of) {
    return {{"answers", real(of.answers)},
            {"prompt_tokens", real(of.promptTokens)},
            {"answer_tokens", real(of.answerTokens)},
            {"routed_tokens", real(of.routedTokens)},
            {"rejected_tokens", real(of.rejectedTokens)},
            {"max_vio", of.maxVio},
            {"max_vio_uniform", of.maxVioNull},
            {"cv", of.cv},
            {"gini", of.gini},
            {"entropy", of.entropy},
            {"median_margin", of.medianMargin},
            {"bias_decided", of.biasDecided},
            {"verify_steps", real(of.speculation.steps)},
            {"drafted", real(of.speculation.drafted)},
            {"accepted", real(of.speculation.accepted)},
            {"acceptance", of.speculation.rate},
            {"acceptance_low", of.speculation.rate95.low},
            {"acceptance_high", of.speculation.rate95.high},
            {"tokens_per_verify_step", of.speculation.length},
            {"prefill_tokens_per_second", of.prefillTokensPerSecond},
            {"decode_tokens_per_second", of.decodeTokensPerSecond},
            {"cache_positions", real(of.cachePositions)},
            {"cache_bytes", real(of.cacheUsed)},
            {"mean_log_probability", of.meanLogProbability}};
}

Numbers numbersOf(const LayerComparison& at) {
    return {{"jsd_weighted", at.divergence.weighted},
            {"jsd_equal", at.divergence.equal},
            {"jsd_corrected", at.divergence.corrected},
            {"stratified", at.stratified},
            {"null_mean", at.nullMean},
            {"null_p95", at.nullP95},
            {"p_value", at.pValue},
            {"holm", at.holm},
            {"q_value", at.qValue},
            {"total_variation", at.totalVariation},
            {"cosine", at.cosine},
            {"spearman", at.spearman},
            {"max_vio_a", at.maxVioA},
            {"max_vio_b", at.maxVioB}};
}

Numbers numbersOf(const SelfComparison& self) {
    return {{"n_first", real(self.tokensFirst)},
            {"n_second", real(self.tokensSecond)},
            {"jsd_corrected", self.divergence.corrected},
            {"p_value", self.pValue}};
}

Numbers numbersOf(const ShiftedExpert& at) {
    return {{"count_a", real(at.countA)},
            {"count_b", real(at.countB)},
            {"share_a", at.shareA},
            {"share_b", at.shareB},
            {"log2_ratio", at.log2Ratio},
            {"log2_ratio_low", at.log2Ratio95.low},
            {"log2_ratio_high", at.log2Ratio95.high},
            {"score", at.score},
            {"p_adjusted", at.pAdjusted}};
}

Numbers numbersOf(const AlignedComparison& of) {
    return {{"n", real(of.n)},
            {"chance", of.chance},
            {"saturation", of.saturation},
            {"mass_moved", of.massMoved},
            {"mass", of.mass},
            {"identical_tokens", real(of.identicalTokens)},
            {"answer_tokens", real(of.answerTokens)},
            {"equal_tokens", real(of.equalTokens)},
            {"kl_tokens", real(of.klTokens)},
            {"mean_kl_nats", of.klTokens > 0 ? of.meanKl : std::nan("")},
            {"max_kl_nats", of.klTokens > 0 ? of.maxKl : std::nan("")},
            {"top_changed", real(of.topChanged)}};
}

QJsonObject runJson(const ComparedRun& run, const RunFigures& figures) {
    QJsonObject out{{"label", text(run.label)},
                    {"title", text(run.title)},
                    {"model", text(run.modelName)},
                    {"model_fingerprint", text(run.modelFingerprint)},
                    {"device", text(run.device)},
                    {"precision", text(run.precision)},
                    {"settings", text(run.settings)},
                    {"interventions", text(run.interventions)},
                    {"cache_type", text(figures.cacheDtype)}};
    QJsonArray answers;
    for (const ComparedAnswer& answer : run.answers) {
        QString written;
        for (const TokenEvent& token : answer.tokens) {
            written += tokenText(QByteArray::fromStdString(token.bytes));
        }
        answers.append(QJsonObject{{"session", static_cast<qint64>(answer.session)},
                                   {"turn", answer.turn},
                                   {"prompt", text(answer.prompt)},
                                   {"tokens", static_cast<qint64>(answer.tokens.size())},
                                   {"text", written}});
    }
    out.insert(QStringLiteral("answers"), answers);
    QJsonObject numbers;
    insert(numbers, figuresOf(figures));
    out.insert(QStringLiteral("figures"), numbers);
    return out;
}

QJsonObject testJson(const PairComparison& pair) {
    return {{"unit", pair.unit == PermutedUnit::Answer ? "answer" : "block"},
            {"block_tokens", pair.blockTokens},
            {"units_a", pair.scheme.unitsA},
            {"units_b", pair.scheme.unitsB},
            {"permutations", static_cast<qint64>(pair.scheme.permutations)},
            {"exact", pair.scheme.exact},
            {"smallest_p", json(pair.scheme.smallestP)},
            {"seed", QString::number(pair.options.seed)},
            {"alpha", pair.options.alpha},
            {"phases", static_cast<int>(pair.options.phases)},
            {"after_common_prefix", pair.options.afterCommonPrefix},
            {"prefix_tokens", static_cast<qint64>(pair.prefixTokens)}};
}

QJsonArray layersJson(const PairComparison& pair) {
    QJsonArray out;
    for (const LayerComparison& at : pair.layers) {
        QJsonObject layer{{"layer", at.layer},
                          {"mtp", at.mtp},
                          {"n_a", static_cast<qint64>(at.tokensA)},
                          {"n_b", static_cast<qint64>(at.tokensB)}};
        insert(layer, numbersOf(at));
        QJsonObject selfA, selfB;
        insert(selfA, numbersOf(at.selfA));
        insert(selfB, numbersOf(at.selfB));
        layer.insert(QStringLiteral("halves_a"), selfA);
        layer.insert(QStringLiteral("halves_b"), selfB);
        out.append(layer);
    }
    return out;
}

QJsonArray strataJson(const PairComparison& pair) {
    static const char* const kPhases[] = {"prefill", "decode", "draft", "rejected"};
    QJsonArray out;
    for (const ComparisonStratum& at : pair.strata) {
        out.append(QJsonObject{{"phase", kPhases[static_cast<int>(at.phase)]},
                               {"special", at.special},
                               {"n_a", static_cast<qint64>(at.tokensA)},
                               {"n_b", static_cast<qint64>(at.tokensB)},
                               {"units_a", at.unitsA},
                               {"units_b", at.unitsB},
                               {"tested", at.tested}});
    }
    return out;
}

std::int64_t tokensOf(const RoutingLoad* load, int layer) {
    const int row = load != nullptr ? load->rowOfLayer(layer) : -1;
    return row >= 0 ? load->tokens(row, kAllTokens) : 0;
}

QJsonArray expertsJson(const PairComparison& pair) {
    QJsonArray out;
    for (const ShiftedExpert& at : pair.experts) {
        QJsonObject expert{{"layer", at.layer},
                           {"mtp", at.mtp},
                           {"expert", at.expert},
                           {"n_a", static_cast<qint64>(tokensOf(pair.loadA.get(), at.layer))},
                           {"n_b", static_cast<qint64>(tokensOf(pair.loadB.get(), at.layer))}};
        insert(expert, numbersOf(at));
        out.append(expert);
    }
    return out;
}

/// [layers][E] counts of both sides and the difference.
QJsonArray mapsJson(const PairComparison& pair) {
    QJsonArray out;
    for (int row = 0; pair.loadA != nullptr && row < pair.loadA->rows(); ++row) {
        QJsonArray a, b, difference;
        for (int expert = 0; expert < pair.shape.experts; ++expert) {
            a.append(static_cast<qint64>(pair.loadA->count(row, expert, kAllTokens)));
            b.append(static_cast<qint64>(pair.loadB->count(row, expert, kAllTokens)));
            const auto at = static_cast<std::size_t>(row * pair.shape.experts + expert);
            difference.append(at < pair.difference.size() ? json(pair.difference[at])
                                                          : QJsonValue());
        }
        out.append(QJsonObject{{"layer", pair.loadA->layerOfRow(row)},
                               {"n_a", static_cast<qint64>(pair.loadA->tokens(row, kAllTokens))},
                               {"n_b", static_cast<qint64>(pair.loadB->tokens(row, kAllTokens))},
                               {"counts_a", a},
                               {"counts_b", b},
                               {"log2_ratio", difference}});
    }
    return out;
}

QJsonObject alignedJson(const CompareAligned& aligned) {
    const AlignedComparison& of = *aligned.value;
    QJsonObject out{{"teacher_forced", aligned.forced}};
    insert(out, numbersOf(of));
    QJsonArray layers, tokens, texts;
    for (const AlignedLayer& at : of.layers) {
        layers.append(QJsonObject{{"layer", at.layer},
                                  {"n", static_cast<qint64>(of.n)},
                                  {"saturation", json(at.saturation)},
                                  {"mass_moved", json(at.massMoved)},
                                  {"changed_tokens", static_cast<qint64>(at.changedTokens)}});
    }
    for (const AlignedToken& at : of.tokens) {
        tokens.append(QJsonObject{{"answer", at.answer},
                                  {"position", at.position},
                                  {"token", at.tokenId},
                                  {"share", json(at.share)},
                                  {"mass_moved", json(at.massMoved)},
                                  {"first_layer", at.firstLayer},
                                  {"kl_nats", json(at.next.kl)}});
    }
    for (const TextDivergence& at : of.texts) {
        texts.append(QJsonObject{{"answer", at.answer},
                                 {"token", static_cast<qint64>(at.seq)},
                                 {"position", at.position},
                                 {"id_a", at.idA},
                                 {"id_b", at.idB},
                                 {"probability_a", json(at.probabilityA)},
                                 {"probability_b", json(at.probabilityB)}});
    }
    out.insert(QStringLiteral("layers"), layers);
    out.insert(QStringLiteral("tokens"), tokens);
    out.insert(QStringLiteral("first_text_differences"), texts);
    if (of.first) {
        out.insert(QStringLiteral("first_routing_difference"),
                   QJsonObject{{"answer", of.first->answer},
                               {"position", of.first->position},
                               {"token", of.first->tokenId},
                               {"layer", of.first->layer},
                               {"margin_a", json(of.first->marginA)},
                               {"margin_b", json(of.first->marginB)}});
    }
    return out;
}

/// Lines of "pair,section,layer,expert,statistic,value,n_a,n_b".
class CsvLines {
  public:
    CsvLines() { m_out = QStringLiteral("pair,section,layer,expert,statistic,value,n_a,n_b\n"); }
    void add(const QString& pair, const char* section, const QString& layer, const QString& expert,
             const Numbers& numbers, const QString& nA, const QString& nB) {
        for (const auto& [name, value] : numbers) {
            m_out += QStringList{tableField(pair, u','),
                                 QLatin1String(section),
                                 layer,
                                 expert,
                                 QLatin1String(name),
                                 std::isfinite(value) ? allDigits(value) : QString(),
                                 nA,
                                 nB}
                         .join(u',') +
                     u'\n';
        }
    }
    QString text() const { return m_out; }

  private:
    QString m_out;
};

void addPair(CsvLines& lines, const QString& name, const PairComparison& pair) {
    const auto whole = [](std::int64_t value) { return QString::number(value); };
    for (const LayerComparison& at : pair.layers) {
        const QString layer = QString::number(at.layer);
        lines.add(name, "layer", layer, {}, numbersOf(at), whole(at.tokensA), whole(at.tokensB));
        lines.add(name, "halves of A", layer, {}, numbersOf(at.selfA), whole(at.selfA.tokensFirst),
                  whole(at.selfA.tokensSecond));
        lines.add(name, "halves of B", layer, {}, numbersOf(at.selfB), whole(at.selfB.tokensFirst),
                  whole(at.selfB.tokensSecond));
    }
    for (const ShiftedExpert& at : pair.experts) {
        lines.add(name, "expert", QString::number(at.layer), QString::number(at.expert),
                  numbersOf(at), whole(tokensOf(pair.loadA.get(), at.layer)),
                  whole(tokensOf(pair.loadB.get(), at.layer)));
    }
    for (int row = 0; pair.loadA != nullptr && row < pair.loadA->rows(); ++row) {
        const int layer = pair.loadA->layerOfRow(row);
        for (int expert = 0; expert < pair.shape.experts; ++expert) {
            const auto at = static_cast<std::size_t>(row * pair.shape.experts + expert);
            lines.add(
                name, "map", QString::number(layer), QString::number(expert),
                {{"count_a", real(pair.loadA->count(row, expert, kAllTokens))},
                 {"count_b", real(pair.loadB->count(row, expert, kAllTokens))},
                 {"log2_ratio", at < pair.difference.size() ? pair.difference[at] : std::nan("")}},
                whole(pair.loadA->tokens(row, kAllTokens)),
                whole(pair.loadB->tokens(row, kAllTokens)));
        }
    }
}

QString pairName(const Comparison& comparison, const PairComparison& pair) {
    return CompareTexts::label(comparison, pair.a) + QStringLiteral(" / ") +
           CompareTexts::label(comparison, pair.b);
}

}  // namespace

QString comparisonJson(const Comparison& comparison, const std::vector<CompareAligned>& aligned) {
    QJsonArray runs, pairs;
    for (std::size_t i = 0; i < comparison.runs.size(); ++i) {
        runs.append(runJson(comparison.runs[i], comparison.figures[i]));
    }
    for (std::size_t i = 0; i < comparison.pairs.size(); ++i) {
        const PairComparison& pair = comparison.pairs[i];
        const CompareTexts texts(comparison, pair);
        QJsonObject out{{"a", texts.labelA()},
                        {"b", texts.labelB()},
                        {"verdict", texts.verdict()},
                        {"limits", texts.limits()},
                        {"n_a", static_cast<qint64>(pair.verdict.tokensA)},
                        {"n_b", static_cast<qint64>(pair.verdict.tokensB)},
                        {"test", testJson(pair)},
                        {"strata", strataJson(pair)},
                        {"layers", layersJson(pair)},
                        {"experts_tested", static_cast<qint64>(pair.expertsTested)},
                        {"experts_beyond", static_cast<qint64>(pair.expertsBeyond)},
                        {"experts", expertsJson(pair)},
                        {"maps", mapsJson(pair)}};
        if (i < aligned.size() && aligned[i].value != nullptr) {
            out.insert(QStringLiteral("same_tokens"), alignedJson(aligned[i]));
        }
        pairs.append(out);
    }
    const QJsonObject all{
        {"format", "gatescope-comparison"}, {"version", 1}, {"runs", runs}, {"pairs", pairs}};
    return QString::fromUtf8(QJsonDocument(all).toJson(QJsonDocument::Indented));
}

QString comparisonCsv(const Comparison& comparison, const std::vector<CompareAligned>& aligned) {
    CsvLines lines;
    for (std::size_t i = 0; i < comparison.runs.size(); ++i) {
        lines.add(CompareTexts::label(comparison, static_cast<int>(i)), "run", {}, {},
                  figuresOf(comparison.figures[i]),
                  QString::number(comparison.figures[i].routedTokens), {});
    }
    for (std::size_t i = 0; i < comparison.pairs.size(); ++i) {
        const QString name = pairName(comparison, comparison.pairs[i]);
        addPair(lines, name, comparison.pairs[i]);
        if (i >= aligned.size() || aligned[i].value == nullptr) {
            continue;
        }
        const AlignedComparison& of = *aligned[i].value;
        const QString n = QString::number(of.n);
        lines.add(name, "same tokens", {}, {}, numbersOf(of), n, n);
        for (const AlignedLayer& at : of.layers) {
            lines.add(name, "same tokens", QString::number(at.layer), {},
                      {{"saturation", at.saturation},
                       {"mass_moved", at.massMoved},
                       {"changed_tokens", real(at.changedTokens)}},
                      n, n);
        }
    }
    return lines.text();
}

void saveComparison(const Comparison& comparison, const std::vector<CompareAligned>& aligned,
                    const QString& file) {
    const QString suffix = QFileInfo(file).suffix().toLower();
    if (suffix == QLatin1String("json")) {
        saveText(comparisonJson(comparison, aligned), file);
    } else if (suffix == QLatin1String("csv")) {
        saveText(comparisonCsv(comparison, aligned), file);
    } else {
        throw fileError(file.toStdString(), {}, "a comparison is saved as .json or .csv");
    }
}

}  // namespace gatescope
