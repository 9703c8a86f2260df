// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_replay_controller.h"

#include <QDialogButtonBox>
#include <QLabel>
#include <QPointer>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>
#include <QtMath>

#include "app/chat_controller.h"
#include "app/engine_task.h"
#include "app/token_table.h"
#include "engine/session/session_replay.h"
#include "engine/session/session_store.h"
#include "views/formats.h"
#include "views/replay_view.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kTokenChars = 24;
constexpr qint64 kProgressMs = 100;

std::shared_ptr<const ReplayValue> valueOf(const SessionReplay& replay,
                                           std::shared_ptr<const TokenTable> tokens) {
    auto value = std::make_shared<ReplayValue>();
    value->comparison = replay.comparison;
    value->answers = static_cast<int>(replay.stored.answers.size());
    for (const std::string& condition : replay.otherConditions) {
        value->otherConditions.append(QString::fromStdString(condition));
    }
    value->token = [tokens = std::move(tokens)](std::int32_t id) {
        if (tokens == nullptr) {
            return ReplayView::tr("token %1").arg(id);
        }
        const std::string_view bytes = tokens->bytes(id);
        return quotedToken(QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())),
                           kTokenChars);
    };
    return value;
}

}  // namespace

ReplayDialog::ReplayDialog(const QString& title, QWidget* parent)
    : QDialog(parent), m_message(new QLabel), m_progress(new QProgressBar), m_view(new ReplayView) {
    setWindowTitle(tr("Replay of session %1").arg(title));
    m_message->setTextFormat(Qt::PlainText);
    m_message->setWordWrap(true);
    m_message->setText(tr("Waiting for the engine…"));
    m_progress->setTextVisible(false);
    m_progress->setRange(0, 0);
    m_view->hide();
    auto* buttons = new QDialogButtonBox;
    m_close = buttons->addButton(QDialogButtonBox::Cancel);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_view, &ReplayView::failed, this, &ReplayDialog::showMessage);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2 * kGrid, 2 * kGrid, 2 * kGrid, 2 * kGrid);
    column->setSpacing(kGrid);
    column->addWidget(m_message);
    column->addWidget(m_progress);
    column->addWidget(m_view, 1);
    column->addStretch(0);
    column->addWidget(buttons);
    resize(72 * kGrid, 32 * kGrid);
}

void ReplayDialog::setProgress(qint64 done, qint64 total) {
    if (!m_running) {
        return;
    }
    if (!m_since.isValid()) {
        m_since.start();
    }
    const double seconds = static_cast<double>(m_since.elapsed()) / 1000;
    m_progress->setRange(0, 1000);
    m_progress->setValue(total > 0 ? static_cast<int>(1000 * done / total) : 0);
    m_message->setText(done > 0 && seconds > 0.5
                           ? tr("%1 of %2 tokens, about %3 s left")
                                 .arg(integerText(done), integerText(total))
                                 .arg(qCeil(seconds * static_cast<double>(total - done) /
                                            static_cast<double>(done)))
                           : tr("%1 of %2 tokens").arg(integerText(done), integerText(total)));
}

void ReplayDialog::showOutcome(std::shared_ptr<const ReplayValue> value) {
    ended();
    m_message->hide();
    m_view->setValue(std::move(value));
    m_view->show();
}

void ReplayDialog::showMessage(const QString& message) {
    ended();
    m_message->show();
    m_message->setText(message);
}

QString ReplayDialog::message() const {
    return m_message->text();
}

void ReplayDialog::ended() {
    m_running = false;
    m_progress->hide();
    m_close->setText(tr("Close"));
}

SessionReplayController::SessionReplayController(EngineClient* engine, ChatController* chat,
                                                 std::filesystem::path sessionFile, QWidget* window)
    : QObject(window),
      m_engine(engine),
      m_chat(chat),
      m_file(std::move(sessionFile)),
      m_window(window) {}

void SessionReplayController::cancel() {
    m_stop.request_stop();
}

void SessionReplayController::replay(std::int64_t session) {
    cancel();
    m_stop = std::stop_source();
    delete m_dialog;
    m_dialog = new ReplayDialog(QString::number(session), m_window);
    const QPointer<ReplayDialog> dialog = m_dialog;
    connect(m_dialog, &QDialog::finished, this, &SessionReplayController::cancel);
    m_dialog->show();
    const ModelFacts* model = m_chat->model();
    if (model == nullptr) {
        m_dialog->showMessage(tr("Open the session's model first (Ctrl+O)."));
        return;
    }
    auto since = std::make_shared<QElapsedTimer>();
    const auto progress = [this, dialog, since, stop = m_stop.get_token()](
                              std::string_view, std::uint64_t done, std::uint64_t total) {
        if (!since->isValid() || since->elapsed() >= kProgressMs || done == total) {
            since->start();
            QMetaObject::invokeMethod(
                this,
                [dialog, done, total] {
                    if (dialog) {
                        dialog->setProgress(static_cast<qint64>(done), static_cast<qint64>(total));
                    }
                },
                Qt::QueuedConnection);
        }
        return !stop.stop_requested();
    };
    runOnEngine(
        m_engine, this,
        [file = m_file, session, progress, stop = m_stop.get_token()](LoadedModel& loaded) {
            return replaySession(loaded, SessionStore(file).load(session), progress, stop);
        },
        [dialog, tokens = model->tokens](const std::shared_ptr<const SessionReplay>& replay) {
            if (dialog) {
                dialog->showOutcome(valueOf(*replay, tokens));
            }
        },
        [dialog](const QString& error) {
            if (dialog) {
                dialog->showMessage(error.isEmpty() ? tr("Stopped.") : error);
            }
        });
}

}  // namespace gatescope
