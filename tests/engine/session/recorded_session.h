// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace gatescope::test {

/// A file with three sessions: two answers of the demo model in the first, drafted by its MTP
/// module, one plain answer in the second, and an interrupted one of arbitrary values in the third.
/// Made once for all tests of the program; only for reading.
const std::filesystem::path& recordedSession();

}  // namespace gatescope::test
