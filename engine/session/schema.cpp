// SPDX-License-Identifier: Apache-2.0
#include "engine/session/schema.h"

#include <array>
#include <string>

namespace gatescope {

namespace {

// The meaning of every column is in docs/session-schema.md. Rows of a few dozen bytes live in
// WITHOUT ROWID tables, which keeps an answer's rows together; rows with large blobs do not.
constexpr const char* kSessionsAndTurns = R"sql(
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    title TEXT NOT NULL,
    model_name TEXT NOT NULL,
    model_path TEXT NOT NULL,
    model_fingerprint TEXT NOT NULL,
    config_json TEXT NOT NULL,
    device TEXT NOT NULL,
    precision TEXT NOT NULL,
    shape_json TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_update ON sessions (updated_ms);

CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    turn INTEGER NOT NULL CHECK (turn >= 0),
    role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant')),
    text TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    replaced INTEGER NOT NULL DEFAULT 0 CHECK (replaced IN (0, 1)),
    UNIQUE (session, turn)
) STRICT;

CREATE VIRTUAL TABLE turns_fts USING fts5 (
    text, content = 'turns', content_rowid = 'id', tokenize = 'trigram'
);
CREATE TRIGGER turns_inserted AFTER INSERT ON turns BEGIN
    INSERT INTO turns_fts (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER turns_deleted AFTER DELETE ON turns BEGIN
    INSERT INTO turns_fts (turns_fts, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER turns_updated AFTER UPDATE OF text ON turns BEGIN
    INSERT INTO turns_fts (turns_fts, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO turns_fts (rowid, text) VALUES (new.id, new.text);
END;
)sql";

constexpr const char* kAnswers = R"sql(
CREATE TABLE answers (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    finish TEXT,
    settings_json TEXT NOT NULL,
    seed INTEGER NOT NULL,
    temperature REAL,
    speculate TEXT NOT NULL,
    dropped_messages INTEGER NOT NULL,
    prompt_ids BLOB,
    ids BLOB,
    result_json TEXT,
    PRIMARY KEY (session, turn),
    FOREIGN KEY (session, turn) REFERENCES turns (session, turn) ON DELETE CASCADE
) STRICT;
CREATE INDEX answers_unfinished ON answers (session, turn) WHERE finish IS NULL;

CREATE TABLE tokens (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    probability REAL,
    raw_probability REAL,
    alternatives BLOB,
    draft TEXT NOT NULL CHECK (draft IN ('none', 'accepted', 'rejected')),
    rejected_draft_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    PRIMARY KEY (session, turn, seq),
    FOREIGN KEY (session, turn) REFERENCES answers (session, turn) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kSteps = R"sql(
CREATE TABLE steps (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    step INTEGER NOT NULL,
    forward_ns INTEGER NOT NULL,
    draft_ns INTEGER NOT NULL,
    sample_ns INTEGER NOT NULL,
    recorder_ns INTEGER NOT NULL,
    cache_positions INTEGER NOT NULL,
    cache_bytes_per_position INTEGER NOT NULL,
    cache_used INTEGER NOT NULL,
    cache_reserved INTEGER NOT NULL,
    cache_mtp_positions INTEGER NOT NULL,
    cache_mtp_used INTEGER NOT NULL,
    cache_mtp_reserved INTEGER NOT NULL,
    cache_mtp_bytes_per_position INTEGER NOT NULL,
    cache_expanded_bytes_per_position INTEGER NOT NULL,
    cache_max_positions INTEGER NOT NULL,
    cache_dtype TEXT NOT NULL,
    PRIMARY KEY (session, turn, seq),
    FOREIGN KEY (session, turn) REFERENCES answers (session, turn) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE drafts (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    draft_id INTEGER NOT NULL,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    draft_probability REAL,
    target_probability REAL,
    distinct_experts INTEGER NOT NULL,
    PRIMARY KEY (session, turn, seq),
    FOREIGN KEY (session, turn, seq) REFERENCES steps (session, turn, seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE routing (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    mtp INTEGER NOT NULL CHECK (mtp IN (0, 1)),
    idx INTEGER NOT NULL,
    position INTEGER NOT NULL,
    token_id INTEGER NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('prefill', 'decode', 'draft', 'rejected')),
    special INTEGER NOT NULL CHECK (special IN (0, 1)),
    routing BLOB NOT NULL,
    PRIMARY KEY (session, turn, seq, mtp, idx),
    FOREIGN KEY (session, turn, seq) REFERENCES steps (session, turn, seq) ON DELETE CASCADE
) STRICT;
)sql";

void createFirstVersion(SQLite::Database& database) {
    database.exec(kSessionsAndTurns);
    database.exec(kAnswers);
    database.exec(kSteps);
}

// A table's CHECK cannot be changed in place: it is made anew under its name. Nothing refers to
// tokens or drafts.
constexpr const char* kTokensWithBonus = R"sql(
CREATE TABLE tokens_2 (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    id INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    probability REAL,
    raw_probability REAL,
    alternatives BLOB,
    draft TEXT NOT NULL CHECK (draft IN ('none', 'accepted', 'rejected', 'bonus')),
    rejected_draft_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    PRIMARY KEY (session, turn, seq),
    FOREIGN KEY (session, turn) REFERENCES answers (session, turn) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO tokens_2 SELECT session, turn, seq, position, id, bytes, probability, raw_probability,
    alternatives, draft, rejected_draft_id, step FROM tokens;
DROP TABLE tokens;
ALTER TABLE tokens_2 RENAME TO tokens;
)sql";

// Version 1 had one row in `drafts` for each verify step: the MTP module drafted one token.
constexpr const char* kVerifySteps = R"sql(
CREATE TABLE verify_steps (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('mtp', 'lookup')),
    drafted INTEGER NOT NULL CHECK (drafted >= 0),
    accepted INTEGER NOT NULL CHECK (accepted BETWEEN 0 AND drafted),
    match_length INTEGER NOT NULL CHECK (match_length >= 0),
    distinct_experts INTEGER,
    wasted_experts INTEGER,
    distinct_by_layer BLOB,
    wasted_by_layer BLOB,
    PRIMARY KEY (session, turn, seq),
    FOREIGN KEY (session, turn, seq) REFERENCES steps (session, turn, seq) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO verify_steps SELECT session, turn, seq, 'mtp', 1, accepted, 0,
    nullif(distinct_experts, 0), NULL, NULL, NULL FROM drafts;

CREATE TABLE drafts_2 (
    session INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    idx INTEGER NOT NULL CHECK (idx >= 0),
    id INTEGER NOT NULL,
    accepted INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    draft_probability REAL,
    target_probability REAL,
    PRIMARY KEY (session, turn, seq, idx),
    FOREIGN KEY (session, turn, seq) REFERENCES verify_steps (session, turn, seq)
        ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO drafts_2 SELECT session, turn, seq, 0, draft_id, accepted, draft_probability,
    target_probability FROM drafts;
DROP TABLE drafts;
ALTER TABLE drafts_2 RENAME TO drafts;
)sql";

void addManyDrafts(SQLite::Database& database) {
    database.exec(kTokensWithBonus);
    database.exec(kVerifySteps);
}

// A branch keeps the number of the session it came from when that one is deleted: no reference.
constexpr const char* kBrowserColumns = R"sql(
ALTER TABLE sessions ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1));
ALTER TABLE sessions ADD COLUMN deleted_ms INTEGER;
ALTER TABLE sessions ADD COLUMN branched_from_session INTEGER;
ALTER TABLE sessions ADD COLUMN branched_from_turn INTEGER;
ALTER TABLE sessions ADD COLUMN branched_from_seq INTEGER;
ALTER TABLE sessions ADD COLUMN turn_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN token_count INTEGER NOT NULL DEFAULT 0;
UPDATE sessions SET
    turn_count = (SELECT count(*) FROM turns t WHERE t.session = sessions.id AND t.replaced = 0),
    token_count = (SELECT coalesce(sum(length(a.ids) / 4), 0) FROM answers a
        WHERE a.session = sessions.id);
ALTER TABLE answers ADD COLUMN given_tokens INTEGER NOT NULL DEFAULT 0;

CREATE TABLE session_tags (
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (session, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_tags_by_tag ON session_tags (tag, session);
)sql";

// The list of thousands of sessions reads this index alone: their rows are long, with the whole
// configuration of the model in each. For the same reason the counts are kept and not counted.
constexpr const char* kListedSessions = R"sql(
DROP INDEX sessions_by_update;
CREATE INDEX sessions_listed ON sessions (updated_ms, pinned, deleted_ms, created_ms, title,
    model_name, turn_count, token_count, branched_from_session, branched_from_turn,
    branched_from_seq);

CREATE TRIGGER turns_counted_in AFTER INSERT ON turns WHEN new.replaced = 0 BEGIN
    UPDATE sessions SET turn_count = turn_count + 1 WHERE id = new.session;
END;
CREATE TRIGGER turns_counted_again AFTER UPDATE OF replaced ON turns BEGIN
    UPDATE sessions SET turn_count = turn_count + old.replaced - new.replaced
    WHERE id = new.session;
END;
CREATE TRIGGER turns_counted_out AFTER DELETE ON turns WHEN old.replaced = 0 BEGIN
    UPDATE sessions SET turn_count = turn_count - 1 WHERE id = old.session;
END;
CREATE TRIGGER answers_counted_in AFTER INSERT ON answers WHEN new.ids IS NOT NULL BEGIN
    UPDATE sessions SET token_count = token_count + length(new.ids) / 4 WHERE id = new.session;
END;
CREATE TRIGGER answers_counted_again AFTER UPDATE OF ids ON answers BEGIN
    UPDATE sessions SET token_count = token_count + coalesce(length(new.ids), 0) / 4
        - coalesce(length(old.ids), 0) / 4 WHERE id = new.session;
END;
CREATE TRIGGER answers_counted_out AFTER DELETE ON answers WHEN old.ids IS NOT NULL BEGIN
    UPDATE sessions SET token_count = token_count - length(old.ids) / 4 WHERE id = old.session;
END;
)sql";

// One or two characters, a word in Chinese, are found by the trigrams that begin with them, and
// where no trigram begins, at the end of a text, here.
constexpr const char* kEndsOfTexts = R"sql(
CREATE INDEX turns_by_end ON turns (substr(text, -2));
CREATE INDEX turns_by_last ON turns (substr(text, -1));
)sql";

void addBrowsing(SQLite::Database& database) {
    database.exec(kBrowserColumns);
    database.exec(kListedSessions);
    database.exec(kEndsOfTexts);
}

constexpr std::array<Migration, 3> kMigrations = {
    {{1, createFirstVersion}, {2, addManyDrafts}, {3, addBrowsing}}};

}  // namespace

std::span<const Migration> sessionMigrations() {
    return kMigrations;
}

int sessionSchemaVersion() {
    return kMigrations.back().version;
}

void migrate(SQLite::Database& database, std::span<const Migration> migrations) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    // Read inside the transaction: another program may just have done the work.
    const int before = database.execAndGet("PRAGMA user_version").getInt();
    if (before == 0) {
        database.exec("PRAGMA application_id = " + std::to_string(kSessionApplicationId));
    }
    for (const Migration& migration : migrations) {
        if (migration.version > before) {
            migration.apply(database);
            database.exec("PRAGMA user_version = " + std::to_string(migration.version));
        }
    }
    transaction.commit();
}

}  // namespace gatescope
