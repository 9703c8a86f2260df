// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/trace_feeder.h"

namespace gatescope {

class SessionCounter;
class TranscriptWriter;

/// Feeds the docks of a session that is only read: what is not in the file is not computed again.
class SessionFeeder final : public TraceFeeder {
    Q_OBJECT

  public:
    SessionFeeder(const TraceViews& views, TranscriptPane* pane, Selection* selection,
                  const TraceStore* store, const TranscriptWriter* writer, SessionCounter* counter,
                  QObject* parent);

    /// The session's own; null: not at hand.
    void setModel(std::shared_ptr<const ModelFacts> model) { m_model = std::move(model); }
    /// How drafts were judged, e.g. "temperature 0.6".
    void setRule(const QString& rule) { m_rule = rule; }

  protected:
    KeptScores scoresOf(std::int32_t number) const override;
    std::vector<float> biasOf(std::int32_t number, int layer) const override;
    void want(const FrameWants& wants) override;
    void describeSpeculation(SpeculationView* view) const override;

  private:
    const TranscriptWriter* m_writer;
    SessionCounter* m_counter;
    std::shared_ptr<const ModelFacts> m_model;
    QString m_rule;
};

}  // namespace gatescope
