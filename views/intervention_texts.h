// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "engine/decode/intervention_effect.h"

class QTextEdit;

namespace gatescope {

/// The continuations of the untouched and of the changed model beside each other; what follows the
/// first difference is marked.
class InterventionTexts final : public QWidget {
    Q_OBJECT

  public:
    explicit InterventionTexts(QWidget* parent = nullptr);

    void setEffect(const InterventionEffect& effect);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QTextEdit* addColumn(const QString& title);
    void fill(QTextEdit* edit, const QString& common, const QString& rest);
    void refill();

    QTextEdit* m_before = nullptr;
    QTextEdit* m_after = nullptr;
    QString m_common;
    QString m_restBefore;
    QString m_restAfter;
};

}  // namespace gatescope
