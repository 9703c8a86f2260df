// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/analysis/routing_load.h"
#include "views/dock_view.h"

namespace gatescope {

class Selection;

/// How evenly each layer loads its experts: a table of layers and metrics, one metric over the
/// layers against the uniform router, and the hot, cold and unseen experts of the selected layer.
/// Every number with its n and its null. While frames arrive it computes at most four times a
/// second.
class BalanceView final : public DockView {
    Q_OBJECT

  public:
    /// Does not own the selection, which must outlive the view.
    explicit BalanceView(Selection* selection, QWidget* parent = nullptr);
    ~BalanceView() override;

    /// nullptr: no model.
    void setLoad(std::shared_ptr<const RoutingLoad> load);
    /// A phase mask as in RoutingLoad; kDefaultPhases at first.
    void setPhases(unsigned phaseMask);

    /// Layers x metrics with all digits, nulls included.
    QString tableText(QChar separator = u'\t') const;
    /// Every expert of the selected layer with count, loads, p, q and verdict.
    QString expertsText(QChar separator = u'\t') const;

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
