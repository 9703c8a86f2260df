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

    /// Shown, and not behind another tab. Qt keeps the widget of a dock behind another tab
    /// "visible" and moves it out of the window; whoever owns the dock tells the view by
    /// setInFront().
    bool isSeen() const { return isVisible() && m_inFront; }
    void setInFront(bool inFront);

  Q_SIGNALS:
    /// The exact value under the pointer or the cursor, empty when there is none.
    void hoverText(const QString& text);
    /// Something could not be done, e.g. a picture not be written; one sentence for the person.
    void failed(const QString& message);
    void seenChanged();

  protected:
    /// Builds what is seen from the value the view holds.
    virtual void compute() = 0;
    /// The value is another one: computes now, or when the view is shown.
    void changed();
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    void computeNow();

    void nowSeen();

    bool m_stale = true;
    bool m_inFront = true;
    int m_computations = 0;
};

}  // namespace gatescope
