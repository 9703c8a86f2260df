// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "engine/analysis/choice.h"

namespace gatescope {

/// A row of cells, one for each expert group: its number and score, the kept ones filled; framed in
/// the bias' colour those that are kept, or dropped (dashed), only because of the bias.
class GroupStrip final : public QWidget {
    Q_OBJECT

  public:
    explicit GroupStrip(QWidget* parent = nullptr);

    /// `rule` names the group score in the tooltip ("sum of the two largest s + b").
    void setGroups(const ChoiceRanking& ranking, const QString& rule);

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

  protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

  private:
    QRectF cell(int group) const;
    bool isKept(int group) const;
    bool isKeptWithoutBias(int group) const;
    QString stateText(int group) const;

    std::vector<float> m_scores;
    std::vector<int> m_kept;
    std::vector<int> m_keptWithoutBias;
    QString m_rule;
};

}  // namespace gatescope
