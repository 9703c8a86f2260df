// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/compare_pane.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <QtMath>

#include "app/compare_run_card.h"
#include "app/compare_setup.h"
#include "views/compare_view.h"
#include "views/theme.h"

namespace gatescope {

ComparePane::ComparePane(Selection* selection, QWidget* parent)
    : QWidget(parent),
      m_setup(new CompareSetup),
      m_view(new CompareView(selection)),
      m_pages(new QStackedWidget) {
    m_pages->addWidget(m_setup);
    m_pages->addWidget(m_view);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(makeHead());
    column->addWidget(m_pages, 1);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    connect(m_view, &DockView::failed, m_message, &QLabel::setText);
    end();
    showSetup();
}

QWidget* ComparePane::makeHead() {
    auto* head = new QWidget;
    const auto page = [&](const QString& text) {
        auto* button = new QToolButton;
        button->setText(text);
        button->setAutoRaise(true);
        button->setCheckable(true);
        button->setFocusPolicy(Qt::StrongFocus);
        return button;
    };
    m_toSetup = page(tr("Set &up"));
    m_toResult = page(tr("R&esult"));
    m_message = new QLabel;
    m_message->setTextFormat(Qt::PlainText);
    m_message->setForegroundRole(QPalette::PlaceholderText);
    m_message->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_progress = new QProgressBar;
    m_progress->setTextVisible(false);
    m_progress->setMaximumWidth(16 * kGrid);
    m_cancel = new QPushButton(tr("Cancel"));
    m_export = new QPushButton(tr("E&xport comparison…"));
    auto* row = new QHBoxLayout(head);
    row->setContentsMargins(2 * kGrid, kGrid, 2 * kGrid, 0);
    row->setSpacing(kGrid);
    for (QWidget* widget : std::initializer_list<QWidget*>{m_toSetup, m_toResult}) {
        row->addWidget(widget);
    }
    row->addWidget(m_message, 1);
    for (QWidget* widget : std::initializer_list<QWidget*>{m_progress, m_cancel, m_export}) {
        row->addWidget(widget);
    }
    connect(m_toSetup, &QToolButton::clicked, this, &ComparePane::showSetup);
    connect(m_toResult, &QToolButton::clicked, this, &ComparePane::showResult);
    connect(m_cancel, &QPushButton::clicked, this, &ComparePane::cancelRequested);
    connect(m_export, &QPushButton::clicked, this, &ComparePane::exportRequested);
    return head;
}

void ComparePane::focusNext() {
    if (isResultShown()) {
        m_view->setFocus(Qt::ShortcutFocusReason);
    } else if (m_setup->count() > 0) {
        m_setup->card(0)->prompt()->setFocus(Qt::ShortcutFocusReason);
    }
}

void ComparePane::showSetup() {
    m_pages->setCurrentWidget(m_setup);
    refreshPages();
}

void ComparePane::showResult() {
    m_pages->setCurrentWidget(m_view);
    refreshPages();
}

bool ComparePane::isResultShown() const {
    return m_pages->currentWidget() == m_view;
}

void ComparePane::refreshPages() {
    m_toSetup->setChecked(!isResultShown());
    m_toResult->setChecked(isResultShown());
}

void ComparePane::begin(const QString& what) {
    m_running = true;
    m_since.start();
    m_progress->setRange(0, 0);
    m_progress->show();
    m_cancel->show();
    m_message->setText(what);
}

void ComparePane::setProgress(const QString& what, qint64 done, qint64 total) {
    if (!m_running) {
        return;
    }
    m_progress->setRange(0, total > 0 ? 1000 : 0);
    m_progress->setValue(total > 0 ? static_cast<int>(1000 * done / total) : 0);
    const double seconds = static_cast<double>(m_since.elapsed()) / 1000;
    const bool known = done > 0 && total > 0 && seconds > 0.5;
    m_message->setText(known ? tr("%1, about %2 s left")
                                   .arg(what)
                                   .arg(qCeil(seconds * static_cast<double>(total - done) /
                                              static_cast<double>(done)))
                             : what);
}

void ComparePane::end(const QString& message) {
    m_running = false;
    m_progress->hide();
    m_cancel->hide();
    m_message->setText(message);
    m_message->setToolTip(message);
}

QString ComparePane::message() const {
    return m_message->text();
}

void ComparePane::setExportable(bool can) {
    m_export->setEnabled(can);
}

}  // namespace gatescope
