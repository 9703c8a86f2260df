// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/analysis/expert_profile.h"
#include "engine/analysis/layer_profile.h"
#include "views/dock_view.h"

namespace gatescope {

class Selection;

/// How one domain of a labelled prompt set uses an expert.
struct DomainAffinity {
    std::string domain;
    double share = 0;    ///< D(i, d): of the domain's tokens, those that chose the expert
    std::int64_t n = 0;  ///< tokens of the domain
};

struct ExpertsValue {
    RoutingShape shape;
    LayerProfile layer;                          ///< row -1: no layer is selected
    std::optional<ExpertProfile> expert;         ///< absent: only a layer is selected
    std::map<std::int32_t, std::string> tokens;  ///< bytes of the token ids in the profile
    std::int64_t bytesPerExpert = 0;             ///< 0: not known
    std::vector<DomainAffinity> domains;         ///< of the expert; empty: no labelled prompts ran
};

/// One expert: its load over time, the tokens, experts and domains it goes with; and its layer as a
/// whole: pairs of experts and what a cache of experts would spare.
class ExpertsView final : public DockView {
    Q_OBJECT

  public:
    explicit ExpertsView(Selection* selection, QWidget* parent = nullptr);
    ~ExpertsView() override;

    /// nullptr: no model. May be about an older selection until the next one arrives.
    void setValue(std::shared_ptr<const ExpertsValue> value);

    /// Whether anyone looks: only then a value is worth making.
    bool wants() const { return isSeen(); }

    QString headline() const;
    /// The table on the page that is shown.
    QString tableText(QChar separator = u'\t') const;

  Q_SIGNALS:
    /// The view can be seen and its value is not the selection's (or it has just been shown): a new
    /// one is asked for.
    void wanted();

  protected:
    void compute() override;
    void changeEvent(QEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d;
};

}  // namespace gatescope
