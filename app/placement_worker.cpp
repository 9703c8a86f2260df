// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/placement_worker.h"

#include <chrono>
#include <exception>
#include <utility>

#include "engine/error.h"
#include "engine/report/expert_bytes.h"
#include "engine/report/placement_export.h"
#include "engine/report/session_loads.h"
#include "views/formats.h"

namespace gatescope {

namespace {

constexpr std::chrono::milliseconds kProgressEvery(100);

std::filesystem::path pathOf(const QString& file) {
    return std::filesystem::path(file.toStdString());
}

QString textOf(const RecordedLoads& loads) {
    const auto count = static_cast<std::int64_t>(loads.blocks.size());
    const QString blocks = count == 1 ? PlacementWorker::tr("1 block")
                                      : PlacementWorker::tr("%1 blocks").arg(integerText(count));
    const QString text =
        PlacementWorker::tr("%1 layers of %2 experts, %3")
            .arg(integerText(loads.layerCount()), integerText(loads.experts()), blocks);
    return loads.format == kSessionLoads ? text
                                         : PlacementWorker::tr("%1, read as %2")
                                               .arg(text, QString::fromStdString(loads.format));
}

TrafficFacts factsOf(const RecordedLoads& loads) {
    TrafficFacts facts;
    facts.experts = loads.experts();
    facts.layersKnown = !loads.layers.empty();
    facts.text = textOf(loads);
    return facts;
}

TrafficFacts factsOf(const SessionTraffic& traffic) {
    TrafficFacts facts = factsOf(traffic.loads);
    facts.groups = traffic.model.shape.groups;
    facts.totalLayers = traffic.model.shape.totalLayers;
    facts.expertBytes = expertWeightBytes(traffic.model.configJson);
    return facts;
}

PlacementPlan planned(const RecordedLoads& loads, const PlacementInputs& inputs,
                      const Progress& progress, const std::stop_token& stop) {
    PlacementRequest request = inputs.request;
    checkShape(request.shape, loads.experts());
    if (!inputs.current.isEmpty()) {
        request.current =
            readPlacementFile(pathOf(inputs.current), placedLayers(loads, request, inputs.target),
                              loads.experts(), request.shape.gpus, request.shape.nodes);
    }
    return planForLoads(loads, request, inputs.target, progress, stop);
}

}  // namespace

PlacementWorker::PlacementWorker(std::filesystem::path sessionFile, QObject* parent)
    : QObject(parent), m_file(std::move(sessionFile)), m_worker(new QObject) {
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(QStringLiteral("placement"));
    m_thread.start();
}

PlacementWorker::~PlacementWorker() {
    cancel();
    m_thread.quit();
    m_thread.wait();
}

Progress PlacementWorker::reporting(const std::stop_token& stop) {
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

void PlacementWorker::start(Work work) {
    cancel();
    m_stop = std::stop_source();
    post(std::move(work), m_stop.get_token());
}

void PlacementWorker::post(Work work, std::stop_token stop) {
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

void PlacementWorker::setTraffic(std::shared_ptr<const Traffic> traffic) {
    m_traffic = std::move(traffic);
    Q_EMIT trafficRead(m_traffic->facts);
}

void PlacementWorker::readSessions(const std::vector<std::int64_t>& sessions) {
    m_traffic.reset();
    start([this, sessions, file = m_file](const Progress& progress, const std::stop_token&) {
        SessionTraffic read = sessionTraffic(SessionStore(file), sessions, progress);
        TrafficFacts facts = factsOf(read);
        auto traffic = std::make_shared<const Traffic>(
            Traffic{std::move(read.loads), file.string(), std::move(facts)});
        return [this, traffic] { setTraffic(traffic); };
    });
}

void PlacementWorker::readRecorded(const QString& path) {
    m_traffic.reset();
    start([this, path](const Progress&, const std::stop_token&) {
        RecordedLoads loads = readRecordedLoads(pathOf(path));
        TrafficFacts facts = factsOf(loads);
        auto traffic = std::make_shared<const Traffic>(
            Traffic{std::move(loads), path.toStdString(), std::move(facts)});
        return [this, traffic] { setTraffic(traffic); };
    });
}

void PlacementWorker::plan(const PlacementInputs& inputs) {
    if (m_traffic == nullptr) {
        return;
    }
    start(
        [this, inputs, traffic = m_traffic](const Progress& progress, const std::stop_token& stop) {
            PlacementPlan plan = gatescope::planned(traffic->loads, inputs, progress, stop);
            plan.source = traffic->source;
            auto kept = std::make_shared<const PlacementPlan>(std::move(plan));
            return [this, kept, target = inputs.target] { Q_EMIT planned(kept, target); };
        });
}

void PlacementWorker::save(std::shared_ptr<const PlacementPlan> plan, PlacementTarget target,
                           const QString& file) {
    const auto work = [this, plan = std::move(plan), target, file](const Progress&,
                                                                   const std::stop_token&) {
        QString error;
        try {
            writePlacement(*plan, target, pathOf(file));
        } catch (const Error& cause) {
            error = QString::fromUtf8(cause.what());
        }
        return [this, file, error] { Q_EMIT saved(file, error); };
    };
    post(work, {});  // what is asked for next does not undo it
}

}  // namespace gatescope
