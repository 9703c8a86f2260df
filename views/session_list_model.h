// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractListModel>
#include <QString>
#include <QStringList>
#include <cstdint>
#include <vector>

namespace gatescope {

/// One line of the list.
struct SessionListItem {
    std::int64_t id = 0;
    QString title;
    QString model;
    std::int64_t updatedMs = 0;  ///< Unix time in milliseconds
    std::int64_t tokens = 0;     ///< generated
    bool pinned = false;
    bool deleted = false;
    bool branch = false;  ///< branched from another session
    QStringList tags;
    QString snippet;     ///< of the message that a search found; empty: none
    int matchBegin = 0;  ///< of the text searched for, in the snippet
    int matchLength = 0;

    bool operator==(const SessionListItem&) const = default;
};

/// "today 18:52", "yesterday 9:05", "14 Oct", "2025-10-14".
QString whenText(std::int64_t unixMs, std::int64_t nowMs);

/// The sessions as a list: thousands of them cost no more than their values.
class SessionListModel final : public QAbstractListModel {
    Q_OBJECT

  public:
    using QAbstractListModel::QAbstractListModel;

    /// Rows whose values changed are updated in place; true: the rows are others than before, and
    /// what the view had selected is gone.
    bool setSessions(std::vector<SessionListItem> sessions);
    const std::vector<SessionListItem>& sessions() const { return m_sessions; }
    const SessionListItem* at(const QModelIndex& index) const;
    /// -1: not in the list.
    int rowOf(std::int64_t session) const;
    /// Time, tokens and model of a line.
    static QString details(const SessionListItem& session, std::int64_t nowMs);

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;

  Q_SIGNALS:
    /// A title was edited; it is shown until setSessions() says otherwise.
    void renamed(std::int64_t session, const QString& title);

  private:
    std::vector<SessionListItem> m_sessions;
};

}  // namespace gatescope
