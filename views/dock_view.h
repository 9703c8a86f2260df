// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

namespace gatescope {

/// What all docks have in common: a value that is computed only while the view can be seen, the
/// exact number under the pointer for the status bar, and one sentence when something failed.
class DockView : public QWidget {
    Q_OBJECT

  public:
    explicit DockView(QWidget* parent = nullptr);

    /// How often the view was computed since construction: a hidden view stays at its number.
    int computations() const { return m_computations; }

  Q_SIGNALS:
    /// The exact value under the pointer or the cursor, empty when there is none.
    void hoverText(const QString& text);
    /// Something could not be done, e.g. a picture not be written; one sentence for the person.
    void failed(const QString& message);

  protected:
    /// Builds what is seen from the value the view holds.
    virtual void compute() = 0;
    /// The value is another one: computes now, or when the view is shown.
    void changed();
    void showEvent(QShowEvent* event) override;

  private:
    void computeNow();

    bool m_stale = true;
    int m_computations = 0;
};

}  // namespace gatescope
