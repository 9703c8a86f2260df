// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/analysis/speculation_stats.h"
#include "engine/trace/step_trace.h"
#include "views/dock_view.h"

namespace gatescope {

/// What became of the drafts of a session.
class SpeculationView final : public DockView {
    Q_OBJECT

  public:
    enum class State {
        NoModel,
        NoModule,  ///< the model has no MTP layer, so nothing drafts
        Off,       ///< switched off by the person
        On,
    };
    Q_ENUM(State)

    explicit SpeculationView(QWidget* parent = nullptr);
    ~SpeculationView() override;

    /// What is said while there are no drafts. Drafts of an earlier run stay visible when Off.
    void setState(State state);
    State state() const;
    /// `shape` gives the null for distinct experts. nullptr: no drafts yet.
    void setValue(std::shared_ptr<const SpeculationValue> value, const RoutingShape& shape);

    /// The sentence shown instead of or above the chart, for tests.
    QString message() const;
    QString tableText(QChar separator = u'\t') const;

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
