// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "app/compare_runner.h"
#include "engine/analysis/aligned_comparison.h"
#include "engine/analysis/comparison.h"
#include "engine/session/session_store.h"

namespace gatescope {

class ChatController;
class ComparePane;
class EngineClient;

/// Leads a comparison: runs are made on the engine's thread and logged, the statistics are computed
/// from the log on a thread of their own.
class CompareController final : public QObject {
    Q_OBJECT

  public:
    CompareController(EngineClient* engine, ChatController* chat, ComparePane* pane,
                      std::filesystem::path sessionFile, QObject* parent);
    ~CompareController() override;

    /// Runs what is set up and compares it.
    void runAll();
    /// Compares stored sessions, each a side of its own.
    void compareSessions(const std::vector<std::int64_t>& sessions);
    void cancel();
    bool isRunning() const { return m_running; }
    const std::shared_ptr<const Comparison>& comparison() const { return m_comparison; }
    /// What the window has to offer is another.
    void setRecentModels(const QStringList& models);
    void setSessions(const std::vector<SessionSummary>& sessions);
    /// Saves all of the comparison; the format is the extension's.
    void saveAs(const QString& file);

  Q_SIGNALS:
    /// Nothing runs any more: done, failed or cancelled.
    void finished();
    /// The tab is to be seen.
    void shown();

  private:
    void refreshContext();
    void onRunsMade(const std::vector<CompareRunOutcome>& outcomes);
    void compute();
    void onCompared(std::shared_ptr<const Comparison> comparison);
    void forcePair(std::size_t pair);
    void askWhere();
    void begin(const QString& what);
    void end(const QString& message = {});
    /// A progress function for another thread; false once cancelled.
    Progress reporting(const QString& what);

    EngineClient* m_engine;
    ChatController* m_chat;
    ComparePane* m_pane;
    std::filesystem::path m_file;
    QStringList m_recent;
    std::vector<CompareRunSpec> m_specs;             ///< of the runs being made
    std::vector<std::vector<std::int64_t>> m_sides;  ///< sessions of each run
    QStringList m_labels;
    std::shared_ptr<const Comparison> m_comparison;
    std::stop_source m_stop;
    std::jthread m_worker;
    bool m_running = false;
};

}  // namespace gatescope
