// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "views/dock_view.h"
#include "views/why_value.h"

namespace gatescope {

class Selection;

/// Why these experts: choice scores with the bias as its own segment, groups, cut and margin, ranks
/// with and without the bias, gate weights. Affinities are kept only for recent tokens; for an
/// older one the view shows what was stored, asks for a replay and says so, then shows the
/// replayed affinities and whether the choice is the recorded one.
class WhyView final : public DockView {
    Q_OBJECT

  public:
    explicit WhyView(Selection* selection, QWidget* parent = nullptr);
    ~WhyView() override;

    /// nullptr: nothing selected.
    void setValue(std::shared_ptr<const WhyValue> value);

    /// Whether replayRequested comes by itself for a token shown without affinities (after a short
    /// rest, so that scrubbing asks for one token only), or only by the button.
    void setAutoReplay(bool on);
    bool autoReplay() const;

    /// The sentence above the chart as plain text, for tests and the accessible description.
    QString headline() const;
    QString tableText(QChar separator = u'\t') const;

  Q_SIGNALS:
    /// Affinities of this token (its `position` in WhyValue::token) are wanted by replay. Only the
    /// newest request matters.
    void replayRequested(int position);
    /// The person switched the automatic replay: for saving.
    void autoReplayChanged(bool on);

  protected:
    void compute() override;
    void resizeEvent(QResizeEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
