// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gatescope::test {

/// What the child acknowledges through its standard output, one record at a time.
struct Acknowledgement {
    std::int64_t token = 0;   ///< -1: the earlier turns are written
    std::int64_t timeNs = 0;  ///< monotonicNs() when it had been handed to the log
};

/// A clock that all processes share.
std::int64_t monotonicNs();

/// This test program again, as a process of its own that plays a part in a test.
class ChildProcess {
  public:
    /// `arguments` reach runChild(); the child's standard output is read with read().
    explicit ChildProcess(const std::vector<std::string>& arguments);
    ~ChildProcess();  ///< kills it if it still runs
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    /// Blocks for the next record; false when the child has closed its output.
    bool read(Acknowledgement& record);
    void kill();
    int wait();  ///< the exit status, or minus the signal that ended it

  private:
    pid_t m_pid = -1;
    int m_output = -1;
};

/// The argument that makes main() a child.
inline constexpr const char* kChildFlag = "--session-child";
/// main() of a child.
int runChild(const std::vector<std::string>& arguments);

}  // namespace gatescope::test
