// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/compare_controller.h"

#include <QFileDialog>
#include <algorithm>
#include <chrono>
#include <utility>

#include "app/chat_controller.h"
#include "app/compare_pane.h"
#include "app/compare_setup.h"
#include "app/engine_task.h"
#include "app/token_table.h"
#include "engine/decode/forced_run.h"
#include "engine/error.h"
#include "engine/session/compared_session.h"
#include "views/compare_view.h"
#include "views/formats.h"

namespace gatescope {
namespace {

constexpr int kTokenChars = 24;
constexpr std::chrono::milliseconds kProgressEvery(100);

/// A comparison with what is aligned in each pair, as it leaves the worker's thread.
struct Compared {
    std::shared_ptr<const Comparison> comparison;
    std::vector<CompareAligned> aligned;  ///< by pair
};

Compared compared(const std::filesystem::path& file,
                  const std::vector<std::vector<std::int64_t>>& sides, const QStringList& labels,
                  const ComparisonOptions& options, const Progress& progress) {
    const SessionStore store(file);
    std::vector<ComparedRun> runs;
    for (std::size_t i = 0; i < sides.size(); ++i) {
        const QString label = labels.value(static_cast<qsizetype>(i));
        runs.push_back(comparedRun(store, sides[i], label.toStdString()));
        if (progress && !progress("reading sessions", i, sides.size())) {
            throw Cancelled();
        }
    }
    Compared out;
    out.comparison =
        std::make_shared<const Comparison>(compareRuns(std::move(runs), options, progress));
    for (const PairComparison& pair : out.comparison->pairs) {
        const ComparedRun& a = out.comparison->runs[static_cast<std::size_t>(pair.a)];
        const ComparedRun& b = out.comparison->runs[static_cast<std::size_t>(pair.b)];
        CompareAligned& aligned = out.aligned.emplace_back();
        if (samePrompts(a, b)) {
            aligned.value = std::make_shared<const AlignedComparison>(alignedComparison(a, b));
        } else {
            aligned.problem = CompareView::tr("The runs had different prompts.");
        }
    }
    return out;
}

std::function<QString(std::int32_t)> tokenText(std::shared_ptr<const TokenTable> tokens) {
    if (tokens == nullptr) {
        return {};
    }
    return [tokens = std::move(tokens)](std::int32_t id) {
        const std::string_view bytes = tokens->bytes(id);
        return quotedToken(QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())),
                           kTokenChars);
    };
}

}  // namespace

CompareController::CompareController(EngineClient* engine, ChatController* chat, ComparePane* pane,
                                     std::filesystem::path sessionFile, QObject* parent)
    : QObject(parent),
      m_engine(engine),
      m_chat(chat),
      m_pane(pane),
      m_file(std::move(sessionFile)) {
    connect(pane->setup(), &CompareSetup::runRequested, this, &CompareController::runAll);
    connect(pane, &ComparePane::cancelRequested, this, &CompareController::cancel);
    connect(pane, &ComparePane::exportRequested, this, &CompareController::askWhere);
    connect(pane->view(), &CompareView::optionsChanged, this, [this] {
        if (m_comparison != nullptr && !m_running) {
            compute();
        }
    });
    connect(pane->view(), &CompareView::forcedRequested, this, &CompareController::forcePair);
    for (const auto signal : {&ChatController::stateChanged, &ChatController::settingsChanged,
                              &ChatController::interventionsChanged}) {
        connect(chat, signal, this, &CompareController::refreshContext);
    }
    pane->view()->setComparison(nullptr);
    pane->setExportable(false);
    refreshContext();
}

CompareController::~CompareController() {
    cancel();
}

void CompareController::setRecentModels(const QStringList& models) {
    m_recent = models;
    refreshContext();
}

void CompareController::setSessions(const std::vector<SessionSummary>& sessions) {
    std::vector<SessionListItem> items;
    for (const SessionSummary& session : sessions) {
        SessionListItem& item = items.emplace_back();
        item.id = session.id;
        item.title = QString::fromStdString(session.title);
        item.model = QString::fromStdString(session.modelName);
        item.updatedMs = session.updatedMs;
        item.tokens = session.tokens;
    }
    m_pane->setup()->setSessions(std::move(items));
}

void CompareController::refreshContext() {
    const ModelFacts* model = m_chat->model();
    CompareContext context;
    context.modelName = model != nullptr ? model->name : QString();
    context.hasMtp = model == nullptr || model->config.hasMtp();
    context.recentModels = m_recent;
    context.settings = m_chat->settings();
    if (m_chat->interventions() != nullptr) {
        context.interventions = QString::fromStdString(
            describe(*m_chat->interventions(), model != nullptr ? &model->shape : nullptr));
    }
    m_pane->setup()->setContext(context);
    m_pane->view()->setForcible(model != nullptr,
                                model != nullptr ? QString() : tr("Open the model first."));
}

void CompareController::begin(const QString& what) {
    m_running = true;
    m_stop = std::stop_source();
    m_pane->setup()->setRunning(true);
    m_pane->begin(what);
}

void CompareController::end(const QString& message) {
    m_running = false;
    m_pane->setup()->setRunning(false);
    m_pane->end(message);
    Q_EMIT finished();
}

void CompareController::cancel() {
    m_stop.request_stop();
}

void CompareController::runAll() {
    if (m_running) {
        return;
    }
    m_specs = m_pane->setup()->specs();
    m_pane->setup()->clearStatus();
    begin(tr("Waiting for the engine…"));
    const auto progress = [this](const CompareProgress& now) {
        QMetaObject::invokeMethod(
            this,
            [this, now] {
                const auto runs = static_cast<qint64>(m_specs.size());
                const auto most = std::max<std::int64_t>(1, now.most);
                m_pane->setProgress(tr("Run %1 of %2").arg(now.run + 1).arg(runs),
                                    static_cast<qint64>(now.run) * most + now.tokens, runs * most);
            },
            Qt::QueuedConnection);
    };
    const auto later = [this](auto call) {
        QMetaObject::invokeMethod(this, std::move(call), Qt::QueuedConnection);
    };
    m_engine->postLogged([this, later, progress, specs = m_specs, options = m_chat->loadOptions(),
                          interventions = m_chat->interventions(),
                          stop = m_stop.get_token()](LoadedModel* model, SessionLog* log) {
        try {
            if (log == nullptr) {
                throw Error("the runs cannot be recorded, so nothing can be compared");
            }
            const Progress loading = [stop](std::string_view, std::uint64_t, std::uint64_t) {
                return !stop.stop_requested();
            };
            ModelLender lender(model, options, loading);
            auto outcomes = CompareRunner(lender, *log, interventions, progress, stop).run(specs);
            later([this, outcomes] { onRunsMade(outcomes); });
        } catch (const Cancelled&) {
            later([this] { end(tr("Cancelled. Runs that were finished are in the log.")); });
        } catch (const std::exception& error) {
            later([this, text = QString::fromUtf8(error.what())] { end(text); });
        }
    });
}

void CompareController::onRunsMade(const std::vector<CompareRunOutcome>& outcomes) {
    m_sides.clear();
    m_labels.clear();
    bool failed = false;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (!outcomes[i].error.isEmpty()) {
            m_pane->setup()->setStatus(i, outcomes[i].error, true);
            failed = true;
            continue;
        }
        const QString letter(QChar(u'A' + static_cast<char16_t>(i)));
        m_labels.append(m_specs[i].label.isEmpty() ? letter : m_specs[i].label);
        m_sides.push_back(outcomes[i].sessions);
        m_pane->setup()->setStatus(
            i, m_specs[i].stored ? QString() : tr("Session %1").arg(outcomes[i].sessions.front()));
    }
    if (m_sides.size() < 2) {
        end(tr("Fewer than two runs came about: nothing can be compared."));
        return;
    }
    end(failed ? tr("A run failed; the others are compared.") : QString());
    compute();
}

void CompareController::compareSessions(const std::vector<std::int64_t>& sessions) {
    if (m_running) {
        return;
    }
    Q_EMIT shown();
    if (sessions.size() < 2 || sessions.size() > kMostComparedRuns) {
        end(tr("Choose 2 to %1 sessions to compare.").arg(kMostComparedRuns));
        return;
    }
    std::vector<CompareRunSpec> specs;
    for (const std::int64_t session : sessions) {
        CompareRunSpec spec;
        spec.stored = true;
        spec.sessions = QString::number(session);
        spec.settings = m_chat->settings();
        specs.push_back(spec);
    }
    m_pane->setup()->setSpecs(specs);
    runAll();
}

Progress CompareController::reporting(const QString& what) {
    auto last = std::make_shared<std::chrono::steady_clock::time_point>();
    return [this, what, last, stop = m_stop.get_token()](std::string_view, std::uint64_t done,
                                                         std::uint64_t total) {
        const auto now = std::chrono::steady_clock::now();
        if (now - *last >= kProgressEvery) {
            *last = now;
            QMetaObject::invokeMethod(
                this,
                [this, what, done, total] {
                    m_pane->setProgress(what, static_cast<qint64>(done),
                                        static_cast<qint64>(total));
                },
                Qt::QueuedConnection);
        }
        return !stop.stop_requested();
    };
}

void CompareController::compute() {
    begin(tr("Comparing…"));
    const auto later = [this](auto call) {
        QMetaObject::invokeMethod(this, std::move(call), Qt::QueuedConnection);
    };
    m_worker = std::jthread([this, later, file = m_file, sides = m_sides, labels = m_labels,
                             options = m_pane->view()->options(),
                             progress = reporting(tr("Comparing"))] {
        try {
            const auto out =
                std::make_shared<const Compared>(compared(file, sides, labels, options, progress));
            later([this, out] {
                onCompared(out->comparison);
                for (std::size_t i = 0; i < out->aligned.size(); ++i) {
                    m_pane->view()->setAligned(i, out->aligned[i]);
                }
                end();
            });
        } catch (const Cancelled&) {
            later([this] { end(tr("Cancelled.")); });
        } catch (const std::exception& error) {
            later([this, text = QString::fromUtf8(error.what())] { end(text); });
        }
    });
}

void CompareController::onCompared(std::shared_ptr<const Comparison> comparison) {
    m_comparison = std::move(comparison);
    const ModelFacts* model = m_chat->model();
    const bool mine =
        model != nullptr && model->fingerprint == m_comparison->runs.front().modelFingerprint;
    m_pane->view()->setComparison(m_comparison, tokenText(mine ? model->tokens : nullptr));
    m_pane->setExportable(true);
    m_pane->showResult();
}

/// A's tokens through the models and the interventions of both.
void CompareController::forcePair(std::size_t pair) {
    if (m_running || m_comparison == nullptr || pair >= m_comparison->pairs.size()) {
        return;
    }
    begin(tr("Waiting for the engine…"));
    const auto later = [this](auto call) {
        QMetaObject::invokeMethod(this, std::move(call), Qt::QueuedConnection);
    };
    m_engine->postLogged(
        [this, later, pair, comparison = m_comparison, options = m_chat->loadOptions(),
         stop = m_stop.get_token(),
         progress = reporting(tr("A's tokens through both"))](LoadedModel* model, SessionLog*) {
            CompareAligned aligned;
            aligned.forced = true;
            try {
                ModelLender lender(model, options, {});
                const PairComparison& both = comparison->pairs[pair];
                const auto side = [&](int index) {
                    const ComparedRun& run = comparison->runs[static_cast<std::size_t>(index)];
                    return ForcedSide{run.label,
                                      [&lender, &run]() -> LoadedModel& {
                                          return lender.lend(run.modelPath, run.modelFingerprint);
                                      },
                                      commonInterventions(run)};
                };
                aligned.value = std::make_shared<const AlignedComparison>(
                    forcedComparison(comparison->runs[static_cast<std::size_t>(both.a)],
                                     side(both.a), side(both.b), {}, progress, stop));
            } catch (const Cancelled&) {
                later([this] { end(tr("Cancelled.")); });
                return;
            } catch (const std::exception& error) {
                aligned.problem = QString::fromUtf8(error.what());
            }
            later([this, pair, comparison, aligned] {
                if (comparison == m_comparison) {
                    m_pane->view()->setAligned(pair, aligned);
                }
                end();
            });
        });
}

void CompareController::askWhere() {
    const QString file = QFileDialog::getSaveFileName(
        m_pane, tr("Export comparison"), tr("comparison.json"),
        tr("JSON, everything (*.json);;CSV, one table after the other (*.csv)"));
    if (!file.isEmpty()) {
        saveAs(file);
    }
}

void CompareController::saveAs(const QString& file) {
    try {
        m_pane->view()->save(file);
        m_pane->end(tr("Saved as %1").arg(file));
    } catch (const std::exception& error) {
        m_pane->end(QString::fromUtf8(error.what()));
    }
}

}  // namespace gatescope
