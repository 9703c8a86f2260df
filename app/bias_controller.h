// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <memory>
#include <optional>
#include <vector>

#include "app/engine_messages.h"

namespace gatescope {

class BiasView;
class ChatController;
class EngineClient;
class TraceStore;
struct BiasViewValue;

/// Gives the Bias dock its values and does what is asked for there: another shadow, the shadow's
/// bias in the chat, another checkpoint to compare with.
class BiasController final : public QObject {
    Q_OBJECT

  public:
    BiasController(EngineClient* engine, ChatController* chat, const TraceStore* store,
                   BiasView* view, QObject* parent);

    void showFrame(const LiveFrame& frame);
    /// Another session: nothing is counted yet.
    void clear();

  private:
    void refreshModel();
    void refreshApplied();
    void restartShadow();
    void apply();
    void compareWith(const QString& dir);
    void askForCheckpoint();
    void show();

    EngineClient* m_engine;
    ChatController* m_chat;
    const TraceStore* m_store;
    BiasView* m_view;
    std::shared_ptr<BiasViewValue> m_value;  ///< null: no model
    std::string m_fingerprint;
    std::optional<ShadowParams> m_wanted;  ///< of a shadow to start when the answer is done
};

}  // namespace gatescope
