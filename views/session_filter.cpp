// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/session_filter.h"

#include <QActionGroup>
#include <QDateTime>

#include "views/formats.h"

namespace gatescope {
namespace {

QString menuText(const QString& text) {
    QString shown = visibleText(text);
    return shown.replace(u'&', QStringLiteral("&&"));
}

}  // namespace

SessionFilter::SessionFilter(QWidget* parent) : QToolButton(parent), m_menu(this) {
    setText(QStringLiteral("▾"));
    setToolTip(tr("Filter by model, tag and date"));
    setAccessibleName(tr("Filter"));
    setAutoRaise(true);
    setCheckable(true);
    m_menu.setToolTipsVisible(true);
    connect(this, &QToolButton::clicked, this, [this] {
        setChecked(isActive());
        fill();
        m_menu.popup(mapToGlobal(rect().bottomLeft()));
    });
}

SessionQuery SessionFilter::query() const {
    SessionQuery query;
    query.tag = m_tag;
    query.model = m_model;
    query.pinnedOnly = m_pinnedOnly;
    query.deleted = m_deleted;
    const QDate today = QDate::currentDate();
    QDate from;
    switch (m_when) {
        case When::Any:
            return query;
        case When::Today:
            from = today;
            break;
        case When::Week:
            from = today.addDays(-6);
            break;
        case When::Month:
            from = today.addDays(-29);
            break;
        case When::Year:
            from = QDate(today.year(), 1, 1);
            break;
    }
    query.fromMs = from.startOfDay().toMSecsSinceEpoch();
    return query;
}

bool SessionFilter::isActive() const {
    return !m_tag.empty() || !m_model.empty() || m_when != When::Any || m_pinnedOnly || m_deleted;
}

QString SessionFilter::whenName(When when) {
    switch (when) {
        case When::Any:
            return tr("Any time");
        case When::Today:
            return tr("Today");
        case When::Week:
            return tr("Last 7 days");
        case When::Month:
            return tr("Last 30 days");
        case When::Year:
            return tr("This year");
    }
    return {};
}

QString SessionFilter::description() const {
    QStringList parts;
    if (m_deleted) {
        parts.append(tr("Deleted"));
    }
    if (m_pinnedOnly) {
        parts.append(tr("Pinned"));
    }
    if (!m_tag.empty()) {
        parts.append(tr("Tag %1").arg(visibleText(QString::fromStdString(m_tag))));
    }
    if (!m_model.empty()) {
        parts.append(visibleText(QString::fromStdString(m_model)));
    }
    if (m_when != When::Any) {
        parts.append(whenName(m_when));
    }
    return parts.join(QStringLiteral(" · "));
}

void SessionFilter::clear() {
    m_tag.clear();
    m_model.clear();
    m_when = When::Any;
    m_pinnedOnly = false;
    m_deleted = false;
    apply();
}

void SessionFilter::setTag(const std::string& tag) {
    m_tag = tag;
    apply();
}

void SessionFilter::setModel(const std::string& model) {
    m_model = model;
    apply();
}

void SessionFilter::setWhen(When when) {
    m_when = when;
    apply();
}

void SessionFilter::setPinnedOnly(bool on) {
    m_pinnedOnly = on;
    apply();
}

void SessionFilter::setDeleted(bool on) {
    m_deleted = on;
    apply();
}

void SessionFilter::apply() {
    setChecked(isActive());
    Q_EMIT changed();
}

void SessionFilter::fill() {
    m_menu.clear();
    addChoices(tr("Model"), m_facets.models, m_model);
    addChoices(tr("Tag"), m_facets.tags, m_tag);
    addTimes();
    m_menu.addSeparator();
    const auto toggle = [this](const QString& text, bool on, auto set) {
        QAction* action = m_menu.addAction(text);
        action->setCheckable(true);
        action->setChecked(on);
        connect(action, &QAction::triggered, this, set);
    };
    toggle(tr("Pinned only"), m_pinnedOnly, &SessionFilter::setPinnedOnly);
    toggle(m_facets.deleted > 0 ? tr("Deleted (%1)").arg(integerText(m_facets.deleted))
                                : tr("Deleted"),
           m_deleted, &SessionFilter::setDeleted);
    m_menu.addSeparator();
    m_menu.addAction(tr("Show all"), this, &SessionFilter::clear)->setEnabled(isActive());
}

void SessionFilter::addChoices(const QString& title,
                               const std::vector<SessionFacets::Count>& choices,
                               std::string& chosen) {
    QMenu* menu = m_menu.addMenu(title);
    auto* group = new QActionGroup(menu);
    const auto add = [&](const QString& text, const std::string& value) {
        QAction* action = menu->addAction(text);
        action->setCheckable(true);
        action->setChecked(chosen == value);
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, &chosen, value] {
            chosen = value;
            apply();
        });
    };
    add(tr("Any"), {});
    for (const SessionFacets::Count& choice : choices) {
        add(tr("%1 (%2)").arg(menuText(QString::fromStdString(choice.name)),
                              integerText(choice.sessions)),
            choice.name);
    }
    menu->setEnabled(!choices.empty() || !chosen.empty());
}

void SessionFilter::addTimes() {
    QMenu* menu = m_menu.addMenu(tr("Last used"));
    auto* group = new QActionGroup(menu);
    for (const When when : {When::Any, When::Today, When::Week, When::Month, When::Year}) {
        QAction* action = menu->addAction(whenName(when));
        action->setCheckable(true);
        action->setChecked(m_when == when);
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, when] { setWhen(when); });
    }
}

}  // namespace gatescope
