// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/history_reader.h"

#include <exception>
#include <utility>

#include "engine/session/session_pages.h"

namespace gatescope {

/// Lives in the reader's thread; opens the file for each question, which is cheap and leaves no
/// connection behind that would hold back the writer's checkpoint.
class HistoryReader::Worker final : public QObject {
  public:
    explicit Worker(std::filesystem::path file) : m_file(std::move(file)) {}

    template <typename Result, typename Reader = SessionStore, typename Work>
    std::shared_ptr<const Result> ask(Work work, QString& error) const {
        try {
            const Reader store(m_file);
            return std::make_shared<const Result>(work(store));
        } catch (const std::exception& failure) {
            error = QString::fromUtf8(failure.what());
            return nullptr;
        }
    }

  private:
    std::filesystem::path m_file;
};

HistoryReader::HistoryReader(const std::filesystem::path& file, QObject* parent)
    : QObject(parent), m_worker(new Worker(file)) {
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(QStringLiteral("history"));
    m_thread.start();
}

HistoryReader::~HistoryReader() {
    m_thread.quit();
    m_thread.wait();
}

struct HistoryReader::Listing {
    std::shared_ptr<const std::vector<SessionSummary>> found;
    std::shared_ptr<const std::vector<SessionSummary>> all;
    SessionFacets facets;
};

HistoryReader::Listing HistoryReader::listing(const SessionStore& store,
                                              const SessionQuery& query) {
    Listing out;
    out.all = std::make_shared<const std::vector<SessionSummary>>(store.list());
    out.found = query == SessionQuery()
                    ? out.all
                    : std::make_shared<const std::vector<SessionSummary>>(store.list(query));
    out.facets = store.facets();
    return out;
}

void HistoryReader::list() {
    if (std::exchange(m_listing, true)) {
        m_again = true;
        return;
    }
    QMetaObject::invokeMethod(
        m_worker,
        [this, worker = m_worker, query = m_query] {
            QString error;
            const auto listed = worker->ask<Listing, SessionStore>(
                [&query](const SessionStore& store) { return listing(store, query); }, error);
            QMetaObject::invokeMethod(
                this, [this, listed, error] { onListed(listed, error); }, Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
}

void HistoryReader::onListed(const std::shared_ptr<const Listing>& listing, const QString& error) {
    m_listing = false;
    if (listing != nullptr) {
        Q_EMIT allListed(listing->all, listing->facets);
        Q_EMIT listed(listing->found);
    } else {
        Q_EMIT listFailed(error);
    }
    if (std::exchange(m_again, false)) {
        list();
    }
}

void HistoryReader::load(std::int64_t session, const PartRequest& part) {
    QMetaObject::invokeMethod(
        m_worker,
        [this, worker = m_worker, session, part] {
            QString error;
            const auto stored = worker->ask<StoredSession, SessionPages>(
                [session, &part](const SessionPages& pages) { return pages.load(session, part); },
                error);
            QMetaObject::invokeMethod(
                this,
                [this, stored, error] {
                    if (stored != nullptr) {
                        Q_EMIT loaded(stored);
                    } else {
                        Q_EMIT loadFailed(error);
                    }
                },
                Qt::QueuedConnection);
        },
        Qt::QueuedConnection);
}

}  // namespace gatescope
