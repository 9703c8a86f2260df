// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/dock_view.h"

#include <QShowEvent>

namespace gatescope {

DockView::DockView(QWidget* parent) : QWidget(parent) {
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
}

void DockView::changed() {
    m_stale = true;
    if (isSeen()) {
        computeNow();
    }
}

void DockView::computeNow() {
    m_stale = false;
    ++m_computations;
    compute();
}

void DockView::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    nowSeen();
}

void DockView::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    Q_EMIT seenChanged();
}

void DockView::setInFront(bool inFront) {
    if (inFront != m_inFront) {
        m_inFront = inFront;
        nowSeen();
    }
}

void DockView::nowSeen() {
    if (isSeen() && m_stale) {
        computeNow();
    }
    Q_EMIT seenChanged();
}

}  // namespace gatescope
