// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/session/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <stdexcept>
#include <thread>

#include "engine/session/session_log.h"
#include "tests/engine/session/session_tools.h"

extern char** environ;

namespace gatescope::test {

namespace {

void acknowledge(std::int64_t token) {
    const Acknowledgement record{token, monotonicNs()};
    if (write(STDOUT_FILENO, &record, sizeof record) != static_cast<ssize_t>(sizeof record)) {
        _exit(3);
    }
}

/// Two finished answers, then one that goes on until the process is killed.
int streamUntilKilled(const std::string& file) {
    const auto log = SessionLog::open(file);
    const std::int64_t session = log->beginSession({});
    Arbitrary arbitrary(9);
    for (int answer = 0; answer < 2; ++answer) {
        log->addUserTurn(session, "question " + std::to_string(answer));
        const int turn = log->beginAnswer(session, {}, 0);
        for (int i = 0; i < 20; ++i) {
            log->token(session, turn, numberedToken(i));
            log->step(session, turn, arbitrary.step());
        }
        GenerationResult result;
        result.text = "answer " + std::to_string(answer);
        result.finish = Finish::Stop;
        log->endAnswer(session, turn, result);
    }
    log->addUserTurn(session, "the last question");
    const int turn = log->beginAnswer(session, {}, 0);
    acknowledge(-1);
    auto next = std::chrono::steady_clock::now();
    for (int i = 0;; ++i) {
        log->token(session, turn, numberedToken(i));
        log->step(session, turn, arbitrary.step());
        acknowledge(i);
        next += std::chrono::milliseconds(1);  // the pace of the simulated model, nothing else
        std::this_thread::sleep_until(next);
    }
}

/// Some sessions with some tokens, next to other writers of the same file.
int writeSessions(const std::string& file, const std::string& name, int sessions, int tokens) {
    const auto log = SessionLog::open(file);
    if (!log->notice().empty()) {
        std::cerr << log->notice() << '\n';
        return 4;
    }
    for (int i = 0; i < sessions; ++i) {
        SessionInfo info;
        info.title = name;
        const std::int64_t session = log->beginSession(info);
        log->addUserTurn(session, name);
        const int turn = log->beginAnswer(session, {}, 0);
        for (int j = 0; j < tokens; ++j) {
            log->token(session, turn, numberedToken(j));
            if (j % 50 == 0) {
                log->flush();
            }
        }
        log->endAnswer(session, turn, endOf(tokens));
    }
    return 0;
}

}  // namespace

std::int64_t monotonicNs() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe");
    }
    m_output = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> all = {"test_engine_session", kChildFlag};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& argument : all) {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    const int error =
        posix_spawn(&m_pid, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        throw std::runtime_error("the child does not start");
    }
}

ChildProcess::~ChildProcess() {
    if (m_pid > 0) {
        kill();
        wait();
    }
    close(m_output);
}

bool ChildProcess::read(Acknowledgement& record) {
    // Writes of this size into a pipe are atomic: a record comes whole or not at all.
    ssize_t size = 0;
    do {
        size = ::read(m_output, &record, sizeof record);
    } while (size < 0 && errno == EINTR);
    return size == static_cast<ssize_t>(sizeof record);
}

void ChildProcess::kill() {
    ::kill(m_pid, SIGKILL);
}

int ChildProcess::wait() {
    int status = 0;
    while (waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
    }
    m_pid = -1;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int runChild(const std::vector<std::string>& arguments) {
    try {
        if (arguments.at(0) == "stream") {
            return streamUntilKilled(arguments.at(1));
        }
        if (arguments.at(0) == "write") {
            return writeSessions(arguments.at(1), arguments.at(2), std::stoi(arguments.at(3)),
                                 std::stoi(arguments.at(4)));
        }
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "child: " << error.what() << '\n';
        return 1;
    }
}

}  // namespace gatescope::test
