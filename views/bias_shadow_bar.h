// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "engine/analysis/shadow_bias.h"

class QCheckBox;
class QDoubleSpinBox;
class QPushButton;
class QSpinBox;

namespace gatescope {

/// What can be set of the shadow rule, and letting the model run with the result.
class BiasShadowBar final : public QWidget {
    Q_OBJECT

  public:
    explicit BiasShadowBar(QWidget* parent = nullptr);

    void setParams(const ShadowParams& params);  ///< emits nothing
    ShadowParams params() const;
    /// Whether there is something to apply.
    void setCanApply(bool can);

  Q_SIGNALS:
    void paramsChanged(const gatescope::ShadowParams& params);
    void applyRequested();

  private:
    QDoubleSpinBox* m_gamma;
    QSpinBox* m_batch;
    QCheckBox* m_centred;
    QPushButton* m_apply;
};

}  // namespace gatescope
