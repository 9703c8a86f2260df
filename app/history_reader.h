// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThread>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "engine/session/session_index.h"
#include "engine/session/session_store.h"

namespace gatescope {

/// Reads the session file in a thread of its own, so that neither the window nor a running answer
/// waits for the disk.
class HistoryReader final : public QObject {
    Q_OBJECT

  public:
    explicit HistoryReader(const std::filesystem::path& file, QObject* parent = nullptr);
    ~HistoryReader() override;

    /// What list() asks for from now on.
    void setQuery(const SessionQuery& query) { m_query = query; }
    /// Answers with listed(). Calls made while one waits are one more call, with the newest query.
    void list();
    /// A part of a session, all of it if it is short. Answers with loaded() or loadFailed().
    void load(std::int64_t session, const PartRequest& part = {});

  Q_SIGNALS:
    void listed(std::shared_ptr<const std::vector<gatescope::SessionSummary>> sessions);
    /// Every session that is not deleted, whatever the query is, and what they can be picked by.
    void allListed(std::shared_ptr<const std::vector<gatescope::SessionSummary>> sessions,
                   const gatescope::SessionFacets& facets);
    void loaded(std::shared_ptr<const gatescope::StoredSession> session);
    void listFailed(const QString& error);
    void loadFailed(const QString& error);

  private:
    class Worker;
    struct Listing;

    static Listing listing(const SessionStore& store, const SessionQuery& query);
    void onListed(const std::shared_ptr<const Listing>& listing, const QString& error);

    QThread m_thread;
    Worker* m_worker;
    SessionQuery m_query;
    bool m_listing = false;
    bool m_again = false;  ///< list() was called while one waited
};

}  // namespace gatescope
