// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/interventions_controller.h"

#include "app/chat_controller.h"
#include "app/engine_task.h"
#include "engine/decode/conversation.h"
#include "engine/decode/intervention_effect.h"
#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"
#include "views/interventions_view.h"

namespace gatescope {

InterventionsController::InterventionsController(EngineClient* engine, ChatController* chat,
                                                 InterventionsView* view, QObject* parent)
    : QObject(parent), m_engine(engine), m_chat(chat), m_view(view) {
    connect(view, &InterventionsView::compareRequested, this, &InterventionsController::compare);
    connect(view, &InterventionsView::cancelRequested, this, &InterventionsController::cancel);
    connect(view, &InterventionsView::applyRequested, chat, [chat](const Interventions& wanted) {
        chat->setInterventions(std::make_shared<const Interventions>(wanted));
    });
    connect(view, &InterventionsView::resetRequested, chat,
            [chat] { chat->setInterventions(nullptr); });
    connect(chat, &ChatController::interventionsChanged, this, [this] {
        const auto& active = m_chat->interventions();
        m_view->setActive(active
                              ? QString::fromStdString(describe(*active, &m_chat->model()->shape))
                              : QString());
    });
    connect(chat, &ChatController::stateChanged, this, &InterventionsController::refreshModel);
    refreshModel();
}

void InterventionsController::refreshModel() {
    const ModelFacts* model = m_chat->model();
    const std::string fingerprint = model != nullptr ? model->fingerprint : std::string();
    if (fingerprint != m_fingerprint) {
        cancel();
        m_fingerprint = fingerprint;
        m_view->setShape(model != nullptr ? std::make_shared<const RoutingShape>(model->shape)
                                          : nullptr);
        m_view->setEffect(nullptr);
    }
    if (m_running && m_chat->state() == ChatState::Answering) {
        cancel();  // the chat goes first
    }
}

void InterventionsController::compare(const Interventions& interventions) {
    const ChatController::LastAnswer last = m_chat->lastAnswer();
    if (m_running || m_chat->model() == nullptr) {
        return;
    }
    if (last.prompt.empty()) {
        Q_EMIT m_view->failed(
            tr("Ask something first: the comparison runs over the newest "
               "question and its answer."));
        return;
    }
    m_running = true;
    m_stop = std::stop_source();
    m_view->setBusy(tr("comparing with the untouched run"));
    EffectOptions options;
    options.sampling = m_chat->settings().sampling;
    const Progress progress = [this](std::string_view what, std::uint64_t done,
                                     std::uint64_t total) {
        const QString text = QString::fromUtf8(what.data(), static_cast<qsizetype>(what.size())) +
                             (total > 0 ? tr(" %1 %").arg(100 * done / total) : QString());
        QMetaObject::invokeMethod(
            this,
            [this, text] {
                if (m_running) {
                    m_view->setBusy(text);
                }
            },
            Qt::QueuedConnection);
        return true;
    };
    const auto finish = [this] {
        m_running = false;
        m_view->setBusy({});
    };
    runOnEngine(
        m_engine, this,
        [last, interventions, options, progress, stop = m_stop.get_token()](LoadedModel& model) {
            EffectOptions complete = options;
            complete.stopTokens = answerEnds(model);
            complete.vocabLimit = static_cast<int>(model.tokenizer().vocabSize());
            return compareIntervention(model.decoder(), &model.tokenizer(), last.prompt,
                                       last.answer, interventions, complete, progress, stop);
        },
        [this, finish](const std::shared_ptr<const InterventionEffect>& effect) {
            finish();
            m_view->setEffect(effect);
        },
        [this, finish](const QString& error) {
            finish();
            if (!error.isEmpty()) {
                Q_EMIT m_view->failed(error);
            }
        });
}

}  // namespace gatescope
