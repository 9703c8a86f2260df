// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMenu>
#include <QToolButton>

#include "engine/session/session_query.h"

namespace gatescope {

/// The button beside the search box: which model, tag and time, pinned or deleted ones. It says in
/// its menu and by a mark what is on.
class SessionFilter final : public QToolButton {
    Q_OBJECT

  public:
    explicit SessionFilter(QWidget* parent = nullptr);

    void setFacets(const SessionFacets& facets) { m_facets = facets; }
    /// Time of last use.
    enum class When { Any, Today, Week, Month, Year };

    /// The query without its text.
    SessionQuery query() const;
    bool isActive() const;
    /// "tag story · last 7 days"; empty if nothing is on.
    QString description() const;
    void clear();
    void setTag(const std::string& tag);
    void setModel(const std::string& model);
    void setWhen(When when);
    void setPinnedOnly(bool on);
    void setDeleted(bool on);

  Q_SIGNALS:
    void changed();

  private:
    void fill();
    void addChoices(const QString& title, const std::vector<SessionFacets::Count>& choices,
                    std::string& chosen);
    void addTimes();
    void apply();
    static QString whenName(When when);

    QMenu m_menu;
    SessionFacets m_facets;
    std::string m_tag;
    std::string m_model;
    When m_when = When::Any;
    bool m_pinnedOnly = false;
    bool m_deleted = false;
};

}  // namespace gatescope
