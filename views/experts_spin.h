// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSpinBox>
#include <optional>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// Steps through a model's MoE layers, the MTP layer last, by their absolute indices.
class ExpertsLayerSpin final : public QSpinBox {
    Q_OBJECT

  public:
    explicit ExpertsLayerSpin(QWidget* parent = nullptr);

    void setShape(const RoutingShape& shape);
    void setLayer(std::optional<int> layer);  ///< one that has no experts counts as none
    std::optional<int> layer() const;

  protected:
    QString textFromValue(int row) const override;
    int valueFromText(const QString& text) const override;
    QValidator::State validate(QString& text, int& position) const override;

  private:
    int rowOf(int layer) const;  ///< -1: none

    std::vector<int> m_layers;
    int m_mtpLayer = -1;
};

}  // namespace gatescope
