// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/analysis/routing_load.h"
#include "engine/trace/step_trace.h"
#include "views/dock_view.h"
#include "views/routing_values.h"

namespace gatescope {

class Selection;

/// The heatmap: rows are all layers of the model (dense ones hatched, the MTP layer apart), columns
/// the routed experts. Shows one RoutingLoad at a time; a hidden view keeps the newest one and
/// computes nothing until it is shown.
class RoutingView final : public DockView {
    Q_OBJECT

  public:
    using Mode = RoutingMode;
    using Order = ExpertOrder;

    explicit RoutingView(Selection* selection, QWidget* parent = nullptr);
    ~RoutingView() override;

    /// nullptr: no model, the view is empty. A load with another shape resets the zoom.
    void setLoad(std::shared_ptr<const RoutingLoad> load);
    /// The selected token as it passed the main layers and the MTP layer; either may be null.
    void setToken(std::shared_ptr<const RoutedToken> main, std::shared_ptr<const RoutedToken> mtp);

    // Settings, to be saved when settingsChanged() comes. A value that is none is ignored.
    Mode mode() const;
    void setMode(Mode mode);
    /// Bit i: phase i; kSpecialTokens.
    unsigned phases() const;
    void setPhases(unsigned mask);
    Order order() const;
    void setOrder(Order order);

    /// What Mode::Difference compares with: the load as it was when pinned, all phases; or nullptr.
    std::shared_ptr<const RoutingLoad> reference() const;

    /// The text for a cell as on hover; empty outside the map. For the status bar and tests.
    QString cellText(int layer, int expert) const;
    /// The shown values with a header line, columns by expert id in either order.
    QString tableText(QChar separator = u'\t') const;

  public Q_SLOTS:
    /// Keeps the load as it is now as the reference; without one, nothing.
    void pinReference();
    void unpinReference();

  Q_SIGNALS:
    /// Mode, phases or order were changed by the person: for saving.
    void settingsChanged();

  protected:
    void compute() override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
