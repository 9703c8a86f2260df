// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_feeder.h"

#include "app/session_counter.h"
#include "app/trace_store.h"
#include "app/transcript_writer.h"
#include "engine/model/applied_bias.h"
#include "views/speculation_view.h"
#include "views/tokens_view.h"

namespace gatescope {

SessionFeeder::SessionFeeder(const TraceViews& views, TranscriptPane* pane, Selection* selection,
                             const TraceStore* store, const TranscriptWriter* writer,
                             SessionCounter* counter, QObject* parent)
    : TraceFeeder(views, pane, selection, store, parent), m_writer(writer), m_counter(counter) {
    views.tokens->setGrowing(false);
    connect(counter, &SessionCounter::frame, this,
            [this](const std::shared_ptr<const LiveFrame>& frame) { showFrame(*frame); });
}

TraceFeeder::KeptScores SessionFeeder::scoresOf(std::int32_t) const {
    const QString reason =
        m_model == nullptr ? tr("The model that made this session is not open.")
                           : tr("This window only reads; in the chat they can be computed again.");
    return {WhyValue::Scores::CannotReplay, reason, nullptr};
}

std::vector<float> SessionFeeder::biasOf(std::int32_t number, int layer) const {
    const auto row = static_cast<std::size_t>(rowOf(layer));  // -1 is beyond the end
    if (m_model == nullptr || row >= m_model->bias.size()) {
        return {};
    }
    const auto changed = m_writer->interventionsOf(number);
    return changed ? biasUnder(*changed, m_model->shape, m_model->bias)[row] : m_model->bias[row];
}

void SessionFeeder::want(const FrameWants& wants) {
    m_counter->want(wants);
}

void SessionFeeder::describeSpeculation(SpeculationView* view) const {
    view->setRule(m_rule);
    view->setState(SpeculationView::State::Stored);
}

}  // namespace gatescope
