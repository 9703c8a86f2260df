// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>
#include <vector>

#include "engine/model/interventions.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QPushButton;

namespace gatescope {

class Selection;

/// Puts interventions together, one change at a time: what, which experts or how many, in which
/// layers. What does not fit the model is said beside the field while it is typed.
class InterventionsComposer final : public QWidget {
    Q_OBJECT

  public:
    enum Change { ExpertsOff, ExpertsForced, TopK, KeptGroups, BiasOff };
    enum Where { AllLayers, SelectedLayer, TypedLayers };

    explicit InterventionsComposer(Selection* selection, QWidget* parent = nullptr);

    /// Forgets what was put together.
    void setShape(const RoutingShape& shape);
    const Interventions& composed() const { return m_composed; }
    /// Nothing is changed, and the sentence shown, where they do not fit the model.
    void setComposed(const Interventions& interventions);

  Q_SIGNALS:
    void composedChanged();

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void restyle();
    void makeForm();
    void makeList();
    void followSelection();
    void showFields();
    /// The change as typed; an Error's sentence where it is incomplete or wrong.
    Interventions typed() const;
    std::vector<int> typedLayers() const;
    /// What is typed fits what is put together: the sentence, and whether it can be added.
    void check();
    void add();
    void removeCurrent();
    void clear();
    void setParts(std::vector<Interventions> parts);

    Selection* m_selection;
    RoutingShape m_shape;
    std::vector<Interventions> m_parts;  ///< one change each, in the order they were added
    Interventions m_composed;            ///< all of them
    bool m_expertsTyped = false;         ///< by hand: the selection no longer fills the field

    QComboBox* m_change = nullptr;
    QLineEdit* m_value = nullptr;
    QComboBox* m_where = nullptr;
    QLineEdit* m_layers = nullptr;
    QPushButton* m_add = nullptr;
    QLabel* m_problem = nullptr;
    QListWidget* m_list = nullptr;
    QPushButton* m_remove = nullptr;
    QPushButton* m_clear = nullptr;
};

/// Numbers and ranges, "3-10, 12", each once and ascending. Throws Error with one sentence.
std::vector<int> parseNumbers(const QString& text, const QString& what);

}  // namespace gatescope
