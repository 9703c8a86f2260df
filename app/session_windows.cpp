// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_windows.h"

#include <utility>

#include "app/chat_controller.h"
#include "app/session_docks.h"
#include "app/session_window.h"
#include "app/settings.h"
#include "app/transcript_pane.h"
#include "views/balance_view.h"
#include "views/routing_view.h"
#include "views/transcript_view.h"

namespace gatescope {

SessionWindows::SessionWindows(std::filesystem::path file, const ChatController* chat,
                               const AppSettings* settings, QObject* parent)
    : QObject(parent), m_file(std::move(file)), m_chat(chat), m_settings(settings) {}

SessionWindows::~SessionWindows() {
    closeAll();
}

/// One that was closed goes when the event loop comes to it; it is not raised again.
SessionWindow* SessionWindows::window(std::int64_t session) const {
    const auto found = m_windows.find(session);
    return found != m_windows.end() && found->second && found->second->isVisible()
               ? found->second.data()
               : nullptr;
}

void SessionWindows::open(std::int64_t session) {
    SessionWindow* shown = window(session);
    if (shown == nullptr) {
        shown = make(session);
        m_windows[session] = shown;
    }
    shown->setWindowState(shown->windowState() & ~Qt::WindowMinimized);
    shown->setVisible(true);
    shown->raise();
    shown->activateWindow();
}

void SessionWindows::openAt(std::int64_t session, int turn, std::int64_t seq) {
    open(session);
    m_windows[session]->selectToken(turn, seq);
}

/// Looks as the main window does now.
SessionWindow* SessionWindows::make(std::int64_t session) const {
    const bool written = m_chat->state() == ChatState::Answering && m_chat->session() == session;
    auto* made = new SessionWindow(m_file, session, m_chat->modelFacts(), written);
    made->setAttribute(Qt::WA_DeleteOnClose);
    TranscriptView* transcript = made->pane()->transcript();
    transcript->setZoom(m_settings->zoom());
    transcript->setColour(m_settings->colourAcceptance() ? TranscriptView::Colour::Acceptance
                                                         : TranscriptView::Colour::Nothing);
    const TraceViews& views = made->docks()->views();
    const RoutingSettings routing = m_settings->routing();
    views.routing->setMode(static_cast<RoutingView::Mode>(routing.mode));
    views.routing->setOrder(static_cast<RoutingView::Order>(routing.order));
    if (routing.phases != 0) {
        views.routing->setPhases(routing.phases);
        views.balance->setPhases(views.routing->phases());
    }
    return made;
}

void SessionWindows::closeAll() {
    for (const auto& [session, shown] : std::exchange(m_windows, {})) {
        delete shown.data();
    }
}

}  // namespace gatescope
