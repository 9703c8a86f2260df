// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>

#include "engine/analysis/comparison.h"

class QAction;
class QCheckBox;
class QComboBox;
class QSpinBox;
class QToolButton;

namespace gatescope {

/// Which tokens are compared and how it is tested.
class CompareOptionsRow final : public QWidget {
    Q_OBJECT

  public:
    explicit CompareOptionsRow(QWidget* parent = nullptr);

    const ComparisonOptions& options() const { return m_options; }
    /// Emits nothing.
    void setOptions(const ComparisonOptions& options);

  Q_SIGNALS:
    void optionsChanged(const gatescope::ComparisonOptions& options);

  private:
    void makeTokens();
    void showOptions();
    void report();

    ComparisonOptions m_options;
    QToolButton* m_tokens;
    std::array<QAction*, 3> m_phases{};
    QAction* m_special = nullptr;
    QCheckBox* m_prefix;
    QSpinBox* m_block;
    QComboBox* m_permutations;
    bool m_showing = false;
};

}  // namespace gatescope
