// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>

#include "engine/analysis/specialisation.h"
#include "views/dock_view.h"

namespace gatescope {

class Selection;

/// Which experts serve which domain: experts x domains of the selected layer, the specialists found
/// with their replication, the vocabulary of the selected expert, and how alike two halves of the
/// prompts are.
class SpecialistsView final : public DockView {
    Q_OBJECT

  public:
    explicit SpecialistsView(Selection* selection, QWidget* parent = nullptr);
    ~SpecialistsView() override;

    /// nullptr: nothing has been run.
    void setValue(std::shared_ptr<const SpecialisationValue> value);
    /// Whether a model is open (nothing can be run without one) and whether it is the demo model,
    /// which has a prompt set of its own.
    void setModel(bool open, bool demo);
    /// A run is under way: `done` of `total` prompts; `text` says more (time left). total 0: no
    /// run.
    void setProgress(std::int64_t done, std::int64_t total, const QString& text);
    /// One sentence for the person, e.g. why a run ended early; empty takes it away.
    void setMessage(const QString& message);

    /// The specialists found, all digits.
    QString tableText(QChar separator = u'\t') const;

  Q_SIGNALS:
    void runRequested(const QString& promptFile);
    void runDemoRequested();
    void cancelRequested();

  protected:
    void compute() override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
