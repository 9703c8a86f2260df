// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/trace_feeder.h"

#include <algorithm>
#include <set>

#include "app/trace_store.h"
#include "app/transcript_pane.h"
#include "engine/analysis/speculation_stats.h"
#include "engine/decode/replay.h"
#include "views/balance_view.h"
#include "views/bias_view.h"
#include "views/cache_view.h"
#include "views/experts_view.h"
#include "views/routing_view.h"
#include "views/selection.h"
#include "views/speculation_view.h"
#include "views/tokens_view.h"
#include "views/transcript_view.h"
#include "views/why_view.h"

namespace gatescope {
namespace {

constexpr int kTablesIntervalMs = 250;

/// A token whose layers chose different numbers of experts, as if all had as many as this row.
RoutedToken withChoicesOf(const RoutedToken& token, int row) {
    const TokenRouting& from = token.routing;
    const std::size_t rows = from.margins.size();
    const std::size_t slots = rows > 0 ? from.experts.size() / rows : 0;
    const auto first = from.experts.begin() + static_cast<std::ptrdiff_t>(slots) * row;
    const auto end = first + static_cast<std::ptrdiff_t>(slots);
    const auto chosen = static_cast<std::size_t>(std::find(first, end, kNoExpert) - first);
    if (chosen == slots) {
        return token;
    }
    RoutedToken out = token;
    out.routing.experts.clear();
    out.routing.weights.clear();
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = r * slots; j < r * slots + chosen; ++j) {
            out.routing.experts.push_back(from.experts[j]);
            out.routing.weights.push_back(from.weights[j]);
        }
    }
    return out;
}

TokenCell cellOf(const TraceStore& store, int number) {
    TokenCell cell;
    cell.number = number;
    if (const TraceStore::Entry* entry = store.entry(number)) {
        cell.id = entry->tokenId;
        cell.bytes = QByteArray::fromStdString(entry->bytes);
        cell.special = entry->special;
        cell.prompt = !entry->generated;
        cell.probability = entry->probability;
        cell.draft = entry->draft;
        cell.rejectedDraftId = entry->rejectedDraftId;
        if (entry->draft == TokenEvent::Draft::Rejected) {
            const std::string_view bytes = store.bytesOf(entry->rejectedDraftId);
            cell.rejectedBytes = QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size()));
        }
        cell.source = entry->source;
        cell.drafted = entry->drafted;
        cell.main = entry->main;
    }
    return cell;
}

}  // namespace

TraceFeeder::TraceFeeder(const TraceViews& views, TranscriptPane* pane, Selection* selection,
                         const TraceStore* store, QObject* parent)
    : QObject(parent), m_views(views), m_pane(pane), m_selection(selection), m_store(store) {
    m_expertsTimer.setSingleShot(true);
    m_expertsTimer.setInterval(kTablesIntervalMs);
    connect(&m_expertsTimer, &QTimer::timeout, this, [this] {
        if (m_expertsStale) {
            expertsChanged();
        }
    });
    m_speculationTimer.setSingleShot(true);
    m_speculationTimer.setInterval(kTablesIntervalMs);
    const auto speculationDue = [this] {
        if (m_speculationStale) {
            speculationChanged();
        }
    };
    connect(&m_speculationTimer, &QTimer::timeout, this, speculationDue);
    connect(views.speculation, &DockView::seenChanged, this, speculationDue);
    pane->transcript()->setDescriber(
        [store](std::int32_t number) { return draftText(cellOf(*store, number)); });
    connect(selection, &Selection::changed, this, [this] {
        refreshToken();
        refreshMarks();
        refreshWants();
        expertsChanged();
    });
    connect(views.routing, &RoutingView::settingsChanged, this,
            [this] { m_views.balance->setPhases(m_views.routing->phases()); });
    connect(views.experts, &ExpertsView::wanted, this, &TraceFeeder::expertsChanged);
    connect(views.experts, &DockView::seenChanged, this, &TraceFeeder::refreshWants);
    if (views.bias != nullptr) {
        connect(views.bias, &DockView::seenChanged, this, &TraceFeeder::refreshWants);
    }
}

void TraceFeeder::setDomains(Domains domains) {
    m_domains = std::move(domains);
    expertsChanged();
}

/// Docks that come and go change what is wanted of the frames.
void TraceFeeder::refreshWants() {
    FrameWants wants;
    wants.bias = m_views.bias != nullptr && m_views.bias->isSeen();
    const auto layer = m_selection->layer();
    if (m_views.experts->isSeen() && layer) {
        wants.layerRow = rowOf(*layer);
    }
    want(wants);
}

void TraceFeeder::showFrame(const LiveFrame& frame) {
    m_views.routing->setLoad(frame.load);
    m_views.balance->setLoad(frame.load);
    if (frame.layer) {
        m_layer = frame.layer;
    }
    expertsChanged();
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

void TraceFeeder::clear() {
    m_speculationShown = {};
    m_speculationStale = false;
    m_layer.reset();
    const bool known = m_store->shape().experts > 0;
    const auto none = known ? RoutingLoadCounter(m_store->shape()).snapshot() : nullptr;
    m_views.routing->setLoad(none);
    m_views.balance->setLoad(none);
    m_views.cache->setValue(nullptr);
    m_views.speculation->setValue(nullptr);
    m_views.tokens->setShape(m_store->shape());
    refresh();
}

void TraceFeeder::refresh() {
    refreshToken();
    refreshMarks();
    refreshSpeculation();
    refreshTokens();
}

void TraceFeeder::refreshTokens() {
    m_views.tokens->setTokens(m_store->size(),
                              [store = m_store](int index) { return cellOf(*store, index); });
}

void TraceFeeder::refreshSpeculation() {
    describeSpeculation(m_views.speculation);
    const SpeculationGain now = m_store->speculation().gain();
    if (std::pair(now.verifySteps, now.plainSteps) != m_speculationShown) {
        speculationChanged();
    }
}

void TraceFeeder::speculationChanged() {
    m_speculationStale = m_speculationTimer.isActive() || !m_views.speculation->isSeen();
    if (m_speculationStale) {
        return;
    }
    m_speculationTimer.start();
    const SpeculationCounter& counter = m_store->speculation();
    m_speculationShown = {counter.verifySteps(), counter.gain().plainSteps};
    m_views.speculation->setValue(counter.verifySteps() > 0
                                      ? std::make_shared<const SpeculationValue>(counter.value())
                                      : nullptr);
}

void TraceFeeder::refreshToken() {
    const auto position = m_selection->position();
    const TraceStore::Entry* entry = position ? m_store->entry(*position) : nullptr;
    m_views.routing->setToken(entry != nullptr ? entry->main : nullptr,
                              entry != nullptr ? entry->mtp : nullptr);
    refreshWhy();
}

void TraceFeeder::refreshWhy() {
    const auto position = m_selection->position();
    const auto layer = m_selection->layer();
    const TraceStore::Entry* entry = position ? m_store->entry(*position) : nullptr;
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
    value->token = withChoicesOf(*routed, row);
    value->tokenBytes = QByteArray::fromStdString(entry->bytes);
    value->layer = *layer;
    value->row = row;
    value->shape = shapeOf(value->token);
    value->bias = biasOf(*position, *layer);
    if (routed->routing.scores == nullptr) {
        const KeptScores kept = scoresOf(*position);
        value->scores = kept.scores;
        value->reason = kept.reason;
        if (kept.replayed) {
            const RoutedToken* again =
                mtp ? (kept.replayed->mtp ? &*kept.replayed->mtp : nullptr) : &kept.replayed->main;
            value->replayed = again != nullptr
                                  ? std::make_shared<const RoutedToken>(withChoicesOf(*again, row))
                                  : nullptr;
        }
    }
    m_views.why->setValue(std::move(value));
}

RoutingShape TraceFeeder::shapeOf(const RoutedToken& token) const {
    RoutingShape shape = m_store->shape();
    const std::size_t rows = token.routing.margins.size();
    if (rows > 0) {
        shape.topK = static_cast<int>(token.routing.experts.size() / rows);
    }
    return shape;
}

void TraceFeeder::expertsChanged() {
    m_expertsStale = m_expertsTimer.isActive() || !m_views.experts->wants();
    if (!m_expertsStale) {
        m_expertsTimer.start();
        refreshExperts();
    }
}

/// Worked out from the tokens each time.
void TraceFeeder::refreshExperts() {
    const RoutingShape& shape = m_store->shape();
    if (shape.experts <= 0) {
        m_views.experts->setValue(nullptr);
        return;
    }
    const auto layer = m_selection->layer();
    const int row = layer ? rowOf(*layer) : -1;
    auto value = std::make_shared<ExpertsValue>();
    value->shape = shape;
    if (row >= 0) {
        value->layer.row = row;
        value->layer.layer = *layer;
        if (m_layer && m_layer->row == row) {
            value->layer = *m_layer;
        }
        const auto expert = m_selection->expert();
        if (expert && *expert < shape.experts) {
            value->expert = expertProfile(shape, tokensOfRow(row), row, *expert);
            describeTokens(*value);
            if (m_domains) {
                value->domains = m_domains(row, *expert);
            }
        }
    }
    m_views.experts->setValue(std::move(value));
}

/// In order. Under interventions a token may have been routed to another number of experts; it is
/// left out then.
std::vector<const RoutedToken*> TraceFeeder::tokensOfRow(int row) const {
    const RoutingShape& shape = m_store->shape();
    const bool mtp = row == static_cast<int>(shape.layers.size());
    const std::size_t choices =
        (mtp ? 1 : shape.layers.size()) * static_cast<std::size_t>(shape.topK);
    std::vector<const RoutedToken*> tokens;
    for (std::int32_t number = 0; number < m_store->size(); ++number) {
        const TraceStore::Entry* entry = m_store->entry(number);
        const auto& routed = mtp ? entry->mtp : entry->main;
        if (routed && !entry->special && routed->routing.experts.size() == choices) {
            tokens.push_back(routed.get());
        }
    }
    return tokens;
}

void TraceFeeder::describeTokens(ExpertsValue& value) const {
    std::set<std::int32_t> missing;
    for (const ProfileToken& token : value.expert->topTokens) {
        missing.insert(token.id);
    }
    for (std::int32_t number = 0; number < m_store->size() && !missing.empty(); ++number) {
        const TraceStore::Entry* entry = m_store->entry(number);
        if (missing.erase(entry->tokenId) > 0) {
            value.tokens[entry->tokenId] = entry->bytes;
        }
    }
}

int TraceFeeder::rowOf(int layer) const {
    RoutingLoad rows;
    rows.shape = m_store->shape();
    return rows.rowOfLayer(layer);
}

void TraceFeeder::refreshMarks() {
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
