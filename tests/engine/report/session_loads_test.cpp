// SPDX-License-Identifier: Apache-2.0
#include "engine/report/session_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/session/session_log.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope::test {
namespace {

using testing::HasSubstr;

/// Sessions with questions and no answers; what answers give is looked at where a model answers
/// (tests/app/cli/place_test.cpp, tests/app/planner_dialog_test.cpp).
class SessionLoads : public testing::Test {
  protected:
    void SetUp() override {
        const auto log = SessionLog::open(file);
        for (int i = 0; i < 3; ++i) log->addUserTurn(log->beginSession({}), "Hello");
    }
    TestFolder folder;
    const std::filesystem::path file = folder / "s.db";
};

TEST_F(SessionLoads, NeedAnAnswer) {
    EXPECT_THAT(errorOf([&] { sessionLoads(SessionStore(file), {}); }), HasSubstr("no routing"));
    const std::int64_t absent[] = {7};
    EXPECT_THAT(errorOf([&] { sessionLoads(SessionStore(file), absent); }), HasSubstr("7"));
}

TEST_F(SessionLoads, ReportEverySessionAndStop) {
    std::vector<std::uint64_t> done;
    const auto progress = [&](std::string_view, std::uint64_t now, std::uint64_t all) {
        EXPECT_EQ(all, 3U);
        done.push_back(now);
        return now < 1;
    };
    EXPECT_THROW(sessionTraffic(SessionStore(file), {}, progress), Cancelled);
    EXPECT_EQ(done, (std::vector<std::uint64_t>{0, 1}));
}

}  // namespace
}  // namespace gatescope::test
