// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <cstdint>
#include <optional>
#include <vector>

namespace gatescope {

/// What the person points at. Every part may be unset.
struct SelectionPoint {
    std::optional<std::int64_t> session;
    std::optional<std::int32_t> position;  ///< token position in the context
    std::optional<int> layer;              ///< absolute index, the MTP layer included
    std::optional<int> expert;

    bool operator==(const SelectionPoint&) const = default;
};

/// The one selection all views share, with a history like a browser's. Setters that change nothing
/// emit nothing and leave the history alone.
class Selection final : public QObject {
    Q_OBJECT

  public:
    explicit Selection(QObject* parent = nullptr);

    const SelectionPoint& current() const { return m_history[m_index]; }
    std::optional<std::int64_t> session() const { return current().session; }
    std::optional<std::int32_t> position() const { return current().position; }
    std::optional<int> layer() const { return current().layer; }
    std::optional<int> expert() const { return current().expert; }

    void set(const SelectionPoint& point);
    /// Another session also clears the position: positions belong to one session.
    void setSession(std::optional<std::int64_t> session);
    void setPosition(std::optional<std::int32_t> position);
    void setLayer(std::optional<int> layer);
    void setExpert(std::optional<int> expert);
    void setCell(std::optional<int> layer, std::optional<int> expert);
    void clear() { set({}); }

    /// Changes the current point without a new step in the history: for a selection that follows
    /// the newest token while an answer streams.
    void replace(const SelectionPoint& point);
    /// Forgets everything, e.g. when another model is opened. Emits changed() if anything was set.
    void reset();

    bool canGoBack() const { return m_index > 0; }
    bool canGoForward() const { return m_index + 1 < m_history.size(); }

  public Q_SLOTS:
    void back();
    void forward();

  Q_SIGNALS:
    void changed();
    /// canGoBack() or canGoForward() may have changed.
    void historyChanged();

  private:
    void goTo(std::size_t index);

    std::vector<SelectionPoint> m_history{SelectionPoint{}};  ///< never empty
    std::size_t m_index = 0;
};

}  // namespace gatescope
