// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>
#include <functional>
#include <memory>

#include "engine/analysis/aligned_comparison.h"

class QLabel;

namespace gatescope {

class NumberTable;

/// A stored session beside the same session run again.
struct ReplayValue {
    AlignedComparison comparison;  ///< A: stored, B: run again
    int answers = 0;
    QStringList otherConditions;                 ///< why equal tokens are not to be expected
    std::function<QString(std::int32_t)> token;  ///< a token's text, ready to be shown
};

/// What came out the same, and where the first differences are.
class ReplayView final : public QWidget {
    Q_OBJECT

  public:
    explicit ReplayView(QWidget* parent = nullptr);

    void setValue(std::shared_ptr<const ReplayValue> value);
    QString tableText(QChar separator) const;

  Q_SIGNALS:
    void failed(const QString& message);

  private:
    void fill();

    QLabel* m_summary;
    QLabel* m_conditions;
    NumberTable* m_table;
    std::shared_ptr<const ReplayValue> m_value;
};

}  // namespace gatescope
