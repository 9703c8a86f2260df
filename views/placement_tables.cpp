// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/placement_tables.h"

#include <QCoreApplication>

#include "views/formats.h"

namespace gatescope {

namespace {

struct Text {
    Q_DECLARE_TR_FUNCTIONS(gatescope::PlacementTables)
};

NumberCell number(double value, const QString& definition = {}) {
    return {threeDigits(value), allDigits(value), definition, {}};
}

NumberCell whole(std::int64_t value, const QString& definition) {
    return {integerText(value), QString::number(value), definition, {}};
}

NumberCell bytes(std::int64_t value, const QString& definition) {
    return {bytesText(value), exactBytesText(value), definition, {}};
}

std::vector<NumberCell> heldOutRow(const PlacementPlan& plan, PlacementPolicy policy,
                                   const HeldOutScore& score) {
    std::vector<NumberCell> row{
        {policyName(policy), {}, {}, {}}, number(score.planned), number(score.heldOut.value)};
    if (plan.blocks / 2 < 2) {  // drawn with replacement, one block is always the same
        const NumberCell none{QStringLiteral("–"),
                              {},
                              Text::tr("The other half is one block, which gives no interval."),
                              {}};
        row.insert(row.end(), {none, none});
    } else {
        row.insert(row.end(), {number(score.heldOut.low), number(score.heldOut.high)});
    }
    return row;
}

}  // namespace

std::vector<PlacementMeasure> placementMeasures() {
    return {
        {Text::tr("SGLang balancedness"),
         Text::tr("mean over layers of (mean L + 1e-5) / (max L + 1e-5); L is the load of a GPU in "
                  "a layer. 1 is even."),
         QStringLiteral("1"), &PredictedBalance::sglang},
        {Text::tr("vLLM balancedness"),
         Text::tr("sum over layers of mean L / sum over layers of max L. 1 is even."),
         QStringLiteral("1"), &PredictedBalance::vllm},
        {Text::tr("vLLM peak ratio"),
         Text::tr("mean over layers of max L / mean L (vLLM's proposal #39178). 1 is even, larger "
                  "is worse."),
         QStringLiteral("1"), &PredictedBalance::vllmPeakRatio},
        {Text::tr("TensorRT-LLM imbalance"),
         Text::tr("mean over layers of (max L - mean L) / mean L. 0 is even, larger is worse."),
         QStringLiteral("0"), &PredictedBalance::tensorRt},
        {Text::tr("waiting"),
         Text::tr("sum of max L / sum of mean L - 1: part of the expert time lost to the slowest "
                  "GPU, if expert time is all there is. 0 is even."),
         QStringLiteral("0"), &PredictedBalance::stragglerCost},
        {Text::tr("straggler time"),
         Text::tr("sum over layers of max L, in expert choices: what all GPUs together wait for."),
         QString(), &PredictedBalance::stragglerTime}};
}

PlacementMeasure targetMeasure(PlacementTarget target) {
    const std::vector<PlacementMeasure> all = placementMeasures();
    switch (target) {
        case PlacementTarget::Sglang:
            return all[0];
        case PlacementTarget::TensorRtLlm:
            return all[3];
        case PlacementTarget::Eplb:
        case PlacementTarget::Vllm:
        case PlacementTarget::VllmAscend:
            break;
    }
    return all[1];
}

bool definesMeasure(PlacementTarget target) {
    return target != PlacementTarget::Eplb && target != PlacementTarget::VllmAscend;
}

QString targetName(PlacementTarget target) {
    switch (target) {
        case PlacementTarget::Eplb:
            return Text::tr("EPLB (.npy)");
        case PlacementTarget::Sglang:
            return QStringLiteral("SGLang");
        case PlacementTarget::TensorRtLlm:
            return QStringLiteral("TensorRT-LLM");
        case PlacementTarget::Vllm:
            return QStringLiteral("vLLM");
        case PlacementTarget::VllmAscend:
            break;
    }
    return QStringLiteral("vllm-ascend");
}

QString policyName(PlacementPolicy policy) {
    return policy == PlacementPolicy::Eplb ? QStringLiteral("EPLB") : QStringLiteral("Gatescope");
}

QString placementBeforeText(const PlacementPlan& plan) {
    return plan.beforeIsCurrent ? Text::tr("current") : Text::tr("in order, no copies");
}

NumberRows placementMeasureRows(const PlacementPlan& plan) {
    NumberRows rows;
    for (const PlacementMeasure& measure : placementMeasures()) {
        const NumberCell none{QStringLiteral("–"), {}, measure.definition, {}};
        rows.push_back(
            {{measure.name, {}, measure.definition, {}},
             plan.before ? number((*plan.before).*measure.value, measure.definition) : none,
             number(plan.after.*measure.value, measure.definition),
             measure.even.isEmpty() ? none : NumberCell{measure.even, {}, measure.definition, {}}});
    }
    return rows;
}

NumberRows placementCostRows(const PlacementPlan& plan) {
    NumberRows rows;
    const auto add = [&rows](const QString& name, const QString& definition, const auto& cell) {
        rows.push_back({{name, {}, definition, {}}, cell(definition)});
    };
    const NumberCell unknown{Text::tr("not known"), {}, Text::tr("Say the bytes per expert."), {}};
    add(Text::tr("slots without use"),
        Text::tr("copies of an expert on a GPU that has it already; they take no load off it"),
        [&](const QString& tip) { return whole(wastedSlots(plan.placement), tip); });
    add(Text::tr("expert weights on a GPU"),
        Text::tr("slots of a GPU in all layers times the bytes per expert"),
        [&](const QString& tip) {
            return plan.expertBytes > 0 ? bytes(plan.gpuBytes, tip) : unknown;
        });
    if (plan.moved) {
        add(Text::tr("expert copies to send"),
            Text::tr("over layers and GPUs, experts on a GPU that are not there in the current "
                     "placement"),
            [&](const QString& tip) { return whole(*plan.moved, tip); });
        add(Text::tr("bytes to send"), Text::tr("those copies times the bytes per expert"),
            [&](const QString& tip) {
                return plan.migrationBytes ? bytes(*plan.migrationBytes, tip) : unknown;
            });
    }
    return rows;
}

NumberRows placementHeldOutRows(const PlacementPlan& plan) {
    NumberRows rows;
    if (plan.heldOut) {
        rows.push_back(heldOutRow(plan, plan.policy, *plan.heldOut));
    }
    if (plan.heldOutEplb) {
        rows.push_back(heldOutRow(plan, PlacementPolicy::Eplb, *plan.heldOutEplb));
    }
    return rows;
}

QString placementCaveats(const PlacementPlan& plan) {
    const QString n = integerText(static_cast<std::int64_t>(plan.choices));
    const QString blocks = integerText(static_cast<std::int64_t>(plan.blocks));
    QString text = plan.blocks == 1
                       ? Text::tr("n = %1 expert choices in 1 block.").arg(n)
                       : Text::tr("n = %1 expert choices in %2 blocks.").arg(n, blocks);
    text += u' ' +
            (plan.heldOut
                 ? Text::tr("Held out: planned on one half of the blocks, drawn by lot, scored on "
                            "the other in vLLM's balancedness; the interval is for other traffic "
                            "of the same kind.")
                 : Text::tr("With one block nothing can be said about traffic that the plan has "
                            "not seen."));
    if (plan.fromSessions) {
        text += u' ' + Text::tr(
                           "Traffic of single chats is not serving traffic: take this for an "
                           "illustration unless these prompts are what is served.");
    }
    return text;
}

QString gpuLoadText(const PlacementPlan& plan, int gpu) {
    const auto at = static_cast<std::size_t>(gpu);
    if (gpu < 0 || at >= plan.after.gpuLoads.size()) {
        return {};
    }
    const QString placed = allDigits(plan.after.gpuLoads[at]);
    return plan.before ? Text::tr("GPU %1 · load over the mean: %2 %3, %4 placed")
                             .arg(QString::number(gpu), allDigits(plan.before->gpuLoads[at]),
                                  placementBeforeText(plan), placed)
                       : Text::tr("GPU %1 · load over the mean: %2 placed")
                             .arg(QString::number(gpu), placed);
}

QString gpuLoadsText(const PlacementPlan& plan, QChar separator) {
    const QString before = placementBeforeText(plan);
    QString out =
        QStringList{Text::tr("GPU"), tableField(before, separator), Text::tr("placed")}.join(
            separator) +
        u'\n';
    for (std::size_t gpu = 0; gpu < plan.after.gpuLoads.size(); ++gpu) {
        out += QString::number(gpu) + separator +
               (plan.before ? allDigits(plan.before->gpuLoads[gpu]) : QString()) + separator +
               allDigits(plan.after.gpuLoads[gpu]) + u'\n';
    }
    return out;
}

}  // namespace gatescope
