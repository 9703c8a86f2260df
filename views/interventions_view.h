// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/decode/intervention_effect.h"
#include "engine/model/interventions.h"
#include "views/dock_view.h"
#include "views/selection.h"

namespace gatescope {

/// Counterfactual routing: put together what is changed (experts off or forced, k, kept groups,
/// bias off) in which layers, compare with the untouched run, or let the chat run with it. What is
/// in force is always named in a bar at the top.
class InterventionsView final : public DockView {
    Q_OBJECT

  public:
    explicit InterventionsView(Selection* selection, QWidget* parent = nullptr);
    ~InterventionsView() override;

    /// Of the open model; nullptr: no model. Another shape forgets what was put together.
    void setShape(std::shared_ptr<const RoutingShape> shape);
    /// What the chat runs with, one line; empty: the untouched model.
    void setActive(const QString& description);
    /// A comparison runs: what it is doing, one line. Empty: none runs.
    void setBusy(const QString& progress);
    /// The last comparison; nullptr: none.
    void setEffect(std::shared_ptr<const InterventionEffect> effect);

    /// What is put together, checked.
    const Interventions& composed() const;
    /// Replaces what is put together, e.g. by a bias from elsewhere. One that does not fit the
    /// model is refused with its sentence beside the field.
    void setComposed(const Interventions& interventions);

    QString tableText(QChar separator = u'\t') const;

  Q_SIGNALS:
    /// "Compare with the untouched run".
    void compareRequested(const gatescope::Interventions& interventions);
    /// "Use in the chat".
    void applyRequested(const gatescope::Interventions& interventions);
    /// "Back to the untouched model".
    void resetRequested();
    /// "Stop" while a comparison runs.
    void cancelRequested();

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
