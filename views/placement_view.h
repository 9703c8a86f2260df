// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>

#include "engine/report/placement_plan.h"

class QLabel;
class QStackedWidget;

namespace gatescope {

class NumberTable;
class PlacementChart;

/// What a placement promises: the target engine's own balancedness, the load of every GPU, all that
/// engines call balance before and after, what it costs, and what it kept on traffic it had not
/// seen.
class PlacementView final : public QWidget {
    Q_OBJECT

  public:
    explicit PlacementView(QWidget* parent = nullptr);

    /// nullptr: the message instead.
    void setPlan(std::shared_ptr<const PlacementPlan> plan, PlacementTarget target);
    void setMessage(const QString& message);

    const std::shared_ptr<const PlacementPlan>& plan() const { return m_plan; }
    QString headline() const;
    QString caveats() const;
    NumberTable* measures() const { return m_measures; }
    NumberTable* costs() const { return m_costs; }
    NumberTable* heldOut() const { return m_heldOut; }
    PlacementChart* chart() const { return m_chart; }

  Q_SIGNALS:
    /// The exact load of the GPU under the pointer or the cursor; empty: none.
    void hoverText(const QString& text);
    /// Something could not be saved; one sentence.
    void failed(const QString& message);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QWidget* makeResult();
    void offerExports();
    void restyle();

    std::shared_ptr<const PlacementPlan> m_plan;
    QStackedWidget* m_pages;
    QLabel* m_message;
    QLabel* m_headline;
    QLabel* m_definition;
    QLabel* m_caveats;
    PlacementChart* m_chart;
    NumberTable* m_measures;
    NumberTable* m_costs;
    NumberTable* m_heldOut;
};

}  // namespace gatescope
