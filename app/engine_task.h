// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMetaObject>
#include <QObject>
#include <QString>
#include <exception>
#include <memory>
#include <utility>

#include "app/engine_client.h"
#include "engine/error.h"
#include "engine/progress.h"

namespace gatescope {

/// Runs `work(LoadedModel&)` on the engine's thread, behind what it already has to do, and then
/// `done(std::shared_ptr<const Result>)` or `failed(QString)` in the window's thread; the text is
/// empty when the work was cancelled. `owner` lives in the window's thread and outlives the engine.
template <class Work, class Done, class Failed>
void runOnEngine(EngineClient* engine, QObject* owner, Work work, Done done, Failed failed) {
    engine->post([owner, work = std::move(work), done = std::move(done),
                  failed = std::move(failed)](LoadedModel* model) {
        const auto later = [owner](auto call) {
            QMetaObject::invokeMethod(owner, std::move(call), Qt::QueuedConnection);
        };
        try {
            if (model == nullptr) {
                throw Error("no model is open");
            }
            using Result = decltype(work(*model));
            auto result = std::make_shared<const Result>(work(*model));
            later([done, result] { done(result); });
        } catch (const Cancelled&) {
            later([failed] { failed(QString()); });
        } catch (const std::exception& error) {
            later([failed, text = QString::fromStdString(error.what())] { failed(text); });
        }
    });
}

}  // namespace gatescope
