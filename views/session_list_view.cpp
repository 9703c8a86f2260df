// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/session_list_view.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <QToolButton>
#include <algorithm>

#include "views/session_delegate.h"
#include "views/session_filter.h"
#include "views/theme.h"
#include "views/undo_bar.h"

namespace gatescope {
namespace {

constexpr int kTypingMs = 60;  // keys that come faster are one query

}  // namespace

SessionListView::SessionListView(QWidget* parent)
    : QWidget(parent),
      m_search(new QLineEdit),
      m_filter(new SessionFilter),
      m_list(new QListView),
      m_empty(new QLabel),
      m_filtered(new QLabel),
      m_undo(new UndoBar),
      m_model(new SessionListModel(this)),
      m_delegate(new SessionDelegate(m_list)),
      m_menu(new QMenu(this)) {
    m_search->setPlaceholderText(tr("Search sessions"));
    m_search->setClearButtonEnabled(true);
    m_search->setAccessibleName(tr("Search sessions"));
    m_search->installEventFilter(this);
    auto* add = new QToolButton;
    add->setText(QStringLiteral("+"));
    add->setToolTip(tr("New session (Ctrl+N)"));
    add->setAccessibleName(tr("New session"));
    add->setAutoRaise(true);
    connect(add, &QToolButton::clicked, this, &SessionListView::newSessionRequested);
    makeList();
    for (QLabel* label : {m_empty, m_filtered}) {
        label->setTextFormat(Qt::PlainText);
        label->setWordWrap(true);
        label->setAlignment(Qt::AlignTop | Qt::AlignLeft);
        label->setForegroundRole(QPalette::PlaceholderText);
    }
    m_empty->setMargin(kGrid + 4);
    m_filtered->setContentsMargins(kGrid + 4, 0, kGrid, kGrid / 2);

    auto* row = new QHBoxLayout;
    row->setContentsMargins(kGrid, kGrid, kGrid, kGrid);
    row->setSpacing(kGrid / 2);
    row->addWidget(m_search, 1);
    row->addWidget(m_filter);
    row->addWidget(add);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addLayout(row);
    column->addWidget(m_filtered);
    column->addWidget(m_empty);
    column->addWidget(m_list, 1);
    column->addStretch(0);
    column->addWidget(m_undo);
    connectParts();
    refreshEmpty();
}

void SessionListView::makeList() {
    m_list->setModel(m_model);
    m_list->setItemDelegate(m_delegate);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setEditTriggers(QAbstractItemView::EditKeyPressed);
    m_list->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_list->setMouseTracking(true);
    m_list->setUniformItemSizes(true);
    m_list->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_list->setContextMenuPolicy(Qt::CustomContextMenu);
    m_list->setAccessibleName(tr("Sessions"));
    m_list->installEventFilter(this);
    m_list->viewport()->installEventFilter(this);
    m_list->setWhatsThis(
        tr("Enter or a click opens a session in the chat; while an answer is being written, in a "
           "window of its own. Ctrl+Enter or a middle click always opens it in a window of its "
           "own, read-only."));
}

void SessionListView::connectParts() {
    m_typing.setSingleShot(true);
    m_typing.setInterval(kTypingMs);
    connect(&m_typing, &QTimer::timeout, this, &SessionListView::askForQuery);
    connect(m_search, &QLineEdit::textChanged, &m_typing, qOverload<>(&QTimer::start));
    connect(m_filter, &SessionFilter::changed, this, &SessionListView::askForQuery);
    connect(m_list, &QListView::clicked, this, [this](const QModelIndex& index) {
        const SessionListItem* session = m_model->at(index);
        const bool alone = m_list->selectionModel()->selectedIndexes().size() == 1;
        if (session != nullptr && alone && !session->deleted) {
            Q_EMIT opened(session->id);
        }
    });
    connect(m_list, &QWidget::customContextMenuRequested, this, [this](const QPoint& at) {
        if (m_list->indexAt(at).isValid()) {
            fillMenu()->popup(m_list->viewport()->mapToGlobal(at));
        }
    });
    connect(m_model, &SessionListModel::renamed, this, &SessionListView::renameRequested);
    connect(m_undo, &UndoBar::undone, this, &SessionListView::undoRequested);
}

SessionQuery SessionListView::query() const {
    SessionQuery query = m_filter->query();
    query.text = m_search->text().trimmed().toStdString();
    return query;
}

void SessionListView::askForQuery() {
    m_typing.stop();
    m_delegate->setSnippets(!query().text.empty());
    m_list->doItemsLayout();
    refreshEmpty();
    Q_EMIT queryChanged();
}

bool SessionListView::showsDeleted() const {
    return m_filter->query().deleted;
}

void SessionListView::setFacets(const SessionFacets& facets) {
    m_filter->setFacets(facets);
}

void SessionListView::setSessions(std::vector<SessionListItem> sessions) {
    m_message.clear();
    const std::vector<std::int64_t> chosen = selected();
    const int scrolled = m_list->verticalScrollBar()->value();
    if (m_model->setSessions(std::move(sessions))) {
        markCurrent();
        if (chosen.size() > 1) {
            for (const std::int64_t session : chosen) {
                const int row = m_model->rowOf(session);
                if (row >= 0) {
                    m_list->selectionModel()->select(m_model->index(row),
                                                     QItemSelectionModel::Select);
                }
            }
        }
        m_list->doItemsLayout();
        m_list->verticalScrollBar()->setValue(scrolled);
    }
    refreshEmpty();
}

void SessionListView::setCurrent(std::optional<std::int64_t> session) {
    m_current = session;
    markCurrent();
}

void SessionListView::setMessage(const QString& message) {
    m_message = message;
    refreshEmpty();
}

void SessionListView::offerUndo(const QString& text) {
    m_undo->offer(text);
}

std::vector<std::int64_t> SessionListView::selected() const {
    QModelIndexList indexes = m_list->selectionModel()->selectedIndexes();
    std::sort(indexes.begin(), indexes.end());
    if (indexes.isEmpty() && m_list->currentIndex().isValid()) {
        indexes.append(m_list->currentIndex());  // where the keyboard is
    }
    std::vector<std::int64_t> sessions;
    for (const QModelIndex& index : indexes) {
        if (const SessionListItem* session = m_model->at(index)) {
            sessions.push_back(session->id);
        }
    }
    return sessions;
}

void SessionListView::markCurrent() {
    m_list->clearSelection();
    m_list->setCurrentIndex({});
    const int row = m_current ? m_model->rowOf(*m_current) : -1;
    if (row >= 0) {
        // Not by the view, which asks for the keys that are held down.
        m_list->selectionModel()->setCurrentIndex(m_model->index(row),
                                                  QItemSelectionModel::ClearAndSelect);
    }
}

void SessionListView::refreshEmpty() {
    const bool none = m_model->rowCount() == 0;
    const QString filtered = m_filter->description();
    m_filtered->setText(filtered);
    m_filtered->setVisible(!filtered.isEmpty());
    const bool asked = !m_search->text().trimmed().isEmpty() || m_filter->isActive();
    m_empty->setText(!m_message.isEmpty() ? m_message
                     : asked              ? tr("No session matches.")
                                          : tr("Conversations appear here as soon as they begin."));
    m_empty->setVisible(none || !m_message.isEmpty());
    m_list->setVisible(!none && m_message.isEmpty());
}

QMenu* SessionListView::fillMenu() {
    m_menu->clear();
    const std::vector<std::int64_t> sessions = selected();
    const bool one = sessions.size() == 1;
    const auto add = [this](const QString& text, const QKeySequence& key, bool enabled, auto what) {
        QAction* action = m_menu->addAction(text, this, what);
        action->setShortcut(key);  // shown; the list itself listens
        action->setShortcutContext(Qt::WidgetShortcut);
        action->setEnabled(enabled);
    };
    if (showsDeleted()) {
        add(tr("&Restore"), {}, !sessions.empty(),
            [this, sessions] { Q_EMIT restoreRequested(sessions); });
        return m_menu;
    }
    add(tr("&Open"), QKeySequence(Qt::Key_Return), one,
        [this, sessions] { Q_EMIT opened(sessions.front()); });
    add(tr("Open in a &window of its own"), QKeySequence(Qt::CTRL | Qt::Key_Return), one,
        [this, sessions] { Q_EMIT openedInWindow(sessions.front()); });
    add(tr("Re&name"), QKeySequence(Qt::Key_F2), one,
        [this] { m_list->edit(m_list->currentIndex()); });
    add(tr("&Pin or unpin"), QKeySequence(Qt::Key_P), !sessions.empty(), [this] { togglePin(); });
    add(tr("&Tags…"), QKeySequence(Qt::Key_T), !sessions.empty(),
        [this, sessions] { Q_EMIT tagsRequested(sessions); });
    m_menu->addSeparator();
    add(tr("&Compare"), QKeySequence(Qt::Key_C), sessions.size() > 1,
        [this, sessions] { Q_EMIT compareRequested(sessions); });
    add(tr("Run a&gain and compare tokens"), QKeySequence(Qt::Key_R), one,
        [this, sessions] { Q_EMIT replayRequested(sessions.front()); });
    add(tr("&Export…"), QKeySequence(Qt::Key_E), !sessions.empty(),
        [this, sessions] { Q_EMIT exportRequested(sessions); });
    m_menu->addSeparator();
    add(tr("&Delete"), QKeySequence(Qt::Key_Delete), !sessions.empty(),
        [this, sessions] { Q_EMIT removeRequested(sessions); });
    return m_menu;
}

void SessionListView::togglePin() {
    const std::vector<std::int64_t> sessions = selected();
    bool all = true;
    for (const std::int64_t session : sessions) {
        all &= m_model->sessions()[static_cast<std::size_t>(m_model->rowOf(session))].pinned;
    }
    if (!sessions.empty()) {
        Q_EMIT pinRequested(sessions, !all);
    }
}

bool SessionListView::listKey(int key, Qt::KeyboardModifiers modifiers) {
    const std::vector<std::int64_t> sessions = selected();
    if (key == Qt::Key_Z && modifiers == Qt::ControlModifier) {
        m_undo->undo();
        return true;
    }
    const bool enter = key == Qt::Key_Return || key == Qt::Key_Enter;
    if (enter && (modifiers & ~Qt::KeypadModifier) == Qt::ControlModifier) {
        openInWindow(m_list->currentIndex());
        return true;
    }
    if (sessions.empty() || (modifiers & ~Qt::KeypadModifier) != 0) {
        return false;
    }
    switch (key) {
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (const SessionListItem* session = m_model->at(m_list->currentIndex())) {
                showsDeleted() ? restoreRequested(sessions) : opened(session->id);
            }
            return true;
        case Qt::Key_Delete:
            if (!showsDeleted()) {
                Q_EMIT removeRequested(sessions);
            }
            return true;
        case Qt::Key_P:
            togglePin();
            return true;
        case Qt::Key_T:
            Q_EMIT tagsRequested(sessions);
            return true;
        case Qt::Key_C:
            if (sessions.size() > 1) {
                Q_EMIT compareRequested(sessions);
            }
            return true;
        case Qt::Key_R:
            if (sessions.size() == 1) {
                Q_EMIT replayRequested(sessions.front());
            }
            return true;
        case Qt::Key_E:
            Q_EMIT exportRequested(sessions);
            return true;
        default:
            return false;
    }
}

void SessionListView::openInWindow(const QModelIndex& index) {
    if (const SessionListItem* session = m_model->at(index); session && !session->deleted) {
        Q_EMIT openedInWindow(session->id);
    }
}

/// True for what the list itself is not to take for a click: that would change the selection.
bool SessionListView::middleClick(const QEvent* event) {
    const bool release = event->type() == QEvent::MouseButtonRelease;
    if (!release && event->type() != QEvent::MouseButtonPress) {
        return false;
    }
    const auto* mouse = static_cast<const QMouseEvent*>(event);
    if (mouse->button() != Qt::MiddleButton) {
        return false;
    }
    if (release) {
        openInWindow(m_list->indexAt(mouse->position().toPoint()));
    }
    return true;
}

bool SessionListView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == m_list->viewport() && middleClick(event)) {
        return true;
    }
    if (event->type() != QEvent::KeyPress) {
        return QWidget::eventFilter(watched, event);
    }
    const auto* press = static_cast<QKeyEvent*>(event);
    if (watched == m_search && press->key() == Qt::Key_Down && shownCount() > 0) {
        m_list->setFocus(Qt::TabFocusReason);
        if (!m_list->currentIndex().isValid()) {
            m_list->setCurrentIndex(m_model->index(0));
        }
        return true;
    }
    if (watched == m_list && listKey(press->key(), press->modifiers())) {
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

}  // namespace gatescope
