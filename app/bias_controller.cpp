// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/bias_controller.h"

#include <QFileDialog>

#include "app/chat_controller.h"
#include "app/engine_task.h"
#include "app/trace_store.h"
#include "engine/model/applied_bias.h"
#include "engine/model/loaded_model.h"
#include "views/bias_view.h"
#include "views/formats.h"

namespace gatescope {

BiasController::BiasController(EngineClient* engine, ChatController* chat, const TraceStore* store,
                               BiasView* view, QObject* parent)
    : QObject(parent), m_engine(engine), m_chat(chat), m_store(store), m_view(view) {
    connect(view, &BiasView::shadowParamsChanged, this, [this](const ShadowParams& params) {
        m_wanted = params;
        restartShadow();
    });
    connect(view, &BiasView::applyRequested, this, &BiasController::apply);
    connect(view, &BiasView::resetRequested, chat, [chat] { chat->setInterventions(nullptr); });
    connect(view, &BiasView::checkpointRequested, this, &BiasController::askForCheckpoint);
    connect(chat, &ChatController::interventionsChanged, this, &BiasController::refreshApplied);
    connect(chat, &ChatController::stateChanged, this, [this] {
        refreshModel();
        restartShadow();
    });
    refreshModel();
}

void BiasController::show() {
    m_view->setValue(m_value ? std::make_shared<const BiasViewValue>(*m_value) : nullptr);
}

void BiasController::refreshModel() {
    const ModelFacts* model = m_chat->model();
    const std::string fingerprint = model != nullptr ? model->fingerprint : std::string();
    if (fingerprint == m_fingerprint) {
        return;
    }
    m_fingerprint = fingerprint;
    m_value = model != nullptr ? std::make_shared<BiasViewValue>() : nullptr;
    if (model != nullptr) {
        m_value->shape = model->shape;
        m_value->biasByRow = model->shape.hasBias ? model->bias : decltype(model->bias)();
        m_value->history = model->biasHistory;
        m_value->historyProblem = model->biasHistoryProblem;
    }
    show();
}

void BiasController::showFrame(const LiveFrame& frame) {
    if (m_value && frame.bias) {
        m_value->diagnostics = frame.bias;
        m_value->shadow = frame.shadow;
        show();
    }
}

void BiasController::clear() {
    if (m_value) {
        m_value->diagnostics.reset();
        m_value->shadow.reset();
        show();
    }
}

// ---------------------------------------------------------------- applied

/// The model's own biases, changed as far as the interventions replace them.
void BiasController::refreshApplied() {
    const ModelFacts* model = m_chat->model();
    if (!m_value || model == nullptr) {
        return;
    }
    const auto& active = m_chat->interventions();
    m_value->biasByRow = active ? biasUnder(*active, model->shape, model->bias) : model->bias;
    const bool changed = m_value->biasByRow != model->bias;
    m_value->applied = changed ? std::make_shared<const BiasDrift>(
                                     biasDrift(model->shape, m_value->biasByRow, model->bias))
                               : nullptr;
    m_value->appliedLabel =
        changed ? QString::fromStdString(describe(*active, &model->shape)) : QString();
    show();
}

void BiasController::apply() {
    const ModelFacts* model = m_chat->model();
    if (!m_value || model == nullptr || !m_value->shadow || m_value->shadow->rows.empty()) {
        Q_EMIT m_view->failed(
            tr("There is no shadow bias yet: it begins to move after its first "
               "batch of tokens."));
        return;
    }
    auto wanted = std::make_shared<Interventions>();
    std::int64_t tokens = 0;
    for (const ShadowRow& row : m_value->shadow->rows) {
        LayerIntervention layer;
        layer.layer = row.layer;
        layer.bias = row.bias;
        wanted->layers.push_back(std::move(layer));
        tokens = std::max(tokens, row.tokens);
    }
    const ShadowParams& params = m_value->shadow->params;
    wanted->biasLabel =
        fmt::format("shadow of {} tokens, gamma {:g}, batches of {}{}", tokens, params.gamma,
                    params.batchTokens, params.meanCentred ? ", mean-centred" : "");
    m_chat->setInterventions(std::move(wanted));
}

// ---------------------------------------------------------------- shadow

/// Over the traffic so far, once no answer is under way: what it adds must not come twice.
void BiasController::restartShadow() {
    if (!m_wanted || m_chat->state() == ChatState::Answering ||
        m_chat->state() == ChatState::Loading) {
        return;
    }
    ShadowRequest request;
    request.params = *std::exchange(m_wanted, std::nullopt);
    for (std::int32_t number = 0; number < m_store->size(); ++number) {
        const TraceStore::Entry* entry = m_store->entry(number);
        if (entry->main) {
            request.main.push_back(entry->main);
        }
        if (entry->mtp) {
            request.mtp.push_back(entry->mtp);
        }
    }
    m_engine->restartShadow(std::make_shared<const ShadowRequest>(std::move(request)));
}

// ---------------------------------------------------------------- another checkpoint

void BiasController::askForCheckpoint() {
    auto* dialog = new QFileDialog(m_view, tr("Compare the bias with another checkpoint"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setOption(QFileDialog::ShowDirsOnly);
    connect(dialog, &QFileDialog::fileSelected, this, &BiasController::compareWith);
    dialog->open();
}

void BiasController::compareWith(const QString& dir) {
    const ModelFacts* model = m_chat->model();
    if (model == nullptr) {
        return;
    }
    runOnEngine(
        m_engine, this,
        [path = std::filesystem::path(dir.toStdString()), shape = model->shape,
         reference = model->bias](LoadedModel&) {
            return checkpointDrift(shape, reference, readRouterBiases(path));
        },
        [this, dir](const std::shared_ptr<const BiasDrift>& drift) {
            if (m_value) {
                m_value->checkpoint = drift;
                m_value->checkpointLabel = QDir(dir).dirName();
                m_view->setKind(BiasDriftKind::Checkpoint);
                show();
            }
        },
        [this](const QString& error) { Q_EMIT m_view->failed(error); });
}

}  // namespace gatescope
