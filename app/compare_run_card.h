// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "app/compare_run_spec.h"

class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QSpinBox;
class QStackedWidget;
class QToolButton;

namespace gatescope {

/// The form of one run: prompt or stored sessions, and what it runs with, folded to one line.
class CompareRunCard final : public QWidget {
    Q_OBJECT

  public:
    explicit CompareRunCard(QWidget* parent = nullptr);

    /// The letter that stands for the run while it has no label.
    void setLetter(const QString& letter);
    void setContext(const CompareContext& context);
    void setSpec(const CompareRunSpec& spec);
    CompareRunSpec spec() const;
    /// What became of it, or what is wrong: one sentence.
    void setStatus(const QString& text, bool error = false);
    QString status() const;
    void setRemovable(bool removable);
    void setSettingsShown(bool shown);
    QPlainTextEdit* prompt() const { return m_prompt; }
    QLineEdit* sessions() const { return m_sessions; }

  Q_SIGNALS:
    void duplicateRequested();
    void removeRequested();
    void chooseSessionsRequested();
    void runRequested();  ///< Ctrl+Enter
    void edited();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    QWidget* makeHead();
    QWidget* makeSource();
    QWidget* makeSettings();
    QDoubleSpinBox* real(const QString& prefix, double low, double high, double step);
    QSpinBox* whole(const QString& prefix, int low, int high);
    QComboBox* choice(const QString& name, const QStringList& texts);
    void fillModels();
    void chooseModel();
    void refreshSummary();
    void report();

    CompareContext m_context;
    ChatSettings m_base = ChatSettings::defaults();  ///< what the form does not show
    QString m_letter;
    bool m_setting = false;

    QLabel* m_name = nullptr;
    QLineEdit* m_label = nullptr;
    QComboBox* m_source = nullptr;
    QToolButton* m_remove = nullptr;
    QStackedWidget* m_sources = nullptr;
    QPlainTextEdit* m_prompt = nullptr;
    QLineEdit* m_sessions = nullptr;
    QToolButton* m_fold = nullptr;
    QWidget* m_form = nullptr;
    QDoubleSpinBox* m_temperature = nullptr;
    QDoubleSpinBox* m_topP = nullptr;
    QSpinBox* m_seed = nullptr;
    QSpinBox* m_maxTokens = nullptr;
    QComboBox* m_speculate = nullptr;
    QComboBox* m_interventions = nullptr;
    QComboBox* m_model = nullptr;
    QComboBox* m_device = nullptr;
    QComboBox* m_precision = nullptr;
    QComboBox* m_cache = nullptr;
    QLabel* m_status = nullptr;
};

}  // namespace gatescope
