// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

namespace gatescope {

/// A row of cells, one for each expert group: its number and score, the kept ones filled.
class GroupStrip final : public QWidget {
    Q_OBJECT

  public:
    explicit GroupStrip(QWidget* parent = nullptr);

    /// `rule` names the group score in the tooltip ("sum of the two largest s + b").
    void setGroups(const std::vector<float>& scores, const std::vector<int>& kept,
                   const QString& rule);

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

  protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

  private:
    QRectF cell(int group) const;
    bool isKept(int group) const;

    std::vector<float> m_scores;
    std::vector<int> m_kept;
    QString m_rule;
};

}  // namespace gatescope
