// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/dock_feeder.h"

#include <algorithm>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/trace_store.h"
#include "engine/analysis/speculation_stats.h"
#include "views/cache_view.h"
#include "views/routing_view.h"
#include "views/selection.h"
#include "views/speculation_view.h"
#include "views/transcript_view.h"
#include "views/why_view.h"

namespace gatescope {

DockFeeder::DockFeeder(const TraceViews& views, ChatPane* pane, ChatController* chat,
                       Selection* selection, const TraceStore* store, QObject* parent)
    : QObject(parent),
      m_views(views),
      m_pane(pane),
      m_chat(chat),
      m_selection(selection),
      m_store(store) {
    connect(selection, &Selection::changed, this, [this] {
        refreshToken();
        refreshMarks();
    });
}

void DockFeeder::showFrame(const LiveFrame& frame) {
    m_views.routing->setLoad(frame.load);
    if (frame.cache) {
        auto value = std::make_shared<CacheValue>();
        value->use = *frame.cache;
        value->layers = m_store->shape().totalLayers;
        value->mtpLayers = m_store->shape().mtpLayer >= 0 ? 1 : 0;
        m_views.cache->setValue(std::move(value));
    }
    refreshSpeculation();
    refreshMarks();
}

void DockFeeder::clear() {
    m_draftsShown = 0;
    const bool known = m_store->shape().experts > 0;
    m_views.routing->setLoad(known ? RoutingLoadCounter(m_store->shape()).snapshot() : nullptr);
    m_views.cache->setValue(nullptr);
    m_views.speculation->setValue(nullptr, m_store->shape());
    refresh();
}

void DockFeeder::refresh() {
    refreshToken();
    refreshMarks();
    refreshSpeculation();
}

void DockFeeder::refreshSpeculation() {
    using State = SpeculationView::State;
    const bool module = m_store->shape().mtpLayer >= 0;
    m_views.speculation->setState(m_store->shape().experts == 0   ? State::NoModel
                                  : !module                       ? State::NoModule
                                  : !m_chat->settings().speculate ? State::Off
                                                                  : State::On);
    const auto& drafts = m_store->drafts();
    if (drafts.size() != m_draftsShown) {
        m_draftsShown = drafts.size();
        m_views.speculation->setValue(
            drafts.empty() ? nullptr
                           : std::make_shared<const SpeculationValue>(speculationStats(drafts)),
            m_store->shape());
    }
}

void DockFeeder::refreshToken() {
    const auto position = m_selection->position();
    const TraceStore::Entry* entry = position ? m_store->entry(*position) : nullptr;
    m_views.routing->setToken(entry != nullptr ? entry->main : nullptr,
                              entry != nullptr ? entry->mtp : nullptr);
    const auto layer = m_selection->layer();
    if (entry == nullptr || !layer) {
        m_views.why->setValue(nullptr);
        return;
    }
    const RoutingShape& shape = m_store->shape();
    const bool mtp = *layer == shape.mtpLayer;
    const auto found = std::find(shape.layers.begin(), shape.layers.end(), *layer);
    const auto& routed = mtp ? entry->mtp : entry->main;
    const int row = mtp ? 0 : static_cast<int>(found - shape.layers.begin());
    if (routed == nullptr || row >= routed->routing.rows()) {
        m_views.why->setValue(nullptr);
        return;
    }
    auto value = std::make_shared<WhyValue>();
    value->token = *routed;
    value->tokenBytes = QByteArray::fromStdString(entry->bytes);
    value->layer = *layer;
    value->row = row;
    value->shape = shape;
    value->bias = biasOf(*layer);
    m_views.why->setValue(std::move(value));
}

std::vector<float> DockFeeder::biasOf(int layer) const {
    const ModelFacts* model = m_chat->model();
    if (model == nullptr || m_chat->state() == ChatState::Closed) {
        return {};  // a stored session of another model: its bias is not at hand
    }
    for (std::size_t row = 0; row < model->bias.size(); ++row) {
        const bool mtp = row >= model->shape.layers.size();
        if (layer == (mtp ? model->shape.mtpLayer : model->shape.layers[row])) {
            return model->bias[row];
        }
    }
    return {};
}

void DockFeeder::refreshMarks() {
    const auto layer = m_selection->layer();
    const auto expert = m_selection->expert();
    if (!layer || !expert) {
        m_pane->transcript()->setMarked({});
        m_pane->setMarkText({});
        return;
    }
    m_pane->transcript()->setMarked(m_store->routedTo(*layer, *expert));
    m_pane->setMarkText(*layer == m_store->shape().mtpLayer
                            ? tr("expert %1 in the MTP layer").arg(*expert)
                            : tr("expert %1 in layer %2").arg(*expert).arg(*layer));
}

}  // namespace gatescope
