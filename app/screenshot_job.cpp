// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/screenshot_job.h"

#include <QCoreApplication>
#include <QImageWriter>
#include <QPixmap>
#include <QSaveFile>
#include <QTimer>
#include <cstdio>

#include "app/chat_controller.h"
#include "app/chat_pane.h"
#include "app/main_window.h"
#include "views/plot.h"
#include "views/transcript_view.h"

namespace gatescope {
namespace {

constexpr int kSettleMs = 150;  // queued repaints of the plots, deferred layouts

}  // namespace

ScreenshotJob::ScreenshotJob(MainWindow* window, const QString& file, bool prompted, int tokens)
    : QObject(window), m_window(window), m_file(file), m_prompted(prompted), m_tokens(tokens) {
    ChatController* chat = window->chat();
    connect(chat, &ChatController::stateChanged, this, &ScreenshotJob::onState);
    connect(chat, &ChatController::modelRefused, this,
            [this] { fail(m_window->pane()->notices()->text()); });
    connect(chat, &ChatController::tokensArrived, this, [this](int count) {
        if (m_tokens > 0 && count >= m_tokens) {
            take();
        }
    });
    connect(chat, &ChatController::answerFinished, this,
            [this](const std::shared_ptr<const AnswerEnd>& end) {
                if (end->error.isEmpty()) {
                    QTimer::singleShot(kSettleMs, this, &ScreenshotJob::take);
                } else {
                    fail(end->error);
                }
            });
}

void ScreenshotJob::onState() {
    const ChatState state = m_window->chat()->state();
    if (state == ChatState::Answering) {
        m_sent = true;
    } else if (state == ChatState::Closed && m_prompted) {
        fail(tr("This model cannot chat: it has no tokenizer.json."));
    } else if (!m_prompted && (state == ChatState::Ready || state == ChatState::Closed)) {
        QTimer::singleShot(kSettleMs, this, &ScreenshotJob::take);
    } else if (m_prompted && m_sent && state == ChatState::Ready) {
        // After an answer answerFinished() follows at once; after a refused prompt nothing does.
        QTimer::singleShot(0, this, [this] {
            if (!m_done && m_window->pane()->transcript()->isEmpty()) {
                fail(m_window->pane()->notices()->text());
            }
        });
    }
}

void ScreenshotJob::take() {
    if (std::exchange(m_done, true)) {
        return;
    }
    m_window->pane()->transcript()->flush();
    QCoreApplication::processEvents(QEventLoop::ExcludeUserInputEvents);
    m_window->pane()->transcript()->flush();  // what arrived meanwhile
    for (QCustomPlot* plot : m_window->findChildren<QCustomPlot*>()) {
        plot->replot(QCustomPlot::rpImmediateRefresh);  // or it shows the frame before
    }
    const QPixmap picture = m_window->grab();
    QSaveFile file(m_file);
    QImageWriter writer(&file, "png");
    bool saved = file.open(QIODevice::WriteOnly);
    saved = saved && writer.write(picture.toImage()) && file.commit();
    if (!saved) {
        m_done = false;
        fail(tr("%1: %2").arg(m_file, file.error() != QFileDevice::NoError ? file.errorString()
                                                                           : writer.errorString()));
        return;
    }
    m_window->close();
    // The picture is there, but something went wrong on the way: say so to the caller as well.
    const NoticeBar* notices = m_window->pane()->notices();
    if (!notices->isHidden()) {
        std::fprintf(stderr, "gatescope: %s\n", qUtf8Printable(notices->text()));
    }
    QCoreApplication::exit(notices->isHidden() ? 0 : 1);
}

void ScreenshotJob::fail(const QString& why) {
    if (!std::exchange(m_done, true)) {
        std::fprintf(stderr, "gatescope: %s\n", qUtf8Printable(why));
        QCoreApplication::exit(1);
    }
}

}  // namespace gatescope
