// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QTimer>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "engine/report/placement_plan.h"

class QLabel;
class QPushButton;

namespace gatescope {

class NoticeBar;
class PlacementForm;
class PlacementView;
class PlacementWorker;
struct TrafficFacts;

/// Which expert goes on which GPU, planned for recorded traffic and saved as the file that a
/// serving engine loads. Plans anew when an input changes; never waits.
class PlannerDialog final : public QDialog {
    Q_OBJECT

  public:
    /// `chosen`: the sessions that are chosen in the list, asked for again and again.
    PlannerDialog(std::filesystem::path sessionFile,
                  std::function<std::vector<std::int64_t>()> chosen, QWidget* parent);
    ~PlannerDialog() override;

    /// Comes to the front and reads the traffic as it is now.
    void bringUp();
    /// The file as `gatescope-cli place --out` writes it, and its sidecar.
    void saveTo(const QString& file);
    bool canSave() const;

    PlacementForm* form() const { return m_form; }
    PlacementView* view() const { return m_view; }
    NoticeBar* notice() const { return m_notice; }

  protected:
    bool event(QEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    void lay();
    void connectParts();
    void readTraffic();
    void followChosen();
    void changeLater();
    void plan();
    void onTraffic(const TrafficFacts& facts);
    void onPlanned(std::shared_ptr<const PlacementPlan> plan, PlacementTarget target);
    void onFailed(const QString& error);
    void onSaved(const QString& file, const QString& error);
    void askWhere();
    /// Nothing is shown but why.
    void empty(const QString& message);
    void setBusy(const QString& what);

    std::function<std::vector<std::int64_t>()> m_chosenNow;
    std::vector<std::int64_t> m_chosen;
    PlacementWorker* m_worker;
    PlacementForm* m_form;
    PlacementView* m_view;
    NoticeBar* m_notice;
    QLabel* m_status;
    QPushButton* m_save;
    QTimer m_typing;
    PlacementTarget m_target = PlacementTarget::Sglang;  ///< of the plan that is shown
    bool m_read = false;                                 ///< there is traffic to plan for
    bool m_busy = false;
    bool m_saving = false;
};

}  // namespace gatescope
