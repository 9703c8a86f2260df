// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <chrono>
#include <random>
#include <string>

#include "engine/error.h"
#include "engine/session/session_log.h"
#include "engine/session/session_pages.h"
#include "engine/session/session_store.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
namespace fs = std::filesystem;

class Watch {
  public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - m_begin).count();
    }

  private:
    std::chrono::steady_clock::time_point m_begin = std::chrono::steady_clock::now();
};

void report(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

/// A decode step of a model with 58 MoE layers, 256 experts, 8 chosen.
StepTrace fullSizeStep(std::mt19937& random, int number) {
    constexpr int kLayers = 58;
    constexpr int kChosen = 8;
    StepTrace step;
    step.step = number;
    RoutedToken& token = step.tokens.emplace_back();
    token.position = number;
    token.tokenId = number % 100'000;
    token.phase = Phase::Decode;
    for (int i = 0; i < kLayers * kChosen; ++i) {
        token.routing.experts.push_back(static_cast<std::uint16_t>(random() % 256));
        token.routing.weights.push_back(static_cast<float>(random() % 1000) / 1000);
    }
    for (int i = 0; i < kLayers; ++i) {
        token.routing.margins.push_back(static_cast<float>(random() % 1000) / 1e5F);
        token.routing.biasDecided.push_back(static_cast<std::uint32_t>(random() % 256));
    }
    step.cache.dtype = "F32";
    return step;
}

TEST(SessionSoak, ThroughputAtFullSize) {
    constexpr int kTokens = 50'000;
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    std::mt19937 random(1);
    std::vector<StepTrace> steps;
    for (int i = 0; i < 256; ++i) {
        steps.push_back(fullSizeStep(random, i));
    }
    double seconds = 0;
    {
        const auto log = SessionLog::open(file);
        const std::int64_t session = log->beginSession({});
        log->addUserTurn(session, "hello");
        const int turn = log->beginAnswer(session, {}, 0);
        const Watch watch;
        for (int i = 0; i < kTokens; ++i) {
            StepTrace step = steps[static_cast<std::size_t>(i) % steps.size()];
            step.step = i;
            step.tokens[0].position = i;
            log->token(session, turn, numberedToken(i));
            log->step(session, turn, step);
            if (i % 1000 == 999) {
                log->flush();
            }
        }
        log->endAnswer(session, turn, {});
        log->flush();
        seconds = watch.seconds();
    }
    report(fmt::format("58 x 256, k = 8: {:.0f} tokens/s written, {:.0f} bytes per token",
                       kTokens / seconds, static_cast<double>(fs::file_size(file)) / kTokens));
    const Watch watch;
    const StoredSession part = SessionPages(file).load(1);
    report(fmt::format("newest part of {} tokens read in {:.3f} s", part.extent.tokens,
                       watch.seconds()));
    EXPECT_EQ(part.extent.tokens, 4000);
}

TEST(SessionSoak, TenThousandSessions) {
    constexpr int kSessions = 10'000;
    const TempFolder folder;
    const fs::path file = folder / "s.db";
    Arbitrary arbitrary(2);
    {
        const auto log = SessionLog::open(file);
        for (int i = 0; i < kSessions; ++i) {
            SessionInfo info = arbitrary.info();
            info.title = "session " + std::to_string(i);
            info.configJson = "{\"padding\": \"" + std::string(3000, 'x') + "\"}";
            const std::int64_t session = log->beginSession(info);
            log->addUserTurn(session, "Which router chose expert " + std::to_string(i) + "?");
            const int turn = log->beginAnswer(session, {}, 0);
            for (int token = 0; token < 20; ++token) {
                log->token(session, turn, numberedToken(token));
            }
            GenerationResult result;
            result.text = "The one in layer " + std::to_string(i % 58) + ".";
            result.ids.resize(20);
            log->endAnswer(session, turn, result);
        }
    }
    const auto timed = [&](const char* what, auto work) {
        const Watch watch;
        const auto found = work();
        report(fmt::format("{} sessions, {}: {} in {:.3f} s", kSessions, what, found.size(),
                           watch.seconds()));
        return found.size();
    };
    EXPECT_EQ(timed("list", [&] { return SessionStore(file).list(); }),
              static_cast<std::size_t>(kSessions));
    const SessionStore store(file);
    EXPECT_EQ(timed("list again", [&] { return store.list(); }),
              static_cast<std::size_t>(kSessions));
    EXPECT_EQ(timed("search of one", [&] { return store.search("expert 4711?"); }), 1U);
    EXPECT_GT(timed("search of many", [&] { return store.search("layer 7."); }), 100U);
}

TEST(SessionSoak, AFullDiskAgainAndAgain) {
    const TempFolder folder;
    if (mount("gatescope-soak", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
        GTEST_SKIP() << "only root may mount a small disk";
    }
    const auto resize = [&folder](int megabytes) {
        const std::string option = fmt::format("size={}m", megabytes);
        ASSERT_EQ(
            mount("gatescope-soak", folder.path().c_str(), "tmpfs", MS_REMOUNT, option.c_str()), 0);
    };
    const fs::path file = folder / "s.db";
    std::int64_t written = 0;
    int full = 0;
    {
        const auto log = SessionLog::open(file);
        const std::int64_t session = log->beginSession({});
        const int turn = log->beginAnswer(session, {}, 0);
        for (int size = 4; size <= 60; size += 2) {
            TokenEvent token = numberedToken(0);
            token.bytes.assign(400, 'x');
            bool stopped = false;
            while (!stopped) {
                for (int i = 0; i < 200; ++i) {
                    token.id = static_cast<std::int32_t>(written++);
                    log->token(session, turn, token);
                }
                try {
                    log->flush();
                } catch (const Error&) {
                    stopped = true;
                }
            }
            ++full;
            resize(size);
            try {
                log->flush();
            } catch (const Error&) {
                // Moving the log into the file takes space, too.
            }
        }
        resize(256);
        log->flush();
    }
    const StoredSession stored = SessionStore(file).load(1);
    ASSERT_EQ(stored.turns.at(0).tokens.size(), static_cast<std::size_t>(written));
    for (std::int64_t i = 0; i < written; ++i) {
        ASSERT_EQ(stored.turns[0].tokens[static_cast<std::size_t>(i)].id, i);
    }
    EXPECT_EQ(quickCheck(file), "ok");
    report(fmt::format("disk full {} times: all {} tokens are there", full, written));
    umount(folder.path().c_str());
}

}  // namespace
}  // namespace gatescope
