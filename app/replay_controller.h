// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>

#include "engine/decode/replay.h"
#include "views/why_view.h"

namespace gatescope {

class ChatController;
class EngineClient;
class TraceStore;

/// Computes tokens again whose affinities are no longer in memory, for the Why dock.
class ReplayController final : public QObject {
    Q_OBJECT

  public:
    ReplayController(EngineClient* engine, ChatController* chat, const TraceStore* store,
                     QObject* parent);

    /// What is known of a token that was recorded without affinities.
    struct State {
        WhyValue::Scores scores = WhyValue::Scores::NotKept;
        QString reason;
        std::shared_ptr<const ReplayedToken> replayed;
    };
    State stateOf(std::int32_t number) const;
    void replay(std::int32_t number);
    /// Another session is shown.
    void clear();

  Q_SIGNALS:
    void changed();

  private:
    QString whyNot(std::int32_t number) const;

    EngineClient* m_engine;
    ChatController* m_chat;
    const TraceStore* m_store;
    std::stop_source m_stop;
    std::optional<std::int32_t> m_running;
    int m_session = 0;  ///< counts clear(): what was asked for before is not this session's
    std::map<std::int32_t, std::shared_ptr<const ReplayedToken>> m_replayed;
    std::map<std::int32_t, QString> m_failed;
};

}  // namespace gatescope
