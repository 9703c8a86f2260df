// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace gatescope::cli {

/// What a run of gatescope-cli left behind.
struct Outcome {
    int exitCode = -1;  ///< -1: it was killed by a signal
    std::string out;
    std::string err;
};

/// Runs the real program with these arguments and this standard input; never a terminal.
Outcome runCli(const std::vector<std::string>& arguments, const std::string& input = {});

/// Runs the program and expects this exit code, one line on standard error that says why, and
/// nothing on standard output.
void expectComplaint(const std::vector<std::string>& arguments, int exitCode,
                     const std::string& why);

/// A folder that is removed with everything in it.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::filesystem::path operator/(const std::string& name) const { return m_path / name; }

  private:
    std::filesystem::path m_path;
};

/// A path below tests/golden.
std::string golden(const std::string& path);

}  // namespace gatescope::cli
