// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/session/schema.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SessionInfo titled(const std::string& title, const std::string& model = "demo") {
    SessionInfo info;
    info.title = title;
    info.modelName = model;
    return info;
}

std::vector<std::string> titles(const SessionStore& store, const SessionQuery& query = {}) {
    std::vector<std::string> all;
    for (const SessionSummary& session : store.list(query)) {
        all.push_back(session.title);
    }
    return all;
}

SessionQuery textQuery(const std::string& text) {
    SessionQuery query;
    query.text = text;
    return query;
}

SessionQuery deletedQuery() {
    SessionQuery query;
    query.deleted = true;
    return query;
}

/// Three sessions of one message each, the last one used last.
class SessionEdit : public testing::Test {
  protected:
    void SetUp() override {
        auto log = SessionLog::open(file());
        for (const char* text : {"Tell a story about the sea.", "写一个关于月亮的故事。\n谢谢",
                                 "What is a router\n in a   mixture of Experts?"}) {
            const std::int64_t session = log->beginSession(titled(text, "model A"));
            log->addUserTurn(session, text);
        }
        log.reset();
        SQLite::Database(file().string(), SQLite::OPEN_READWRITE)
            .exec("UPDATE sessions SET updated_ms = 1000 * id");
    }

    std::filesystem::path file() const { return m_folder / "s.db"; }
    SessionStore store() const { return SessionStore(file()); }

    TempFolder m_folder;
};

TEST_F(SessionEdit, EditsOfEarlierSessionsKeepTheirPlace) {
    {
        const auto log = SessionLog::open(file());
        log->setTitle(1, "Sea story");
        log->setTags(1, {" story ", "english", "", "story"});
        log->addTag(1, "kept");
        log->removeTag(1, "english");
        log->setTags(2, {"gone"});
        log->setTags(2, {});
    }
    const auto list = store().list();
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[2].title, "Sea story");
    EXPECT_THAT(list[2].tags, ElementsAre("kept", "story"));
    EXPECT_EQ(list[2].updatedMs, 1000);
    EXPECT_THAT(list[1].tags, IsEmpty());
    EXPECT_EQ(store().load(1).summary, list[2]);
}

TEST_F(SessionEdit, PinnedOnesComeFirst) {
    const auto log = SessionLog::open(file());
    log->setPinned(1, true);
    log->setPinned(2, true);
    log->setPinned(2, false);
    log->flush();
    EXPECT_EQ(store().list().at(0).id, 1);
    EXPECT_TRUE(store().list().at(0).pinned);
    SessionQuery pinned;
    pinned.pinnedOnly = true;
    EXPECT_EQ(store().list(pinned).size(), 1U);
}

TEST_F(SessionEdit, DeletedOnesCanBeRestored) {
    const auto log = SessionLog::open(file());
    log->remove(2);
    log->remove(3);
    log->flush();
    EXPECT_EQ(titles(store()).size(), 1U);
    EXPECT_TRUE(store().search("router").empty());
    EXPECT_EQ(store().list(deletedQuery()).size(), 2U);
    EXPECT_EQ(store().facets().deleted, 2);
    EXPECT_EQ(store().load(3).turns.size(), 1U);  // still there
    EXPECT_TRUE(store().load(3).summary.deletedMs.has_value());
    log->restore(3);
    log->flush();
    EXPECT_EQ(store().search("router").size(), 1U);
    EXPECT_FALSE(store().load(3).summary.deletedMs.has_value());
}

TEST_F(SessionEdit, AnAnswerThatRunsLosesNothingByDeletion) {
    {
        const auto log = SessionLog::open(file());
        const int turn = log->beginAnswer(1, {}, 0);
        log->token(1, turn, numberedToken(0));
        log->remove(1);
        log->token(1, turn, numberedToken(1));
        log->flush();
        EXPECT_TRUE(store().load(1).summary.deletedMs.has_value());
        EXPECT_EQ(store().load(1).turns.at(1).tokens.size(), 2U);
        EXPECT_EQ(store().list(deletedQuery()).at(0).tokens, 2);
        log->endAnswer(1, turn, endOf(2));
        log->addUserTurn(1, "and on");  // who goes on wants to keep it
    }
    EXPECT_FALSE(store().load(1).summary.deletedMs.has_value());
}

TEST_F(SessionEdit, PurgedAfterThirtyDays) {
    {
        const auto log = SessionLog::open(file());
        log->remove(1);
        log->remove(2);
        log->addTag(1, "x");
    }
    SQLite::Database database(file().string(), SQLite::OPEN_READWRITE);
    const std::string earlier = std::to_string(kKeepDeletedMs + 1000);
    database.exec("UPDATE sessions SET deleted_ms = deleted_ms - " + earlier + " WHERE id = 1");
    EXPECT_EQ(SessionStore(file()).list(deletedQuery()).size(), 2U);  // reading purges nothing
    SessionLog::open(file());
    EXPECT_EQ(SessionStore(file()).list(deletedQuery()).size(), 1U);
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM turns WHERE session = 1").getInt(), 0);
    EXPECT_EQ(database.execAndGet("SELECT count(*) FROM session_tags").getInt(), 0);
    EXPECT_EQ(titles(SessionStore(file())).size(), 1U);
    EXPECT_EQ(quickCheck(file()), "ok");
}

TEST_F(SessionEdit, WhatIsNotThereIsReported) {
    std::vector<std::string> errors;
    {
        const auto log = SessionLog::open(file());
        log->onError([&errors](const std::string& error) { errors.push_back(error); });
        log->setPinned(77, true);
        log->addTag(78, "x");
        log->addTag(1, "kept");
        log->flush();
    }
    ASSERT_EQ(errors.size(), 2U);
    EXPECT_THAT(errors[0], HasSubstr("session 77: it could not be changed: there is no such"));
    EXPECT_THAT(errors[1], HasSubstr("session 78: it could not be changed"));
    EXPECT_THAT(store().load(1).summary.tags, ElementsAre("kept"));
}

TEST_F(SessionEdit, SearchFindsChineseOfAnyLength) {
    for (const char* text : {"月", "月亮", "故事", "写一", "写", "谢", "谢谢", "关于月亮"}) {
        const auto found = store().search(text);
        ASSERT_EQ(found.size(), 1U) << text;
        EXPECT_EQ(found[0].id, 2);
        const SessionSnippet& snippet = found[0].snippet;
        EXPECT_EQ(snippet.turn, 0);
        EXPECT_EQ(snippet.text.substr(snippet.matchBegin, snippet.matchLength), text);
    }
    EXPECT_EQ(store().search("月亮")[0].snippet.text, "写一个关于月亮的故事。 谢谢");
    EXPECT_EQ(store().search("谢谢")[0].snippet.text, "…于月亮的故事。 谢谢");
    EXPECT_THAT(store().search("亮月"), IsEmpty());
    EXPECT_THAT(store().search("太"), IsEmpty());
}

TEST_F(SessionEdit, SearchFindsShortWordsInAnyCase) {
    for (const char* text : {"s", "S?", "s?", "?", "WH", "Ro", "of E", "EXPERTS"}) {
        const auto found = store().search(text);
        ASSERT_FALSE(found.empty()) << text;
        EXPECT_EQ(found[0].id, 3) << text;
    }
    EXPECT_EQ(store().search("ou").size(), 2U);  // ab[ou]t, r[ou]ter
    EXPECT_THAT(store().search("zq"), IsEmpty());
    EXPECT_THAT(store().search("%"), IsEmpty());
    EXPECT_THAT(store().search("__"), IsEmpty());
    EXPECT_EQ(store().search("router").at(0).snippet.text,
              "What is a router in a mixture of Experts?");
}

TEST_F(SessionEdit, TitlesAndTagsAreSearched) {
    const auto log = SessionLog::open(file());
    log->setTitle(1, "Nautical");
    log->addTag(3, "Lehre");
    log->flush();
    EXPECT_EQ(store().search("naut").at(0).id, 1);
    EXPECT_EQ(store().search("naut").at(0).snippet.turn, -1);
    EXPECT_EQ(store().search("lehr").at(0).id, 3);
    EXPECT_EQ(store().search("le").at(0).id, 3);
}

TEST_F(SessionEdit, Filters) {
    {
        const auto log = SessionLog::open(file());
        const std::int64_t other = log->beginSession(titled("other", "model B"));
        log->setTags(other, {"story"});
        log->setTags(1, {"story"});
        log->addUserTurn(other, "the sea again");
    }
    SQLite::Database(file().string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE sessions SET updated_ms = 1000 * id");
    const auto ids = [this](const SessionQuery& query) {
        std::vector<std::int64_t> found;
        for (const SessionSummary& session : store().list(query)) found.push_back(session.id);
        return found;
    };
    SessionQuery query;
    query.tag = "story";
    EXPECT_THAT(ids(query), ElementsAre(4, 1));
    query.model = "model B";
    EXPECT_THAT(ids(query), ElementsAre(4));
    query.tag.clear();
    query.model.clear();
    query.fromMs = 2000;
    query.toMs = 4000;
    EXPECT_THAT(ids(query), ElementsAre(3, 2));
    query = textQuery("sea");
    EXPECT_THAT(ids(query), ElementsAre(4, 1));
    query.limit = 1;
    EXPECT_THAT(ids(query), ElementsAre(4));
    query.text.clear();
    query.limit = 2;
    EXPECT_THAT(ids(query), ElementsAre(4, 3));
    const SessionFacets facets = store().facets();
    EXPECT_THAT(facets.tags, ElementsAre(SessionFacets::Count{"story", 2}));
    EXPECT_THAT(facets.models, ElementsAre(SessionFacets::Count{"model A", 3},
                                           SessionFacets::Count{"model B", 1}));
}

/// Every query has the answer of a look at all texts, however short the text and long the list.
TEST_F(SessionEdit, SearchAgreesWithLooking) {
    Arbitrary arbitrary(5);
    const std::vector<std::string> letters = {"a", "B", "é", "月", "亮", " ", "\n", "%", "\""};
    const auto word = [&](std::uint32_t length) {
        std::string text;
        for (std::uint32_t i = 0; i < length; ++i) {
            text += letters[arbitrary.below(static_cast<std::uint32_t>(letters.size()))];
        }
        return text;
    };
    std::vector<std::string> texts;
    {
        const auto log = SessionLog::open(file());
        for (int i = 0; i < 40; ++i) {
            texts.push_back(word(arbitrary.below(7)));
            log->addUserTurn(log->beginSession(titled("")), texts.back());
        }
    }
    const SessionStore reader = store();
    for (int i = 0; i < 60; ++i) {
        std::string wanted = word(1 + arbitrary.below(4));
        std::size_t expected = 0;
        for (const std::string& text : texts) {
            const auto lower = [](std::string s) {
                for (char& c : s) c = c == 'B' ? 'b' : c;
                return s;
            };
            expected += lower(text).find(lower(wanted)) != std::string::npos ? 1 : 0;
        }
        std::size_t found = 0;
        for (const SessionSummary& session : reader.search(wanted)) {
            found += session.id > 3 ? 1 : 0;
        }
        EXPECT_EQ(found, expected) << '"' << wanted << '"';
    }
}

/// A file of the second version, which nobody may migrate here.
TEST(SessionEditBefore, OlderFilesAreListedAndSearched) {
    const TempFolder folder;
    const std::filesystem::path file = folder / "s.db";
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    migrate(database, sessionMigrations().first(2));
    database.exec(
        "INSERT INTO sessions VALUES (1, 5, 9, '\xE6\x9C\x88', 'm', 'p', 'f', '{}', 'cpu', "
        "'exact', '{}');"
        "INSERT INTO turns (session, turn, role, text, created_ms) "
        "VALUES (1, 0, 'user', 'Which \xE6\x9C\x88\xE4\xBA\xAE?', 6);");
    const SessionStore store(file);
    ASSERT_EQ(store.list().size(), 1U);
    EXPECT_EQ(store.list()[0].turns, 1);
    EXPECT_FALSE(store.list()[0].pinned);
    EXPECT_EQ(store.search("\xE6\x9C\x88\xE4\xBA\xAE").size(), 1U);
    EXPECT_EQ(store.search("which").at(0).snippet.turn, 0);
    EXPECT_TRUE(store.list(deletedQuery()).empty());
    SessionQuery tagged;
    tagged.tag = "x";
    EXPECT_TRUE(store.list(tagged).empty());
    EXPECT_EQ(store.facets().models.at(0).name, "m");
}

}  // namespace
}  // namespace gatescope
