// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/experts_tables.h"

#include <algorithm>
#include <cmath>

#include "views/formats.h"
#include "views/theme.h"

namespace gatescope {

namespace {

constexpr int kTokenChars = 24;

NumberCell countCell(std::int64_t count) {
    return {integerText(count), QString::number(count), {}, {}};
}

NumberCell valueCell(double value) {
    return {threeDigits(value), allDigits(value), {}, {}};
}

NumberCell shareCell(double share) {
    return std::isnan(share) ? NumberCell{threeDigits(share), {}, {}, {}}
                             : NumberCell{percentText(share), allDigits(share), {}, {}};
}

NumberCell expertCell(int expert) {
    return {QString::number(expert), {}, {}, {}};
}

NumberCell maskedCell() {
    return {
        QString(QChar(0x2013)),
        {},
        ExpertsView::tr("not enough data: fewer than %1 tokens with both are expected by chance")
            .arg(static_cast<int>(kMinExpectedPairs)),
        {}};
}

void mute(std::vector<NumberCell>& row, const QPalette& palette) {
    for (NumberCell& cell : row) {
        cell.colour = themeColours(palette).muted;
    }
}

QString liftTip() {
    return ExpertsView::tr(
        "p_ij / (p_i p_j). By chance a little below 1: a place taken by one expert is not "
        "free for another.");
}

QString phiTip() {
    return ExpertsView::tr("phi: correlation of the two being chosen, -1 to 1");
}

QString bothTip() {
    return ExpertsView::tr("tokens that chose both; all pairs of a token's choices count");
}

QString forecastTip(const PinnedForecast& forecast) {
    return forecast.n == 0
               ? ExpertsView::tr(
                     "pinned by the first half: hit rate in the second half of the "
                     "steps with the experts that the first read most; from two steps "
                     "on")
               : ExpertsView::tr(
                     "pinned by the first half: hit rate with the experts that the "
                     "first %1 steps read most (%2 reads), in the other %3 steps (n = "
                     "%4 reads)")
                     .arg(integerText(forecast.stepsLearned), integerText(forecast.readsLearned),
                          integerText(forecast.stepsScored), integerText(forecast.n));
}

QStringList cacheTips(const ExpertReadsValue& reads) {
    const QString n = integerText(reads.n);
    return {ExpertsView::tr("kept in memory of this layer's %1").arg(reads.experts()),
            ExpertsView::tr("hit rate when the least recently used expert goes; first reads are "
                            "misses (n = %1 reads)")
                .arg(n),
            ExpertsView::tr("hit rate when the least frequently used expert goes; first reads are "
                            "misses (n = %1 reads)")
                .arg(n),
            ExpertsView::tr("pinned with hindsight: hit rate with the most read experts there from "
                            "the start, chosen from the reads it is scored on, so that no fixed "
                            "choice does better (n = %1 reads)")
                .arg(n),
            forecastTip(reads.forecast)};
}

using Cells = std::vector<NumberCell>;

NumberCell measureCell(const QString& name, const QString& tip) {
    return {name, {}, tip, {}};
}

NumberCell noCell() {
    return {QString(QChar(0x2013)), {}, {}, {}};
}

std::vector<Cells> informationRows(const NextLayerSummary& next) {
    const ShiftBaseline& shifted = next.shifted;
    Cells newest{measureCell(
        ExpertsView::tr("of the newest"),
        ExpertsView::tr("of the newest tokens; chance: the next layer's tokens shifted against "
                        "these by %1 or more, round the end, so that their order and the loads "
                        "stay; needs %2 tokens")
            .arg(kLeastShift)
            .arg(2 * kLeastShift + kFewestShifts - 1))};
    for (const double figure : {shifted.observed, shifted.mean, shifted.p95, shifted.pValue}) {
        newest.push_back(valueCell(shifted.shifts > 0 ? figure : std::nan("")));
    }
    newest.push_back(countCell(shifted.n));
    return {{measureCell(
                 ExpertsView::tr("information"),
                 ExpertsView::tr("of all tokens; chance: (e - k)(e' - k) / (2 N), e and e' experts "
                                 "seen, N pairs, for tokens independent of each other")),
             valueCell(next.mutualInformation), valueCell(next.mutualInformationBias), noCell(),
             noCell(), countCell(next.n)},
            std::move(newest)};
}

std::vector<Cells> recallRows(const NextLayerSummary& next, int topK) {
    return {{measureCell(ExpertsView::tr("recall@%1").arg(topK),
                         ExpertsView::tr("of the next layer's experts, those that the counts "
                                         "named beforehand; chance: k / E")),
             shareCell(next.recall), shareCell(next.chanceRecall), noCell(), noCell(),
             countCell(next.predicted)},
            {measureCell(ExpertsView::tr("by load alone"),
                         ExpertsView::tr("naming the most chosen experts every time")),
             shareCell(next.popularRecall), shareCell(next.chanceRecall), noCell(), noCell(),
             countCell(next.predicted)}};
}

}  // namespace

QString layerName(const RoutingShape& shape, int layer) {
    return layer == shape.mtpLayer ? ExpertsView::tr("MTP layer %1").arg(layer)
                                   : ExpertsView::tr("layer %1").arg(layer);
}

ExpertsTable topTokensTable(const ExpertsValue& value, const QPalette& palette) {
    const ExpertProfile& expert = *value.expert;
    ExpertsTable out;
    out.name = ExpertsView::tr("Top tokens");
    out.numeric = false;
    out.header = {ExpertsView::tr("token"), ExpertsView::tr("seen"), ExpertsView::tr("routed here"),
                  ExpertsView::tr("share"), ExpertsView::tr("shrunken")};
    out.headerTips = {
        ExpertsView::tr("the token that went in"),
        ExpertsView::tr("n: ordinary tokens with this id"),
        ExpertsView::tr("of these, those that chose the expert"),
        ExpertsView::tr("routed here / seen"),
        ExpertsView::tr(
            "(routed + a p) / (seen + a), a = %1, p = %2 the chance level: pulled to chance where "
            "little was seen. Sorted by this; grey: seen fewer than %3 times.")
            .arg(allDigits(expert.shrinkage), threeDigits(expert.chance),
                 integerText(expert.leastSeen))};
    out.empty = ExpertsView::tr("No token was routed to this expert.");
    for (const ProfileToken& token : expert.topTokens) {
        const auto found = value.tokens.find(token.id);
        const QString id = ExpertsView::tr("id %1").arg(token.id);
        NumberCell name{id, {}, {}, {}};
        if (found != value.tokens.end()) {
            const QByteArray bytes = QByteArray::fromStdString(found->second);
            name = {quotedToken(bytes, kTokenChars), quotedToken(bytes), id, {}};
        }
        out.rows.push_back({name, countCell(token.seen), countCell(token.routed),
                            shareCell(token.share), shareCell(token.shrunk)});
        if (token.fewSeen) {
            mute(out.rows.back(), palette);
        }
    }
    return out;
}

ExpertsTable coactiveTable(const ExpertsValue& value, const QPalette& palette) {
    const ExpertProfile& expert = *value.expert;
    ExpertsTable out;
    out.name = ExpertsView::tr("Co-active experts");
    out.header = {ExpertsView::tr("expert"), ExpertsView::tr("both"), ExpertsView::tr("chance"),
                  ExpertsView::tr("lift"), QStringLiteral("φ")};
    out.headerTips = {ExpertsView::tr("of the same layer; click to select it"), bothTip(),
                      ExpertsView::tr("tokens with both if the two did not know of each other"),
                      liftTip(), phiTip()};
    out.empty = ExpertsView::tr("No token has chosen this expert yet.");
    for (const CoactiveExpert& other : expert.coactive) {
        out.rows.push_back(
            {expertCell(other.expert), countCell(other.count), valueCell(other.expectedCount),
             other.masked ? maskedCell() : valueCell(other.lift),
             other.masked ? maskedCell()
                          : NumberCell{signedDigits(other.phi), allDigits(other.phi), {}, {}}});
        if (other.masked) {
            mute(out.rows.back(), palette);
        }
        const ExpertsTarget target{expert.layer, other.expert};
        out.targets.emplace_back(target, target);
    }
    return out;
}

ExpertsTable neighbourTable(const ExpertsValue& value, bool after, const QPalette& palette) {
    const ExpertProfile& expert = *value.expert;
    const int layer = after ? expert.layerAfter : expert.layerBefore;
    ExpertsTable out;
    out.name = after ? ExpertsView::tr("Next layer") : ExpertsView::tr("Layer before");
    if (layer >= 0) {
        out.name += QStringLiteral(" (%1)").arg(layer);
    }
    out.header = {ExpertsView::tr("expert"), ExpertsView::tr("tokens"), ExpertsView::tr("share"),
                  ExpertsView::tr("of all"), ExpertsView::tr("ratio")};
    out.headerTips = {
        after ? ExpertsView::tr("of the next MoE layer; click to select it")
              : ExpertsView::tr("of the MoE layer before; click to select it"),
        ExpertsView::tr("tokens that chose both"),
        ExpertsView::tr("of the tokens that chose the selected expert (n = %1)")
            .arg(integerText(expert.chosen)),
        ExpertsView::tr("of all tokens (n = %1): what the share would be without a relation")
            .arg(integerText(expert.n)),
        ExpertsView::tr("share over share of all; 1 is chance")};
    out.empty = layer < 0 ? (after ? ExpertsView::tr("No main MoE layer follows this one.")
                                   : ExpertsView::tr("No main MoE layer comes before this one."))
                          : ExpertsView::tr("No token has chosen this expert yet.");
    for (const NeighbourExpert& other : after ? expert.after : expert.before) {
        out.rows.push_back({expertCell(other.expert), countCell(other.count),
                            shareCell(other.share), shareCell(other.base),
                            other.masked ? maskedCell() : valueCell(other.ratio)});
        if (other.masked) {
            mute(out.rows.back(), palette);
        }
        const ExpertsTarget target{layer, other.expert};
        out.targets.emplace_back(target, target);
    }
    return out;
}

ExpertsTable domainsTable(const ExpertsValue& value) {
    ExpertsTable out;
    const double chance = value.shape.experts > 0
                              ? static_cast<double>(value.shape.topK) / value.shape.experts
                              : std::nan("");
    out.name = ExpertsView::tr("Domains");
    out.numeric = false;
    out.header = {ExpertsView::tr("domain"), ExpertsView::tr("share"),
                  ExpertsView::tr("over chance"), ExpertsView::tr("n")};
    out.headerTips = {
        ExpertsView::tr("of a labelled prompt set"),
        ExpertsView::tr(
            "D(i, d): of the domain's tokens, those that chose the expert; by chance %1")
            .arg(percentText(chance)),
        ExpertsView::tr("share over k / E; 1 is chance"), ExpertsView::tr("tokens of the domain")};
    out.empty = ExpertsView::tr(
        "Run a labelled prompt set (dock Specialists): this shows which domains use the "
        "expert.");
    for (const DomainAffinity& domain : value.domains) {
        out.rows.push_back({{visibleText(QString::fromStdString(domain.domain), kTokenChars),
                             visibleText(QString::fromStdString(domain.domain)),
                             {},
                             {}},
                            shareCell(domain.share),
                            valueCell(domain.share / chance),
                            countCell(domain.n)});
    }
    return out;
}

ExpertsTable windowsTable(const ExpertsValue& value) {
    ExpertsTable out;
    out.name = ExpertsView::tr("Load over time");
    out.header = {ExpertsView::tr("first token"), ExpertsView::tr("n"),
                  ExpertsView::tr("chosen"),      ExpertsView::tr("relative load"),
                  ExpertsView::tr("95 % from"),   ExpertsView::tr("95 % up to")};
    for (const LoadWindow& window : value.expert->windows) {
        out.rows.push_back({countCell(window.firstToken), countCell(window.tokens),
                            countCell(window.chosen), valueCell(window.relativeLoad),
                            valueCell(window.low), valueCell(window.high)});
    }
    return out;
}

ExpertsTable pairsTable(const ExpertsValue& value) {
    ExpertsTable out;
    out.name = ExpertsView::tr("Pairs of experts");
    out.header = {ExpertsView::tr("expert"), ExpertsView::tr("expert"), ExpertsView::tr("both"),
                  ExpertsView::tr("chance"), ExpertsView::tr("lift"),   QStringLiteral("φ")};
    out.headerTips = {
        ExpertsView::tr("click to select it"),
        ExpertsView::tr("click to select it"),
        bothTip(),
        ExpertsView::tr("tokens with both if the two did not know of each other; pairs below %1 "
                        "are left out")
            .arg(static_cast<int>(kMinExpectedPairs)),
        liftTip(),
        phiTip()};
    out.empty =
        ExpertsView::tr("Not enough data: no pair of experts is expected in %1 tokens or more yet.")
            .arg(static_cast<int>(kMinExpectedPairs));
    for (const ExpertPair& pair : value.layer.topPairs) {
        out.rows.push_back({expertCell(pair.first),
                            expertCell(pair.second),
                            countCell(pair.count),
                            valueCell(pair.expectedCount),
                            valueCell(pair.lift),
                            {signedDigits(pair.phi), allDigits(pair.phi), {}, {}}});
        out.targets.emplace_back(ExpertsTarget{value.layer.layer, pair.first},
                                 ExpertsTarget{value.layer.layer, pair.second});
    }
    return out;
}

ExpertsTable nextLayerTable(const ExpertsValue& value) {
    const NextLayerSummary& next = value.layer.next;
    ExpertsTable out;
    out.name = ExpertsView::tr("Next layer");
    if (next.nextLayer >= 0) {
        out.name += QStringLiteral(" (%1)").arg(next.nextLayer);
    }
    out.numeric = false;
    out.header = {ExpertsView::tr("measure"), ExpertsView::tr("value"), ExpertsView::tr("chance"),
                  ExpertsView::tr("95 %"),    ExpertsView::tr("p"),     ExpertsView::tr("n")};
    out.headerTips = {
        ExpertsView::tr("what a token's experts here tell about those in the next MoE layer"),
        ExpertsView::tr("information: mutual information of one choice here and one there, in "
                        "nats, as counted, which is too large at small n"),
        ExpertsView::tr("the mean by chance"),
        ExpertsView::tr("95 % point by chance, of %1 shifts").arg(next.shifted.shifts),
        ExpertsView::tr("(1 + shifts with at least this) / (shifts + 1), %1 shifts")
            .arg(next.shifted.shifts),
        ExpertsView::tr("tokens")};
    out.empty = next.nextLayer < 0 ? ExpertsView::tr("No main MoE layer follows this one.")
                                   : ExpertsView::tr("No token was counted in both layers yet.");
    if (next.nextLayer >= 0 && next.n > 0) {
        out.rows = informationRows(next);
        for (auto& row : recallRows(next, value.shape.topK)) {
            out.rows.push_back(std::move(row));
        }
    }
    return out;
}

ExpertsTable cacheTable(const ExpertsValue& value, bool everySize) {
    const ExpertReadsValue& reads = value.layer.reads;
    ExpertsTable out;
    out.name = ExpertsView::tr("Cache sizes");
    out.header = {ExpertsView::tr("experts"), ExpertsView::tr("LRU"), ExpertsView::tr("LFU"),
                  ExpertsView::tr("hindsight"), ExpertsView::tr("1st half")};
    out.headerTips = cacheTips(reads);
    if (everySize) {  // for copying; on screen it is in the first column's tooltip and the chart
        out.header += ExpertsView::tr("even");
    }
    out.empty = ExpertsView::tr("No expert of this layer was read yet.");
    const int experts = reads.n > 0 ? reads.experts() : 0;
    for (int size = 1; size <= experts;
         size = everySize || size == experts ? size + 1 : std::min(2 * size, experts)) {
        const double even = static_cast<double>(size) / experts;
        std::vector<NumberCell> row{expertCell(size)};
        row.front().toolTip =
            ExpertsView::tr("a fixed choice under even load: %1").arg(percentText(even));
        if (value.bytesPerExpert > 0) {
            const double bytes =
                static_cast<double>(size) * static_cast<double>(value.bytesPerExpert);
            row.front().toolTip +=
                u'\n' + ExpertsView::tr("%1 of memory for this layer")
                            .arg(bytesText(static_cast<std::int64_t>(std::min(9e18, bytes))));
        }
        for (const double rate : {reads.lruHitRate(size), reads.lfuHitRate(size),
                                  reads.pinnedHitRate(size), reads.forecast.hitRate(size)}) {
            row.push_back(shareCell(rate));
        }
        if (everySize) {
            row.push_back(shareCell(even));
        }
        out.rows.push_back(row);
    }
    return out;
}

QString expertHeadline(const ExpertsValue& value) {
    const ExpertProfile& expert = *value.expert;
    return ExpertsView::tr("relative load %1 · chosen %2 of n = %3 · by chance %4")
        .arg(threeDigits(expert.relativeLoad), integerText(expert.chosen), integerText(expert.n),
             expert.n > 0 ? threeDigits(expert.chance * static_cast<double>(expert.n))
                          : threeDigits(std::nan("")));
}

QString expertDetails(const ExpertsValue& value) {
    const ExpertProfile& expert = *value.expert;
    QStringList parts;
    if (expert.chosen > 0) {
        parts +=
            ExpertsView::tr("mean gate weight %1 when chosen").arg(threeDigits(expert.meanWeight));
        if (value.shape.hasBias) {
            parts += ExpertsView::tr("bias decided %1").arg(percentText(expert.biasDecidedShare));
        }
    }
    if (expert.scored > 0) {
        parts += ExpertsView::tr("mean affinity s %1 (n = %2)")
                     .arg(threeDigits(expert.meanAffinity), integerText(expert.scored));
    }
    if (expert.n > 0) {
        parts += expert.relativeLoad >= 1
                     ? ExpertsView::tr("P(as hot by chance) %1").arg(threeDigits(expert.pUpper))
                     : ExpertsView::tr("P(as cold by chance) %1").arg(threeDigits(expert.pLower));
    }
    return parts.join(QStringLiteral(" · "));
}

QString layerHeadline(const ExpertsValue& value) {
    const LayerProfile& layer = value.layer;
    return ExpertsView::tr(
               "%1 reads of experts in %2 steps · median reuse distance %3 · n = %4 tokens")
        .arg(integerText(layer.reads.n), integerText(layer.reads.steps),
             threeDigits(layer.reads.medianReuseDistance()), integerText(layer.n));
}

QString layerDetails(const ExpertsValue& value) {
    const LayerProfile& layer = value.layer;
    QStringList parts;
    if (layer.n > 0) {
        parts += ExpertsView::tr("lift by chance %1").arg(threeDigits(layer.expectedLift));
    }
    if (layer.next.nextLayer >= 0 && layer.next.predicted > 0) {
        parts += ExpertsView::tr("recall@%1 of layer %2 %3 (popularity %4, chance %5, n = %6)")
                     .arg(QString::number(value.shape.topK), QString::number(layer.next.nextLayer),
                          percentText(layer.next.recall), percentText(layer.next.popularRecall),
                          percentText(layer.next.chanceRecall), integerText(layer.next.predicted));
    }
    return parts.join(QStringLiteral(" · "));
}

QString tableText(const ExpertsTable& table, QChar separator) {
    QString out;
    for (int c = 0; c < table.header.size(); ++c) {
        out += (c > 0 ? QString(separator) : QString()) + tableField(table.header[c], separator);
    }
    out += u'\n';
    for (const auto& row : table.rows) {
        for (std::size_t c = 0; c < row.size(); ++c) {
            const QString& text = row[c].exact.isEmpty() ? row[c].text : row[c].exact;
            out += (c > 0 ? QString(separator) : QString()) + tableField(text, separator);
        }
        out += u'\n';
    }
    return out;
}

}  // namespace gatescope
