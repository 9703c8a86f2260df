// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "engine/analysis/bias_counter.h"
#include "engine/analysis/bias_drift.h"
#include "engine/analysis/bias_history.h"
#include "engine/analysis/shadow_bias.h"
#include "views/dock_view.h"

namespace gatescope {

class Selection;

struct BiasViewValue {
    RoutingShape shape;
    /// [rows][E] the bias the model runs with now, MTP last; empty for a model without one.
    std::vector<std::vector<float>> biasByRow;
    std::shared_ptr<const BiasDiagnostics> diagnostics;  ///< may be null
    std::shared_ptr<const ShadowValue> shadow;           ///< may be null: no shadow runs
    std::shared_ptr<const BiasHistory> history;          ///< null: the model folder has none
    QString historyProblem;  ///< why the history could not be read; empty: no problem
    std::shared_ptr<const BiasDrift> applied;  ///< applied bias minus the model's own; null: none
    QString appliedLabel;                      ///< "shadow of 1 200 tokens, gamma 0.001"
    std::shared_ptr<const BiasDrift> checkpoint;  ///< other checkpoint minus this model; null: none
    QString checkpointLabel;                      ///< the other model's name; untrusted
};

/// The four things "the bias drifted" can mean. The screen shows one at a time, by its name.
enum class BiasDriftKind { TrainingHistory, Shadow, Applied, Checkpoint };

/// The router's correction bias: where it stands, what it decides and what that buys, and its
/// drift, of which there are four kinds that are never mixed.
class BiasView final : public DockView {
    Q_OBJECT

  public:
    explicit BiasView(Selection* selection, QWidget* parent = nullptr);
    ~BiasView() override;

    /// nullptr: no model.
    void setValue(std::shared_ptr<const BiasViewValue> value);
    /// What the controls show; emits nothing.
    void setShadowParams(const ShadowParams& params);
    ShadowParams shadowParams() const;

    void setKind(BiasDriftKind kind);
    BiasDriftKind kind() const;

    /// The diagnostics of all layers with all digits.
    QString tableText(QChar separator = u'\t') const;
    /// Bias and drift of the selected layer's experts, with the kind in the header.
    QString expertText(QChar separator = u'\t') const;

  Q_SIGNALS:
    /// The person set gamma, batch size or rule: the shadow starts again with these.
    void shadowParamsChanged(const gatescope::ShadowParams& params);
    /// Let the model really run with the shadow bias (a new run is labelled).
    void applyRequested();
    /// Back to the model's own bias.
    void resetRequested();
    /// Ask for another model folder and set BiasViewValue::checkpoint.
    void checkpointRequested();

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
