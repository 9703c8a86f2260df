// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/background_work.h"

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

#include "engine/error.h"

namespace gatescope {

namespace {
constexpr std::chrono::milliseconds kProgressEvery(100);
}

BackgroundWork::BackgroundWork(const QString& name, QObject* parent)
    : QObject(parent), m_worker(new QObject) {
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(name);
    m_thread.start();
}

BackgroundWork::~BackgroundWork() {
    cancel();
    m_thread.quit();
    m_thread.wait();
}

Progress BackgroundWork::reporting(const std::stop_token& stop) {
    auto last = std::make_shared<std::chrono::steady_clock::time_point>();
    return [this, stop, last](std::string_view what, std::uint64_t done, std::uint64_t total) {
        const auto now = std::chrono::steady_clock::now();
        if (now - *last >= kProgressEvery) {
            *last = now;
            QString text = QString::fromUtf8(what.data(), static_cast<qsizetype>(what.size()));
            text[0] = text[0].toUpper();
            text += tr("… %1 of %2").arg(done).arg(total);
            QMetaObject::invokeMethod(
                this,
                [this, stop, text] {
                    if (!stop.stop_requested()) {
                        Q_EMIT progressed(text);
                    }
                },
                Qt::QueuedConnection);
        }
        return !stop.stop_requested();
    };
}

void BackgroundWork::start(Work work) {
    cancel();
    m_stop = std::stop_source();
    post(std::move(work), m_stop.get_token());
}

void BackgroundWork::post(Work work, std::stop_token stop) {
    QMetaObject::invokeMethod(
        m_worker,
        [this, work = std::move(work), stop = std::move(stop)] {
            std::function<void()> then;
            try {
                if (!stop.stop_requested()) {
                    then = work(reporting(stop), stop);
                }
            } catch (const Cancelled&) {
                return;
            } catch (const std::exception& error) {
                then = [this, text = QString::fromUtf8(error.what())] { Q_EMIT failed(text); };
            }
            QMetaObject::invokeMethod(
                this,
                [then, stop] {
                    if (then && !stop.stop_requested()) {
                        then();
                    }
                },
                Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
}

}  // namespace gatescope
