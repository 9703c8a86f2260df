// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <cstdint>
#include <optional>

#include "engine/report/placement_plan.h"

class QCheckBox;
class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;

namespace gatescope {

/// What the form has to know of the traffic that is planned for.
struct TrafficFacts {
    int experts = 0;
    int groups = 1;
    bool layersKnown = false;
    int totalLayers = 0;           ///< main layers, dense ones included; 0: not known
    std::int64_t expertBytes = 0;  ///< 0: not known
    QString text;                  ///< "58 layers of 256 experts, 24 blocks"
};

/// What a person asks for.
struct PlacementInputs {
    enum class Traffic { AllSessions, ChosenSessions, Recorded };

    Traffic traffic = Traffic::AllSessions;
    QString loads;             ///< file or folder, with Recorded
    PlacementRequest request;  ///< without a current placement
    QString current;           ///< file; empty: none
    PlacementTarget target = PlacementTarget::Sglang;
};

/// The questions of a placement: which traffic, which GPUs, which engine.
class PlacementForm final : public QWidget {
    Q_OBJECT

  public:
    explicit PlacementForm(QWidget* parent = nullptr);

    PlacementInputs inputs() const;
    /// How many sessions are chosen in the list.
    void setChosenSessions(std::size_t count);
    /// What was read; nothing: not read yet, or it could not be. Numbers that a person has not set
    /// follow it.
    void setFacts(const std::optional<TrafficFacts>& facts);

  Q_SIGNALS:
    /// Other traffic has to be read.
    void trafficChanged();
    /// Another plan for the same traffic.
    void planChanged();

  protected:
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void addTraffic();
    void addCluster();
    void addPlan();
    void connectInputs();
    void addHeading(const QString& text);
    /// A file's name with a button that asks for one; `folders`: or for a folder.
    QWidget* addPath(QLineEdit* edit, QPushButton* button, bool folders);
    void askForPath(QLineEdit* edit, bool folder);
    static QSpinBox* whole(const char* name, int low, int high);
    void followFacts();
    void refresh();

    QFormLayout* m_rows;
    QComboBox* m_traffic;
    QLineEdit* m_loads;
    QPushButton* m_browseLoads;
    QWidget* m_loadsRow = nullptr;
    QLabel* m_facts;
    QSpinBox* m_firstLayer;
    QSpinBox* m_totalLayers;
    QSpinBox* m_gpus;
    QSpinBox* m_nodes;
    QSpinBox* m_redundant;
    QLabel* m_slots;
    QSpinBox* m_groups;
    QCheckBox* m_stay;
    QComboBox* m_target;
    QComboBox* m_policy;
    QLineEdit* m_current;
    QPushButton* m_browseCurrent;
    QSpinBox* m_expertBytes;
    std::optional<TrafficFacts> m_known;
    bool m_redundantSet = false;  ///< by a person, as the following two
    bool m_groupsSet = false;
    bool m_bytesSet = false;
    bool m_following = false;
};

}  // namespace gatescope
