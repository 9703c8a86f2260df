// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTimer>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "app/engine_messages.h"
#include "app/window_docks.h"

namespace gatescope {

class ChatController;
class ChatPane;
class EngineClient;
struct DomainAffinity;
struct ExpertsValue;
class ReplayController;
class Selection;
class TraceStore;

/// Gives the docks their values: counters from the engine's frames, tokens from the trace store by
/// what is selected; and marks the tokens of the selected cell in the transcript. What no one sees
/// is neither asked of the engine nor put together.
class DockFeeder final : public QObject {
    Q_OBJECT

  public:
    DockFeeder(const TraceViews& views, ChatPane* pane, ChatController* chat, Selection* selection,
               const TraceStore* store, EngineClient* engine, ReplayController* replay,
               QObject* parent = nullptr);

    /// How an expert serves the domains of a prompt set, for the Experts dock.
    using Domains = std::function<std::vector<DomainAffinity>(int row, int expert)>;
    void setDomains(Domains domains);

    void showFrame(const LiveFrame& frame);
    /// Another session: nothing is known of it yet.
    void clear();
    /// The selected token, its marks and the drafts, again from the store.
    void refresh();
    /// What is chosen now at once; the numbers at most four times a second.
    void refreshSpeculation();

  private:
    void speculationChanged();
    void refreshToken();
    void refreshWhy();
    void refreshMarks();
    void refreshTokens();
    /// Now, or when the last time is a quarter of a second ago.
    void expertsChanged();
    void refreshExperts();
    void describeTokens(ExpertsValue& value) const;
    std::vector<const RoutedToken*> tokensOfRow(int row) const;
    void refreshWants();
    int rowOf(int layer) const;  ///< of RoutingLoad; -1: not an MoE layer
    std::vector<float> biasOf(int layer) const;
    /// The model's shape with the k this token was routed with (interventions may change it).
    RoutingShape shapeOf(const RoutedToken& token) const;

    TraceViews m_views;
    ChatPane* m_pane;
    ChatController* m_chat;
    Selection* m_selection;
    const TraceStore* m_store;
    EngineClient* m_engine;
    ReplayController* m_replay;
    std::shared_ptr<const LayerProfile> m_layer;
    Domains m_domains;
    QTimer m_expertsTimer;  ///< runs for a quarter of a second after each refresh
    bool m_expertsStale = false;
    QTimer m_speculationTimer;  ///< as m_expertsTimer
    bool m_speculationStale = false;
    std::pair<std::int64_t, std::int64_t> m_speculationShown;  ///< verify steps, plain steps
};

}  // namespace gatescope
