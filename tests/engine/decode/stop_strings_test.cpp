// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace gatescope {
namespace {

TEST(StopStrings, NothingOfAStopStringIsShown) {
    StopStrings stops({"\nUser:"});
    EXPECT_EQ(stops.push("Hello\n"), "Hello");
    EXPECT_EQ(stops.push("Us"), "");
    EXPECT_EQ(stops.push("er: x"), "");
    EXPECT_TRUE(stops.met());
    EXPECT_EQ(stops.flush(), "");
}

TEST(StopStrings, AFalseStartIsShownLater) {
    StopStrings stops({"\nUser:"});
    EXPECT_EQ(stops.push("a\nUs"), "a");
    EXPECT_EQ(stops.push("ed"), "\nUsed");
    EXPECT_EQ(stops.push("\n"), "");
    EXPECT_EQ(stops.flush(), "\n");
    EXPECT_FALSE(stops.met());
}

TEST(StopStrings, TheEarliestOfSeveralCuts) {
    StopStrings stops({"bb", "ab"});
    EXPECT_EQ(stops.push("xabb"), "x");
    EXPECT_TRUE(stops.met());
}

TEST(StopStrings, EmptyStringsStopNothing) {
    StopStrings stops({""});
    EXPECT_EQ(stops.push("abc"), "abc");
    EXPECT_FALSE(stops.met());
}

// However the text is cut into pieces, what is shown is the text before the first stop string.
TEST(StopStrings, PiecesDoNotMatter) {
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        for (int i = 0; i < 30; ++i) text += "ab"[random() % 2];
        const std::vector<std::string> strings{"abba", "bbbb"};
        auto expected = text.substr(0, std::min(text.find(strings[0]), text.find(strings[1])));
        StopStrings stops(strings);
        std::string shown;
        for (std::size_t at = 0; at < text.size() && !stops.met();) {
            const auto n = 1 + random() % 5;
            shown += stops.push(text.substr(at, n));
            at += n;
        }
        shown += stops.flush();
        EXPECT_EQ(shown, expected) << text;
    }
}

}  // namespace
}  // namespace gatescope
