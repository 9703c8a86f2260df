// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session_actions.h"

#include <QInputDialog>
#include <algorithm>

#include "app/chat_controller.h"
#include "app/engine_client.h"
#include "app/history_reader.h"
#include "engine/session/session_log.h"
#include "views/formats.h"
#include "views/session_list_view.h"

namespace gatescope {
namespace {

constexpr int kTitleChars = 40;

SessionListItem itemOf(const SessionSummary& session) {
    SessionListItem item;
    item.id = session.id;
    item.title = QString::fromStdString(session.title);
    item.model = QString::fromStdString(session.modelName);
    item.updatedMs = session.updatedMs;
    item.tokens = session.tokens;
    item.pinned = session.pinned;
    item.deleted = session.deletedMs.has_value();
    item.branch = session.branchedFrom.has_value();
    for (const std::string& tag : session.tags) {
        item.tags.append(QString::fromStdString(tag));
    }
    const SessionSnippet& snippet = session.snippet;
    item.snippet = QString::fromStdString(snippet.text);
    const auto characters = [&snippet](std::size_t from, std::size_t count) {
        return static_cast<int>(QString::fromStdString(snippet.text.substr(from, count)).size());
    };
    if (snippet.matchBegin <= snippet.text.size()) {
        item.matchBegin = characters(0, snippet.matchBegin);
        item.matchLength = characters(snippet.matchBegin, snippet.matchLength);
    }
    return item;
}

QStringList tagsOf(const QString& text) {
    QStringList tags;
    for (const QString& part : text.split(u',', Qt::SkipEmptyParts)) {
        const QString tag = part.simplified();
        if (!tag.isEmpty() && !tags.contains(tag)) {
            tags.append(tag);
        }
    }
    return tags;
}

}  // namespace

SessionActions::SessionActions(EngineClient* engine, HistoryReader* history, ChatController* chat,
                               SessionListView* list, QObject* parent)
    : QObject(parent), m_engine(engine), m_history(history), m_chat(chat), m_list(list) {
    connect(history, &HistoryReader::listed, this, [this](const auto& sessions) {
        m_shown = sessions;
        show(*sessions);
    });
    connect(history, &HistoryReader::allListed, list,
            [list](const auto&, const SessionFacets& facets) { list->setFacets(facets); });
    connect(history, &HistoryReader::listFailed, list, &SessionListView::setMessage);
    connect(list, &SessionListView::queryChanged, this, [this] {
        m_history->setQuery(m_list->query());
        m_history->list();
    });
    connect(list, &SessionListView::renameRequested, this, &SessionActions::rename);
    connect(list, &SessionListView::removeRequested, this, &SessionActions::remove);
    connect(list, &SessionListView::restoreRequested, this, &SessionActions::restore);
    connect(list, &SessionListView::pinRequested, this, &SessionActions::pin);
    connect(list, &SessionListView::tagsRequested, this, &SessionActions::askForTags);
    connect(list, &SessionListView::undoRequested, this, &SessionActions::undo);
}

void SessionActions::show(const std::vector<SessionSummary>& sessions) {
    std::vector<SessionListItem> items;
    items.reserve(sessions.size());
    std::transform(sessions.begin(), sessions.end(), std::back_inserter(items), itemOf);
    m_list->setSessions(std::move(items));
}

const SessionSummary* SessionActions::summaryOf(std::int64_t session) const {
    if (m_shown == nullptr) {
        return nullptr;
    }
    const auto found = std::find_if(m_shown->begin(), m_shown->end(),
                                    [session](const auto& one) { return one.id == session; });
    return found == m_shown->end() ? nullptr : &*found;
}

/// The log says what went wrong by itself; the list is read again when it is done.
void SessionActions::change(std::function<void(SessionLog&)> what) {
    m_engine->editLog([this, what = std::move(what)](SessionLog* log) {
        if (log == nullptr) {
            QMetaObject::invokeMethod(
                m_chat,
                [chat = m_chat] {
                    chat->showError(
                        tr("The session file is not open for writing: nothing was "
                           "changed."));
                },
                Qt::QueuedConnection);
            return;
        }
        what(*log);
        log->flush();
    });
}

void SessionActions::rename(std::int64_t session, const QString& title) {
    change(
        [session, title = title.toStdString()](SessionLog& log) { log.setTitle(session, title); });
}

void SessionActions::remove(std::vector<std::int64_t> sessions) {
    const bool answering = m_chat->state() == ChatState::Answering;
    if (answering && m_chat->session() && std::erase(sessions, *m_chat->session()) > 0) {
        m_chat->showError(tr("Stop the answer (Esc) to delete the session it belongs to."));
    }
    if (sessions.empty()) {
        return;
    }
    QString what = tr("%1 sessions").arg(sessions.size());
    if (const SessionSummary* one = summaryOf(sessions.front()); one && sessions.size() == 1) {
        what =
            tr("\u201C%1\u201D").arg(visibleText(QString::fromStdString(one->title), kTitleChars));
    }
    if (m_chat->session() &&
        std::find(sessions.begin(), sessions.end(), *m_chat->session()) != sessions.end()) {
        m_chat->newSession();  // what is deleted is not shown any more
    }
    m_removed = sessions;
    change([sessions](SessionLog& log) {
        for (const std::int64_t session : sessions) {
            log.remove(session);
        }
    });
    m_list->offerUndo(tr("Deleted %1").arg(what));
}

void SessionActions::restore(const std::vector<std::int64_t>& sessions) {
    change([sessions](SessionLog& log) {
        for (const std::int64_t session : sessions) {
            log.restore(session);
        }
    });
}

void SessionActions::undo() {
    restore(std::exchange(m_removed, {}));
}

void SessionActions::pin(const std::vector<std::int64_t>& sessions, bool pinned) {
    change([sessions, pinned](SessionLog& log) {
        for (const std::int64_t session : sessions) {
            log.setPinned(session, pinned);
        }
    });
}

void SessionActions::setTags(const std::vector<std::int64_t>& sessions, const QStringList& tags) {
    std::vector<std::string> texts;
    for (const QString& tag : tags) {
        texts.push_back(tag.toStdString());
    }
    change([sessions, texts](SessionLog& log) {
        if (sessions.size() == 1) {
            log.setTags(sessions.front(), texts);
            return;
        }
        for (const std::int64_t session : sessions) {
            for (const std::string& tag : texts) {
                log.addTag(session, tag);
            }
        }
    });
}

void SessionActions::askForTags(const std::vector<std::int64_t>& sessions) {
    QStringList tags;
    if (const SessionSummary* one = summaryOf(sessions.front()); one && sessions.size() == 1) {
        for (const std::string& tag : one->tags) {
            tags.append(QString::fromStdString(tag));
        }
    }
    bool accepted = false;
    const QString text = QInputDialog::getText(
        m_list, tr("Tags"),
        sessions.size() == 1 ? tr("Tags, by commas:") : tr("Tags to add to each, by commas:"),
        QLineEdit::Normal, tags.join(QStringLiteral(", ")), &accepted);
    if (accepted) {
        setTags(sessions, tagsOf(text));
    }
}

}  // namespace gatescope
