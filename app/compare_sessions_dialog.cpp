// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/compare_sessions_dialog.h"

#include <QDateTime>
#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "engine/analysis/comparison.h"
#include "views/formats.h"
#include "views/message_label.h"
#include "views/theme.h"

namespace gatescope {
namespace {

constexpr int kSideColumn = 0;
constexpr int kNumberColumn = 1;
constexpr int kTitleColumn = 2;

QString letterOf(int side) {
    return side < 0 ? QString() : QString(QChar(u'A' + static_cast<char16_t>(side)));
}

}  // namespace

CompareSessionsDialog::CompareSessionsDialog(const std::vector<SessionListItem>& sessions,
                                             bool manySides, QWidget* parent)
    : QDialog(parent),
      m_sessions(sessions),
      m_many(manySides),
      m_filter(new QLineEdit),
      m_table(new QTableWidget),
      m_note(makeNoteLabel()) {
    setWindowTitle(tr("Compare stored sessions"));
    m_filter->setPlaceholderText(tr("Filter by title or model"));
    m_filter->setClearButtonEnabled(true);
    m_table->setAccessibleName(tr("Stored sessions"));
    m_table->installEventFilter(this);
    fill();
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Ok | QDialogButtonBox::Cancel);
    m_ok = buttons->button(QDialogButtonBox::Ok);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(2 * kGrid, 2 * kGrid, 2 * kGrid, 2 * kGrid);
    column->setSpacing(kGrid);
    column->addWidget(m_filter);
    column->addWidget(m_table, 1);
    column->addWidget(m_note);
    column->addWidget(buttons);
    connect(m_filter, &QLineEdit::textChanged, this, &CompareSessionsDialog::applyFilter);
    connect(m_table, &QTableWidget::itemSelectionChanged, this, &CompareSessionsDialog::refresh);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    resize(80 * kGrid, 60 * kGrid);
    refresh();
}

void CompareSessionsDialog::fill() {
    m_table->setColumnCount(5);
    m_table->setHorizontalHeaderLabels(
        {tr("Side"), tr("Number"), tr("Title"), tr("Model"), tr("Last used")});
    m_table->setColumnHidden(kSideColumn, !m_many);
    m_table->setFrameShape(QFrame::NoFrame);
    m_table->setShowGrid(false);
    m_table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setTabKeyNavigation(false);
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setHighlightSections(false);
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    m_table->horizontalHeader()->setSectionResizeMode(kTitleColumn, QHeaderView::Stretch);
    m_table->setRowCount(static_cast<int>(m_sessions.size()));
    const qint64 now = QDateTime::currentMSecsSinceEpoch();
    for (int row = 0; row < m_table->rowCount(); ++row) {
        const SessionListItem& at = m_sessions[static_cast<std::size_t>(row)];
        const QStringList texts{QString(), QString::number(at.id), visibleText(at.title),
                                visibleText(at.model), whenText(at.updatedMs, now)};
        for (int i = 0; i < texts.size(); ++i) {
            m_table->setItem(row, i, new QTableWidgetItem(texts[i]));
        }
        m_table->item(row, kNumberColumn)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
    }
}

void CompareSessionsDialog::applyFilter() {
    for (int row = 0; row < m_table->rowCount(); ++row) {
        const SessionListItem& at = m_sessions[static_cast<std::size_t>(row)];
        m_table->setRowHidden(row, !at.title.contains(m_filter->text(), Qt::CaseInsensitive) &&
                                       !at.model.contains(m_filter->text(), Qt::CaseInsensitive));
    }
}

void CompareSessionsDialog::setSide(std::int64_t session, int side) {
    if (side < 0) {
        m_sides.erase(session);
    } else {
        m_sides[session] = side;
    }
    refresh();
}

void CompareSessionsDialog::assign(int side) {
    for (const QModelIndex& index : m_table->selectionModel()->selectedRows()) {
        const std::int64_t session = m_sessions[static_cast<std::size_t>(index.row())].id;
        if (side < 0) {
            m_sides.erase(session);
        } else {
            m_sides[session] = side;
        }
    }
    refresh();
}

QStringList CompareSessionsDialog::sides() const {
    std::map<int, QStringList> bySide;
    if (m_many) {
        for (const auto& [session, side] : m_sides) {
            bySide[side] += QString::number(session);
        }
    } else {
        for (const QModelIndex& index : m_table->selectionModel()->selectedRows()) {
            bySide[0] += QString::number(m_sessions[static_cast<std::size_t>(index.row())].id);
        }
    }
    QStringList out;
    for (const auto& [side, numbers] : bySide) {
        out += numbers.join(u',');
    }
    return out;
}

void CompareSessionsDialog::refresh() {
    for (int row = 0; row < m_table->rowCount(); ++row) {
        const auto found = m_sides.find(m_sessions[static_cast<std::size_t>(row)].id);
        m_table->item(row, kSideColumn)
            ->setText(found == m_sides.end() ? QString() : letterOf(found->second));
    }
    const qsizetype chosen = sides().size();
    if (m_ok != nullptr) {
        m_ok->setEnabled(chosen >= (m_many ? 2 : 1));
    }
    m_note->setText(
        m_sessions.empty() ? tr("Nothing is stored yet: an answer in the chat makes a session.")
        : !m_many
            ? tr("Several sessions of one model count together as one side.")
            : tr("Press A, B, … H to put the selected sessions on a side, Delete to take them "
                 "off. Several sessions on a side count together. The others are compared "
                 "with A."));
}

bool CompareSessionsDialog::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_table && m_many && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const int side = key->key() - Qt::Key_A;
        const bool plain = (key->modifiers() & ~Qt::ShiftModifier) == Qt::NoModifier;
        if (plain && side >= 0 && side < static_cast<int>(kMostComparedRuns)) {
            assign(side);
            return true;
        }
        if (key->key() == Qt::Key_Delete || key->key() == Qt::Key_Backspace) {
            assign(-1);
            return true;
        }
    }
    return QDialog::eventFilter(watched, event);
}

}  // namespace gatescope
