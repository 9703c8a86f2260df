// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "engine/session/session_log.h"
#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Three short sessions.
class Sessions : public testing::Test {
  protected:
    Sessions() {
        const auto log = SessionLog::open(file());
        for (const char* title : {"first", "second", "=third"}) {
            SessionInfo info;
            info.title = title;
            info.modelName = "demo";
            const std::int64_t session = log->beginSession(info);
            log->addUserTurn(session, std::string("What is the ") + title + "?");
        }
    }
    std::string file() const { return m_folder / "log.db"; }
    Outcome sessions(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), {"sessions", file()});
        return runCli(arguments);
    }
    std::string done(const std::vector<std::string>& arguments) const {
        const Outcome run = sessions(arguments);
        EXPECT_EQ(run.exitCode, 0) << run.err;
        return run.out;
    }
    void refused(std::vector<std::string> arguments, int exitCode, const std::string& why) const {
        arguments.insert(arguments.begin(), {"sessions", file()});
        expectComplaint(arguments, exitCode, why);
    }

    TemporaryFolder m_folder;
};

TEST_F(Sessions, EditsAreListed) {
    done({"tag", "1,3", "+maths", "+with space"});
    done({"tag", "3", "-maths", "+h", "-hot"});
    done({"rename", "2", "another title"});
    done({"pin", "1"});
    const Json list = Json::parse(done({"list", "--json"}));
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0].at("session"), 1);
    EXPECT_EQ(list[0].at("pinned"), true);
    EXPECT_EQ(list[0].at("tags"), Json({"maths", "with space"}));
    for (const Json& session : list) {
        if (session.at("session") == 3) {
            EXPECT_EQ(session.at("tags"), Json({"h", "with space"}));
        }
        if (session.at("session") == 2) {
            EXPECT_EQ(session.at("title"), "another title");
        }
    }
    EXPECT_EQ(Json::parse(done({"list", "--json", "--tag", "maths"})).size(), 1U);
    EXPECT_EQ(Json::parse(done({"list", "--json", "--search", "the second"})).size(), 1U);
    EXPECT_EQ(Json::parse(done({"list", "--json", "--model", "other"})).size(), 0U);
    EXPECT_THAT(done({"list"}), HasSubstr("1*"));
    done({"pin", "1", "--off"});
    EXPECT_THAT(done({"list"}), Not(HasSubstr("1*")));
}

TEST_F(Sessions, WhatIsDeletedComesBack) {
    done({"delete", "1-2"});
    EXPECT_EQ(Json::parse(done({"list", "--json"})).size(), 1U);
    EXPECT_EQ(Json::parse(done({"list", "--json", "--deleted"})).size(), 2U);
    done({"restore", "2"});
    EXPECT_EQ(Json::parse(done({"list", "--json"})).size(), 2U);
    refused({"delete", "3,9"}, 1, "session 9");  // then none is
    EXPECT_EQ(Json::parse(done({"list", "--json"})).size(), 2U);
}

TEST_F(Sessions, OneIsShown) {
    const std::string text = done({"show", "2"});
    EXPECT_THAT(text, HasSubstr("title: second"));
    EXPECT_THAT(text, HasSubstr("[0] user\nWhat is the second?"));
    const Json json = Json::parse(done({"show", "2", "--json"}));
    EXPECT_EQ(json.at("messages").at(0).at("text"), "What is the second?");
    refused({"show", "9"}, 1, "session 9");
}

TEST_F(Sessions, WhatIsExportedIsImported) {
    for (const std::string ending : {"db", "jsonl"}) {
        const std::string out = m_folder / ("out." + ending);
        done({"export", "1", "3", "--out", out});
        EXPECT_EQ(runCli({"sessions", m_folder / "new.db", "import", out}).exitCode, 0);
    }
    const Outcome list = runCli({"sessions", m_folder / "new.db", "list", "--json"});
    EXPECT_EQ(Json::parse(list.out).size(), 4U);
    done({"export", "2", "--format", "markdown", "--out", m_folder / "text"});
    refused({"export", "2", "--out", m_folder / "text"}, 2, "--format");
    refused({"export", "2", "--format", "word", "--out", m_folder / "text"}, 2, "word");
    refused({"export", "7", "--out", m_folder / "x.db"}, 1, "session 7");
    refused({"import", m_folder / "none"}, 1, "none");
    std::ofstream(m_folder / "bad.jsonl") << "{}\n";
    refused({"import", m_folder / "bad.jsonl"}, 1, "bad.jsonl");
}

TEST_F(Sessions, QuestionsAreAnswered) {
    const std::string sql = "SELECT id, title FROM sessions WHERE id >= :least ORDER BY id";
    EXPECT_EQ(done({"sql", sql, "--set", "least=2", "--csv"}),
              "id,title\r\n2,second\r\n3,'=third\r\n");
    const Json json = Json::parse(done({"sql", sql, "--set", "least=2", "--json"}));
    EXPECT_EQ(json.at("rows"), Json({{2, "second"}, {3, "=third"}}));
    EXPECT_THAT(done({"sql", sql, "--set", "least=3"}), HasSubstr("3   =third"));
    EXPECT_THAT(done({"sql", "--saved", "Sessions by model"}), HasSubstr("demo"));
    EXPECT_THAT(done({"queries", "--queries", m_folder / "none.json"}),
                StartsWith("Chosen only because of the bias\n"));
    refused({"sql", "DELETE FROM sessions"}, 1, "log.db");
    refused({"sql", sql}, 1, "least");
    refused({"sql"}, 2, "QUERY");
    refused({"sql", "--saved", "none", "--queries", m_folder / "none.json"}, 2, "none");
    EXPECT_EQ(Json::parse(done({"list", "--json"})).size(), 3U);
}

/// The signal is sent once the first rows stand in the file, so that the query surely runs.
TEST_F(Sessions, AnInterruptEndsARunawayQuery) {
    const std::string out = m_folder / "rows";
    std::vector<std::string> words = {
        GATESCOPE_CLI,
        "sessions",
        file(),
        "sql",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < "
        "100000 OR i < 0",
        "--csv"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&files, 2, (m_folder / "err").c_str(), O_WRONLY | O_CREAT,
                                     0600);
    pid_t child = 0;
    ASSERT_EQ(posix_spawn(&child, argv[0], &files, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&files);
    int status = 0;
    std::error_code none;
    while (std::filesystem::file_size(out, none) == 0 || none) {
        ASSERT_EQ(waitpid(child, &status, WNOHANG), 0);
    }
    kill(child, SIGINT);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
    std::string err;
    std::getline(std::ifstream(m_folder / "err"), err);
    EXPECT_EQ(err, "gatescope-cli: cancelled");
}

TEST_F(Sessions, WrongUseIsNamed) {
    refused({}, 2, "ubcommand");
    refused({"tag", "1", "plain"}, 2, "plain");
    refused({"tag", "one", "+t"}, 2, "one");
    refused({"rename", "1"}, 2, "TITLE");
    expectComplaint({"sessions", m_folder / "none.db", "list"}, 1, "none.db");
    expectComplaint({"sessions", m_folder / "none.db", "pin", "1"}, 1, "none.db");
    EXPECT_FALSE(std::filesystem::exists(m_folder / "none.db"));
}

}  // namespace
}  // namespace gatescope::cli
