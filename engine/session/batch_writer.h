// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/session/log_entry.h"

namespace gatescope {

/// Puts log entries into the tables. One object, one connection, one thread.
class BatchWriter {
  public:
    /// The connection must outlive the writer.
    explicit BatchWriter(SQLite::Database& database);

    /// Writes all entries in one transaction. Throws SQLite::Exception if that cannot be done now;
    /// nothing of the batch is then in the file and the same batch may be tried again.
    ///
    /// Returns one sentence for each entry that the file's own rules refuse for ever (its session
    /// was deleted by another program): those are left out, as waiting would not help them.
    std::vector<std::string> write(const std::vector<LogEntry>& entries);

  private:
    using TurnKey = std::pair<std::int64_t, int>;
    struct Counters {
        std::int64_t tokens = 0;  ///< the next token's seq
        std::int64_t steps = 0;   ///< the next step's seq
    };

    void apply(const LogEntry& entry);
    void add(const LogEntry& entry, const TitleEntry& title);
    void add(const LogEntry& entry, const UserTurnEntry& user);
    void add(const LogEntry& entry, const AnswerEntry& answer);
    void add(const LogEntry& entry, const PromptEntry& prompt);
    void add(const LogEntry& entry, const TokenEntry& token);
    void add(const LogEntry& entry, const StepEntry& step);
    void add(const LogEntry& entry, const EndEntry& end);
    void add(const LogEntry& entry, const ReplaceEntry& replace);
    void add(const LogEntry& entry, const TagsEntry& tags);
    void add(const LogEntry& entry, const PinEntry& pin);
    void add(const LogEntry& entry, const DeleteEntry& remove);

    void insertTurn(const LogEntry& entry, const std::string& role, const std::string& text);
    void insertSpeculation(const LogEntry& entry, std::int64_t seq, const SpeculativeStep& step);
    void insertRouting(const LogEntry& entry, std::int64_t seq, const std::vector<RoutedToken>& of,
                       bool mtp);
    int storedTurn(const LogEntry& entry) const;
    Counters& counters(const LogEntry& entry);
    std::int64_t nextSeq(SQLite::Statement& statement, const LogEntry& entry) const;

    SQLite::Database& m_database;
    SQLite::Statement m_setTitle;
    SQLite::Statement m_setPinned;
    SQLite::Statement m_setDeleted;
    SQLite::Statement m_addTag;
    SQLite::Statement m_removeTag;
    SQLite::Statement m_removeTags;
    SQLite::Statement m_touch;
    SQLite::Statement m_freeTurn;
    SQLite::Statement m_insertTurn;
    SQLite::Statement m_insertAnswer;
    SQLite::Statement m_setPrompt;
    SQLite::Statement m_insertToken;
    SQLite::Statement m_insertStep;
    SQLite::Statement m_insertVerifyStep;
    SQLite::Statement m_insertDraft;
    SQLite::Statement m_insertRouting;
    SQLite::Statement m_endAnswer;
    SQLite::Statement m_setText;
    SQLite::Statement m_replace;
    SQLite::Statement m_nextToken;
    SQLite::Statement m_nextStep;

    /// Where a turn's number was taken by another program in the meantime: the number it got.
    std::map<TurnKey, int> m_renumbered;
    std::map<TurnKey, Counters> m_counters;  ///< of answers that are being written
};

}  // namespace gatescope
