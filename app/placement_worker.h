// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "engine/report/recorded_loads.h"
#include "views/placement_form.h"

namespace gatescope {

class BackgroundWork;

/// Reads traffic, plans placements and writes them in a thread of its own. What is asked for next
/// ends what runs; only the newest answers.
class PlacementWorker final : public QObject {
    Q_OBJECT

  public:
    PlacementWorker(std::filesystem::path sessionFile, QObject* parent);
    ~PlacementWorker() override;

    /// Of all sessions where none is named.
    void readSessions(const std::vector<std::int64_t>& sessions);
    void readRecorded(const QString& path);
    /// For the traffic that was read last.
    void plan(const PlacementInputs& inputs);
    void save(std::shared_ptr<const PlacementPlan> plan, PlacementTarget target,
              const QString& file);
    void cancel();

  Q_SIGNALS:
    void trafficRead(const gatescope::TrafficFacts& facts);
    void planned(std::shared_ptr<const gatescope::PlacementPlan> plan,
                 gatescope::PlacementTarget target);
    /// `error`: one sentence, empty where it was written.
    void saved(const QString& file, const QString& error);
    /// Nothing was read or planned: one sentence.
    void failed(const QString& error);
    void progressed(const QString& text);

  private:
    struct Traffic {
        RecordedLoads loads;
        std::string source;
        TrafficFacts facts;
    };
    void setTraffic(std::shared_ptr<const Traffic> traffic);

    std::filesystem::path m_file;
    std::shared_ptr<const Traffic> m_traffic;
    BackgroundWork* m_work;
};

}  // namespace gatescope
