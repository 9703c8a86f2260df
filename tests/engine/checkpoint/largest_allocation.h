// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>

namespace gatescope::test {

/// Bytes of the largest single allocation since it was last set to 0, in the whole test program:
/// its operator new is replaced, to see that no size from a file is allocated unchecked.
extern std::atomic<std::size_t> largestAllocation;

}  // namespace gatescope::test
