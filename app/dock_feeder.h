// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <memory>

#include "app/engine_messages.h"

namespace gatescope {

class CacheView;
class ChatController;
class ChatPane;
class RoutingView;
class Selection;
class SpeculationView;
class TraceStore;
class WhyView;

/// The docks that show what the recorder saw.
struct TraceViews {
    RoutingView* routing = nullptr;
    WhyView* why = nullptr;
    CacheView* cache = nullptr;
    SpeculationView* speculation = nullptr;
};

/// Gives the docks their values: counters from the engine's frames, tokens from the trace store by
/// what is selected; and marks the tokens of the selected cell in the transcript.
class DockFeeder final : public QObject {
    Q_OBJECT

  public:
    DockFeeder(const TraceViews& views, ChatPane* pane, ChatController* chat, Selection* selection,
               const TraceStore* store, QObject* parent = nullptr);

    void showFrame(const LiveFrame& frame);
    /// Another session: nothing is known of it yet.
    void clear();
    /// The selected token, its marks and the drafts, again from the store.
    void refresh();
    void refreshSpeculation();

  private:
    void refreshToken();
    void refreshMarks();
    std::vector<float> biasOf(int layer) const;

    TraceViews m_views;
    ChatPane* m_pane;
    ChatController* m_chat;
    Selection* m_selection;
    const TraceStore* m_store;
    std::size_t m_draftsShown = 0;
};

}  // namespace gatescope
