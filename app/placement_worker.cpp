// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/placement_worker.h"

#include <utility>

#include "app/background_work.h"
#include "engine/error.h"
#include "engine/report/expert_bytes.h"
#include "engine/report/placement_export.h"
#include "engine/report/session_loads.h"
#include "views/formats.h"

namespace gatescope {

namespace {

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
    : QObject(parent),
      m_file(std::move(sessionFile)),
      m_work(new BackgroundWork(QStringLiteral("placement"), this)) {
    connect(m_work, &BackgroundWork::failed, this, &PlacementWorker::failed);
    connect(m_work, &BackgroundWork::progressed, this, &PlacementWorker::progressed);
}

PlacementWorker::~PlacementWorker() {
    delete m_work;  // before what it works on
}

void PlacementWorker::cancel() {
    m_work->cancel();
}

void PlacementWorker::setTraffic(std::shared_ptr<const Traffic> traffic) {
    m_traffic = std::move(traffic);
    Q_EMIT trafficRead(m_traffic->facts);
}

void PlacementWorker::readSessions(const std::vector<std::int64_t>& sessions) {
    m_traffic.reset();
    m_work->start(
        [this, sessions, file = m_file](const Progress& progress, const std::stop_token&) {
            SessionTraffic read = sessionTraffic(SessionStore(file), sessions, progress);
            TrafficFacts facts = factsOf(read);
            auto traffic = std::make_shared<const Traffic>(
                Traffic{std::move(read.loads), file.string(), std::move(facts)});
            return [this, traffic] { setTraffic(traffic); };
        });
}

void PlacementWorker::readRecorded(const QString& path) {
    m_traffic.reset();
    m_work->start([this, path](const Progress&, const std::stop_token&) {
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
    m_work->start(
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
    m_work->post(work);  // what is asked for next does not undo it
}

}  // namespace gatescope
