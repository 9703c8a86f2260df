// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/specialists_controller.h"

#include "app/chat_controller.h"
#include "app/engine_task.h"
#include "engine/decode/prompt_batch.h"
#include "engine/model/demo_model.h"
#include "engine/model/loaded_model.h"
#include "views/formats.h"
#include "views/specialists_view.h"

namespace gatescope {
namespace {

constexpr int kAnswerTokens = 64;  // enough to see what an answer's own tokens choose

/// What a run found, also one that was stopped.
struct Outcome {
    std::shared_ptr<const SpecialisationValue> value;
    PromptBatchResult batch;
};

/// Counts the specialisation while a batch runs.
class Counting final : public PromptBatchSink {
  public:
    Counting(LoadedModel& model, const PromptSet& set, std::function<void(int, int)> progress)
        : m_counter(model.routingShape(), set.domains), m_progress(std::move(progress)) {}

    void onPrompt(const PromptRun& run) override { m_progress(run.index, run.total); }
    void onStep(const PromptRun& run, const StepTrace& step) override {
        m_counter.add(step, run.prompt->domain, run.prompt->half);
    }
    const SpecialisationCounter& counter() const { return m_counter; }

  private:
    SpecialisationCounter m_counter;
    std::function<void(int, int)> m_progress;
};

Outcome runSet(LoadedModel& model, const std::filesystem::path& file,
               const std::function<void(int, int)>& progress, const std::stop_token& stop) {
    const PromptSet set = readPromptSet(file);
    GenerationParams params;
    params.maxNewTokens = kAnswerTokens;
    Counting sink(model, set, progress);
    Outcome outcome;
    outcome.batch = runPromptBatch(model, set, params, sink, stop);
    outcome.value = sink.counter().value(
        [&model](std::int32_t id) { return std::string(model.tokenizer().bytes(id)); });
    return outcome;
}

}  // namespace

SpecialistsController::SpecialistsController(EngineClient* engine, ChatController* chat,
                                             SpecialistsView* view, QObject* parent)
    : QObject(parent), m_engine(engine), m_chat(chat), m_view(view) {
    connect(view, &SpecialistsView::runRequested, this, &SpecialistsController::run);
    connect(view, &SpecialistsView::runDemoRequested, this,
            [this] { run(QString::fromStdString(demoPromptSet().string())); });
    connect(view, &SpecialistsView::cancelRequested, this, &SpecialistsController::cancel);
    connect(chat, &ChatController::stateChanged, this, &SpecialistsController::refreshModel);
    refreshModel();
}

void SpecialistsController::refreshModel() {
    const ModelFacts* model = m_chat->model();
    m_view->setModel(model != nullptr && model->canChat, model != nullptr && model->demo);
    if (model != nullptr && !m_fingerprint.empty() && model->fingerprint != m_fingerprint) {
        cancel();
        m_fingerprint.clear();
        setValue(nullptr);
        m_view->setMessage({});
    }
    if (m_running && m_chat->state() == ChatState::Answering) {
        cancel();  // the chat goes first; what was counted so far is shown
    }
}

void SpecialistsController::run(const QString& file) {
    const ModelFacts* model = m_chat->model();
    if (m_running || model == nullptr) {
        return;
    }
    m_running = true;
    m_stop = std::stop_source();
    m_since.start();
    m_view->setMessage({});
    m_view->setProgress(0, 1, tr("starting"));
    const auto progress = [this](int done, int total) {
        QMetaObject::invokeMethod(
            this, [this, done, total] { showProgress(done, total); }, Qt::QueuedConnection);
    };
    runOnEngine(
        m_engine, this,
        [path = std::filesystem::path(file.toStdString()), progress, stop = m_stop.get_token()](
            LoadedModel& loaded) { return runSet(loaded, path, progress, stop); },
        [this, fingerprint = model->fingerprint](const std::shared_ptr<const Outcome>& outcome) {
            m_fingerprint = fingerprint;
            setValue(outcome->value);
            finish(outcome->batch.cancelled
                       ? tr("Stopped after %1 of %2 prompts: this is what they show.")
                             .arg(outcome->batch.answered)
                             .arg(outcome->batch.total)
                       : QString());
        },
        [this](const QString& error) { finish(error); });
}

void SpecialistsController::setValue(std::shared_ptr<const SpecialisationValue> value) {
    m_value = std::move(value);
    m_view->setValue(m_value);
    Q_EMIT valueChanged();
}

void SpecialistsController::showProgress(int done, int total) {
    if (!m_running) {
        return;
    }
    const double seconds = static_cast<double>(m_since.elapsed()) / 1000;
    const QString left =
        done > 0 ? tr("about %1 s left").arg(qRound(seconds * (total - done) / done)) : QString();
    m_view->setProgress(done, total, left);
}

void SpecialistsController::finish(const QString& message) {
    m_running = false;
    m_view->setProgress(0, 0, {});
    m_view->setMessage(message);
}

}  // namespace gatescope
