// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/cli/run_program.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace gatescope::cli {
namespace {

std::string contentOf(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

}  // namespace

Outcome runCli(const std::vector<std::string>& arguments, const std::string& input) {
    const TemporaryFolder folder;
    const std::string in = folder / "in";
    const std::string out = folder / "out";
    const std::string err = folder / "err";
    std::ofstream(in, std::ios::binary) << input;

    std::vector<std::string> words = {GATESCOPE_CLI};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t files{};
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT, 0600);
    pid_t child = 0;
    const int problem = posix_spawn(&child, argv[0], &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (problem != 0) throw std::runtime_error("gatescope-cli cannot be started");
    int status = 0;
    if (waitpid(child, &status, 0) != child) throw std::runtime_error("waitpid failed");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contentOf(out), contentOf(err)};
}

void expectComplaint(const std::vector<std::string>& arguments, int exitCode,
                     const std::string& why) {
    const Outcome run = runCli(arguments);
    EXPECT_EQ(run.exitCode, exitCode) << run.err;
    EXPECT_THAT(run.out, testing::IsEmpty());
    EXPECT_THAT(run.err, testing::HasSubstr(why));
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

TemporaryFolder::TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "gatescope-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    m_path = pattern;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
}

std::string golden(const std::string& path) {
    return std::string(GATESCOPE_GOLDEN_DIR "/") + path;
}

}  // namespace gatescope::cli
