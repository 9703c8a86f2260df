// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/analysis/speculation_stats.h"
#include "views/dock_view.h"

namespace gatescope {

class Selection;

/// What became of the drafts of a session, what they cost in expert reads, and whether they pay.
class SpeculationView final : public DockView {
    Q_OBJECT

  public:
    enum class State {
        NoModel,
        NoModule,  ///< the MTP module is to draft, but the model has none
        Off,       ///< switched off by the person
        On,
        Stored,  ///< a session that is only read
    };
    Q_ENUM(State)
    enum class Picture { Time, Positions, Histogram, Reads, Gain, Classes };
    Q_ENUM(Picture)

    /// Does not own the selection, which must outlive the view.
    explicit SpeculationView(Selection* selection, QWidget* parent = nullptr);
    ~SpeculationView() override;

    /// What is said while there are no drafts. Drafts of an earlier run stay visible when Off.
    void setState(State state);
    State state() const;
    /// How drafts are judged now, e.g. "temperature 0.6": acceptance means nothing without it.
    void setRule(const QString& rule);
    /// nullptr: no drafts yet.
    void setValue(std::shared_ptr<const SpeculationValue> value);
    void setPicture(Picture picture);
    Picture picture() const;

    /// The sentence shown instead of or above the pictures, for tests.
    QString message() const;
    QString noteText() const;
    /// The numbers of the picture that is shown.
    QString tableText(QChar separator = u'\t') const;

  protected:
    void compute() override;
    void changeEvent(QEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
