// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/selection.h"

namespace gatescope {

namespace {
constexpr std::size_t kHistoryLimit = 200;
}

Selection::Selection(QObject* parent) : QObject(parent) {}

void Selection::set(const SelectionPoint& point) {
    if (point == current()) {
        return;
    }
    m_history.resize(m_index + 1);  // a new step forgets what was ahead, as in a browser
    m_history.push_back(point);
    if (m_history.size() > kHistoryLimit) {
        m_history.erase(m_history.begin());
    }
    m_index = m_history.size() - 1;
    Q_EMIT changed();
    Q_EMIT historyChanged();
}

void Selection::setSession(std::optional<std::int64_t> session) {
    SelectionPoint point = current();
    if (point.session != session) {
        point.session = session;
        point.position.reset();
        set(point);
    }
}

void Selection::setPosition(std::optional<std::int32_t> position) {
    SelectionPoint point = current();
    point.position = position;
    set(point);
}

void Selection::setLayer(std::optional<int> layer) {
    SelectionPoint point = current();
    point.layer = layer;
    set(point);
}

void Selection::setExpert(std::optional<int> expert) {
    SelectionPoint point = current();
    point.expert = expert;
    set(point);
}

void Selection::setCell(std::optional<int> layer, std::optional<int> expert) {
    SelectionPoint point = current();
    point.layer = layer;
    point.expert = expert;
    set(point);
}

void Selection::replace(const SelectionPoint& point) {
    if (point != current()) {
        m_history[m_index] = point;
        Q_EMIT changed();
    }
}

void Selection::reset() {
    const bool anySet = current() != SelectionPoint{};
    m_history.assign(1, SelectionPoint{});
    m_index = 0;
    if (anySet) {
        Q_EMIT changed();
    }
    Q_EMIT historyChanged();
}

void Selection::back() {
    if (canGoBack()) {
        goTo(m_index - 1);
    }
}

void Selection::forward() {
    if (canGoForward()) {
        goTo(m_index + 1);
    }
}

void Selection::goTo(std::size_t index) {
    m_index = index;
    Q_EMIT changed();
    Q_EMIT historyChanged();
}

}  // namespace gatescope
