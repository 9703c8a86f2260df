// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/bias_drift_text.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "views/formats.h"

namespace gatescope {

namespace {

constexpr int kLabelChars = 120;

QString text(const char* source) {
    return QCoreApplication::translate("BiasDrift", source);
}

const ShadowRow* shadowRow(const BiasViewValue& value, std::size_t row) {
    return value.shadow && row < value.shadow->rows.size() ? &value.shadow->rows[row] : nullptr;
}

const BiasDriftRow* driftRow(const std::shared_ptr<const BiasDrift>& drift, std::size_t row) {
    return drift && row < drift->rows.size() ? &drift->rows[row] : nullptr;
}

bool hasHistory(const BiasViewValue& value, std::size_t row) {
    return value.history && value.history->snapshots() > 0 &&
           row < static_cast<std::size_t>(value.history->rows()) &&
           value.history->shape.experts == value.shape.experts;
}

QString historyNote(const BiasViewValue& value, std::size_t row) {
    if (!value.historyProblem.isEmpty()) {
        return visibleText(value.historyProblem, 4 * kLabelChars);
    }
    if (!hasHistory(value, row)) {
        return text(
            "This model folder has no bias-history.safetensors: how training moved the "
            "bias is not known.");
    }
    const BiasHistory& history = *value.history;
    QString out =
        text("How training moved the bias: %1 snapshots, steps %2 to %3, MaxVio %4 to %5.")
            .arg(integerText(static_cast<std::int64_t>(history.snapshots())),
                 integerText(history.steps.front()), integerText(history.steps.back()),
                 threeDigits(history.maxVio(0, static_cast<int>(row))),
                 threeDigits(history.maxVio(history.snapshots() - 1, static_cast<int>(row))));
    // An applied bias is not the model's own, so there is nothing to compare then.
    if (!value.applied && row < value.biasByRow.size()) {
        const double far = history.differenceFromModel(static_cast<int>(row), value.biasByRow[row]);
        out +=
            u' ' + (far > 0 ? text("The model's bias is another one: up to %1 away from the last "
                                   "snapshot.")
                                  .arg(threeDigits(far))
                            : text("It ends with the bias the model has."));
    }
    return out;
}

QString shadowNote(const BiasViewValue& value, std::size_t row) {
    const ShadowRow* shadow = shadowRow(value, row);
    if (shadow == nullptr) {
        return text("Ask something: the training rule then runs beside the frozen bias.");
    }
    if (shadow->batches == 0) {
        return text("Would-be drift: no batch is full yet, %1 of %2 tokens.")
            .arg(shadow->pending)
            .arg(value.shadow->params.batchTokens);
    }
    const ShadowParams& params = value.shadow->params;
    return text(
               "Would-be drift, the run does not change: γ %1, n %2 tokens in %3 batches of %4, "
               "%5 experts up, %6 down, at most %7.")
               .arg(allDigits(params.gamma), integerText(shadow->tokens),
                    integerText(shadow->batches), integerText(params.batchTokens))
               .arg(shadow->raised)
               .arg(shadow->lowered)
               .arg(threeDigits(shadow->largest)) +
           u' ' +
           text("Rank correlation with the load %1; MaxVio of all batches together %2.")
               .arg(signedDigits(shadow->loadCorrelation), threeDigits(shadow->maxVio));
}

QString figures(const BiasDriftRow& row) {
    return text("at most %1, rms %2, rank correlation %3; mean %4 removed")
        .arg(threeDigits(row.largest), threeDigits(row.rms),
             std::isnan(row.rankCorrelation) ? threeDigits(row.rankCorrelation)
                                             : signedDigits(row.rankCorrelation),
             signedDigits(row.shift));
}

QString appliedNote(const BiasViewValue& value, std::size_t row) {
    const BiasDriftRow* drift = driftRow(value.applied, row);
    return drift == nullptr ? text("The model runs with its own bias: nothing is applied.")
                            : text("Applied bias minus the model's own: %1.").arg(figures(*drift));
}

QString checkpointNote(const BiasViewValue& value, std::size_t row) {
    const BiasDriftRow* drift = driftRow(value.checkpoint, row);
    return drift == nullptr
               ? text("No other checkpoint is compared.")
               : text("%1 minus this model: %2.")
                     .arg(visibleText(value.checkpointLabel, kLabelChars), figures(*drift));
}

std::vector<double> historyDrift(const BiasViewValue& value, std::size_t row) {
    if (!hasHistory(value, row)) {
        return {};
    }
    const BiasHistory& history = *value.history;
    const auto first = history.biasAt(0, static_cast<int>(row));
    const auto last = history.biasAt(history.snapshots() - 1, static_cast<int>(row));
    std::vector<double> out;
    for (std::size_t e = 0; e < first.size(); ++e) {
        out.push_back(static_cast<double>(last[e]) - static_cast<double>(first[e]));
    }
    return centred(out);
}

}  // namespace

QString kindName(BiasDriftKind kind) {
    switch (kind) {
        case BiasDriftKind::TrainingHistory:
            return text("Training history");
        case BiasDriftKind::Shadow:
            return text("Shadow (would-be)");
        case BiasDriftKind::Applied:
            return text("Applied");
        case BiasDriftKind::Checkpoint:
            return text("Between checkpoints");
    }
    return {};
}

QString kindAxis(BiasDriftKind kind) {
    switch (kind) {
        case BiasDriftKind::TrainingHistory:
            return text("training drift");
        case BiasDriftKind::Shadow:
            return text("shadow drift");
        case BiasDriftKind::Applied:
            return text("applied drift");
        case BiasDriftKind::Checkpoint:
            return text("checkpoint diff.");
    }
    return {};
}

QString driftNote(const BiasViewValue& value, BiasDriftKind kind, std::size_t row) {
    switch (kind) {
        case BiasDriftKind::TrainingHistory:
            return historyNote(value, row);
        case BiasDriftKind::Shadow:
            return shadowNote(value, row);
        case BiasDriftKind::Applied:
            return appliedNote(value, row);
        case BiasDriftKind::Checkpoint:
            return checkpointNote(value, row);
    }
    return {};
}

std::vector<double> driftOf(const BiasViewValue& value, BiasDriftKind kind, std::size_t row) {
    switch (kind) {
        case BiasDriftKind::TrainingHistory:
            return historyDrift(value, row);
        case BiasDriftKind::Shadow: {
            const ShadowRow* shadow = shadowRow(value, row);
            return shadow == nullptr || shadow->batches == 0 ? std::vector<double>{}
                                                             : centred(shadow->delta);
        }
        case BiasDriftKind::Applied: {
            const BiasDriftRow* drift = driftRow(value.applied, row);
            return drift == nullptr ? std::vector<double>{} : drift->difference;
        }
        case BiasDriftKind::Checkpoint: {
            const BiasDriftRow* drift = driftRow(value.checkpoint, row);
            return drift == nullptr ? std::vector<double>{} : drift->difference;
        }
    }
    return {};
}

std::vector<double> centred(const std::vector<double>& values) {
    double mean = 0;
    for (const double value : values) {
        mean += value;
    }
    mean /= static_cast<double>(std::max<std::size_t>(1, values.size()));
    std::vector<double> out;
    for (const double value : values) {
        out.push_back(value - mean);
    }
    return out;
}

}  // namespace gatescope
