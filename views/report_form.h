// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "engine/report/report_value.h"
#include "engine/report/report_words.h"

class QCheckBox;
class QComboBox;
class QLineEdit;
class QSpinBox;

namespace gatescope {

/// What a person asks of a report.
struct ReportInputs {
    QString sessions;  ///< "1,3-5"; empty: all
    QString against;   ///< empty: no comparison
    PromptDetail prompts = PromptDetail::Hashes;
    ReportLanguage language = ReportLanguage::English;
    bool special = false;
    bool placement = false;
    int gpus = 0;
    int nodes = 0;

    bool operator==(const ReportInputs&) const = default;
};

class ReportForm final : public QWidget {
    Q_OBJECT

  public:
    explicit ReportForm(QWidget* parent = nullptr);

    ReportInputs inputs() const;
    void setSessions(const QString& sessions);

  Q_SIGNALS:
    void changed();

  private:
    void lay();
    void connectParts();

    QLineEdit* m_sessions;
    QLineEdit* m_against;
    QComboBox* m_prompts;
    QComboBox* m_language;
    QCheckBox* m_special;
    QCheckBox* m_placement;
    QSpinBox* m_gpus;
    QSpinBox* m_nodes;
};

}  // namespace gatescope
