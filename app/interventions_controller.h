// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <stop_token>

namespace gatescope {

class ChatController;
class EngineClient;
class InterventionsView;
struct Interventions;

/// Compares changed routing with the untouched run for the Interventions dock, and lets the chat
/// run with it.
class InterventionsController final : public QObject {
    Q_OBJECT

  public:
    InterventionsController(EngineClient* engine, ChatController* chat, InterventionsView* view,
                            QObject* parent);

    void cancel() { m_stop.request_stop(); }

  private:
    void compare(const Interventions& interventions);
    void refreshModel();

    EngineClient* m_engine;
    ChatController* m_chat;
    InterventionsView* m_view;
    std::stop_source m_stop;
    std::string m_fingerprint;  ///< of the model the view knows
    bool m_running = false;
};

}  // namespace gatescope
