// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>

#include "app/settings.h"

class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace gatescope {

/// Sampling, limits and speculation. Every change counts at once, for the next answer.
class SamplingDialog final : public QDialog {
    Q_OBJECT

  public:
    explicit SamplingDialog(QWidget* parent = nullptr);

    void setSettings(const ChatSettings& settings);
    /// Without an MTP module only the text itself can be drafted from.
    void setModelHasMtp(bool has);
    ChatSettings settings() const;

  Q_SIGNALS:
    void changed(const gatescope::ChatSettings& settings);

  private:
    QDoubleSpinBox* real(double low, double high, double step, int decimals);
    QSpinBox* whole(int low, int high);
    void addSpeculation();
    void report();

    QDoubleSpinBox* m_temperature;
    QDoubleSpinBox* m_topP;
    QSpinBox* m_topK;
    QDoubleSpinBox* m_minP;
    QDoubleSpinBox* m_penalty;
    QSpinBox* m_seed;
    QSpinBox* m_maxTokens;
    QComboBox* m_speculate;
    QSpinBox* m_drafts;
    QComboBox* m_recycle;
    Speculate m_lastSpeculate = Speculate::Auto;
    bool m_setting = false;
};

}  // namespace gatescope
