// SPDX-License-Identifier: GPL-3.0-or-later
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "engine/session/session_log.h"
#include "engine/session/session_store.h"
#include "tests/app/cli/run_program.h"

extern char** environ;

namespace gatescope::cli {
namespace {

int kills() {
    const char* wanted = std::getenv("GATESCOPE_KILLS");
    return wanted != nullptr ? std::max(1, std::atoi(wanted)) : 3;
}

/// Starts the program and kills it when it has printed so many bytes. Returns what it printed.
std::string killAfter(std::vector<std::string> arguments, std::size_t bytes) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    arguments.insert(arguments.begin(), GATESCOPE_CLI);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, GATESCOPE_CLI, &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    std::string printed;
    char buffer[64];
    while (printed.size() < bytes) {
        const ssize_t size = read(ends[0], buffer, sizeof buffer);
        if (size <= 0) {
            break;
        }
        printed.append(buffer, static_cast<std::size_t>(size));
    }
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    close(ends[0]);
    return printed;
}

TEST(Killed, GenerateLeavesAWholeFileWithABeginningOfTheAnswer) {
    std::mt19937 random(8);
    const TemporaryFolder folder;
    const std::string file = (folder / "s.db").string();
    for (int run = 0; run < kills(); ++run) {
        SCOPED_TRACE(run);
        const std::string printed = killAfter(
            {"generate", GATESCOPE_DEMO_MODEL_DIR, "--prompt",
             "Tell me a story about a fox named Mia.", "--max-tokens", "400", "--session", file},
            random() % 400);
        SQLite::Database database(file, SQLite::OPEN_READWRITE);
        EXPECT_EQ(database.execAndGet("PRAGMA quick_check").getString(), "ok");
        EXPECT_EQ(SessionLog::open(file)->notice(), "");
    }
    const SessionStore store(file);
    for (const SessionSummary& summary : store.list()) {
        const StoredSession stored = store.load(summary.id);
        ASSERT_LE(stored.turns.size(), 2U);
        if (stored.turns.size() == 2) {
            std::string text;
            for (const TokenEvent& token : stored.turns[1].tokens) {
                text += token.bytes;
            }
            EXPECT_TRUE(text.starts_with(stored.turns[1].text) ||
                        stored.turns[1].finish == "interrupted");
            // A step is there with the token it gave, give or take the one under way.
            EXPECT_LE(stored.turns[1].steps.size(), stored.turns[1].tokens.size() + 2);
        }
    }
    EXPECT_EQ(store.list().empty(), false);
}

}  // namespace
}  // namespace gatescope::cli
