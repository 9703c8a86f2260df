// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/session_list_model.h"

#include <QDateTime>
#include <QLocale>
#include <algorithm>

#include "views/formats.h"

namespace gatescope {

QString whenText(std::int64_t unixMs, std::int64_t nowMs) {
    const QDateTime when = QDateTime::fromMSecsSinceEpoch(unixMs);
    const QDate today = QDateTime::fromMSecsSinceEpoch(nowMs).date();
    const QLocale locale;
    // The C locale's short form has seconds.
    const QString time = locale.language() == QLocale::C
                             ? when.toString(QStringLiteral("HH:mm"))
                             : locale.toString(when.time(), QLocale::ShortFormat);
    if (when.date() == today) {
        return SessionListModel::tr("today %1").arg(time);
    }
    if (when.date() == today.addDays(-1)) {
        return SessionListModel::tr("yesterday %1").arg(time);
    }
    return when.date().year() == today.year()
               ? locale.toString(when.date(), QStringLiteral("d MMM"))
               : when.date().toString(Qt::ISODate);
}

bool SessionListModel::setSessions(std::vector<SessionListItem> sessions) {
    const auto sameId = [](const SessionListItem& a, const SessionListItem& b) {
        return a.id == b.id;
    };
    if (!std::equal(sessions.begin(), sessions.end(), m_sessions.begin(), m_sessions.end(),
                    sameId)) {
        beginResetModel();
        m_sessions = std::move(sessions);
        endResetModel();
        return true;
    }
    for (std::size_t i = 0; i < sessions.size(); ++i) {
        if (sessions[i] != m_sessions[i]) {
            m_sessions[i] = std::move(sessions[i]);
            const QModelIndex changed = index(static_cast<int>(i));
            Q_EMIT dataChanged(changed, changed);
        }
    }
    return false;
}

const SessionListItem* SessionListModel::at(const QModelIndex& index) const {
    const auto row = static_cast<std::size_t>(index.row());
    return index.isValid() && row < m_sessions.size() ? &m_sessions[row] : nullptr;
}

int SessionListModel::rowOf(std::int64_t session) const {
    const auto found =
        std::find_if(m_sessions.begin(), m_sessions.end(),
                     [session](const SessionListItem& item) { return item.id == session; });
    return found == m_sessions.end() ? -1 : static_cast<int>(found - m_sessions.begin());
}

QString SessionListModel::details(const SessionListItem& session, std::int64_t nowMs) {
    QStringList details{whenText(session.updatedMs, nowMs)};
    if (session.tokens > 0) {  // counted when an answer ends
        details.append(tr("%1 tokens").arg(integerText(session.tokens)));
    }
    if (session.branch) {
        details.append(tr("branch"));
    }
    details.append(visibleText(session.model));
    return details.join(QStringLiteral(" · "));
}

int SessionListModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(m_sessions.size());
}

QVariant SessionListModel::data(const QModelIndex& index, int role) const {
    const SessionListItem* session = at(index);
    if (session == nullptr) {
        return {};
    }
    switch (role) {
        case Qt::DisplayRole:
            return visibleText(session->title);
        case Qt::EditRole:
            return session->title;
        case Qt::ToolTipRole: {
            QString text =
                session->title + u'\n' + details(*session, QDateTime::currentMSecsSinceEpoch());
            if (!session->tags.isEmpty()) {
                text += u'\n' + session->tags.join(QStringLiteral(", "));
            }
            if (!session->deleted) {
                text += u'\n' + tr("Ctrl+Enter or middle click: in a window of its own");
            }
            return plainToolTip(text);
        }
        case Qt::AccessibleDescriptionRole:
            return details(*session, QDateTime::currentMSecsSinceEpoch());
        default:
            return {};
    }
}

Qt::ItemFlags SessionListModel::flags(const QModelIndex& index) const {
    const SessionListItem* session = at(index);
    Qt::ItemFlags flags = Qt::ItemIsSelectable | Qt::ItemIsEnabled | Qt::ItemNeverHasChildren;
    if (session != nullptr && !session->deleted) {
        flags |= Qt::ItemIsEditable;
    }
    return flags;
}

bool SessionListModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    const QString title = value.toString().trimmed();
    if (role != Qt::EditRole || at(index) == nullptr || title.isEmpty()) {
        return false;
    }
    SessionListItem& session = m_sessions[static_cast<std::size_t>(index.row())];
    if (session.title != title) {
        session.title = title;
        Q_EMIT dataChanged(index, index);
        Q_EMIT renamed(session.id, title);
    }
    return true;
}

}  // namespace gatescope
