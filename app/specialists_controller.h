// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QString>
#include <memory>
#include <stop_token>
#include <string>

namespace gatescope {

class ChatController;
class EngineClient;
class SpecialistsView;
struct SpecialisationValue;

/// Runs labelled prompt sets for the Specialists dock. The chat's own counts are left alone.
class SpecialistsController final : public QObject {
    Q_OBJECT

  public:
    SpecialistsController(EngineClient* engine, ChatController* chat, SpecialistsView* view,
                          QObject* parent);

    void cancel() { m_stop.request_stop(); }
    /// Of the last run with the model in use; null: none.
    const std::shared_ptr<const SpecialisationValue>& value() const { return m_value; }

  Q_SIGNALS:
    void valueChanged();

  private:
    void run(const QString& file);
    void setValue(std::shared_ptr<const SpecialisationValue> value);
    void showProgress(int done, int total);
    void finish(const QString& message);
    void refreshModel();

    EngineClient* m_engine;
    ChatController* m_chat;
    SpecialistsView* m_view;
    std::shared_ptr<const SpecialisationValue> m_value;
    std::stop_source m_stop;
    QElapsedTimer m_since;
    std::string m_fingerprint;  ///< of the model whose specialists are shown
    bool m_running = false;
};

}  // namespace gatescope
