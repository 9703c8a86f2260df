// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>

#include "engine/analysis/routing_load.h"
#include "engine/trace/step_trace.h"

namespace gatescope {

class Selection;

/// The heatmap: rows are all layers of the model (dense ones hatched, the MTP layer apart), columns
/// the routed experts. Shows one RoutingLoad at a time; a hidden view keeps the newest one and
/// computes nothing until it is shown.
class RoutingView final : public QWidget {
    Q_OBJECT

  public:
    enum class Mode { RelativeLoad, GateMass, ThisToken };
    Q_ENUM(Mode)

    explicit RoutingView(Selection* selection, QWidget* parent = nullptr);
    ~RoutingView() override;

    /// nullptr: no model, the view is empty. A load with another shape resets the zoom.
    void setLoad(std::shared_ptr<const RoutingLoad> load);
    /// The selected token as it passed the main layers and the MTP layer; either may be null.
    void setToken(std::shared_ptr<const RoutedToken> main, std::shared_ptr<const RoutedToken> mtp);

    Mode mode() const;
    void setMode(Mode mode);
    unsigned phases() const;
    void setPhases(unsigned mask);

    /// The text for a cell as on hover; empty outside the map. For the status bar and tests.
    QString cellText(int layer, int expert) const;
    /// How often the map was computed since construction: a hidden view stays at its number.
    int computations() const;
    /// The whole table as shown, tab separated, with a header line.
    QString tableText(QChar separator = u'\t') const;

  Q_SIGNALS:
    /// The exact value under the pointer or the cursor, empty when there is none.
    void hoverText(const QString& text);
    /// Mode or phases were changed by the person: for saving.
    void settingsChanged();
    /// A picture or table could not be written; one sentence for the person.
    void failed(const QString& message);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
