// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string_view>

#include "tests/engine/session/child_process.h"

// Some tests need a second process with the log in it: this program plays that part too.
int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == gatescope::test::kChildFlag) {
        return gatescope::test::runChild({argv + 2, argv + argc});
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
