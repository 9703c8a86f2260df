// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/printable.h"

#include <gtest/gtest.h>

namespace gatescope {
namespace {

TEST(Printable, keepsTextOfAnyLanguage) {
    EXPECT_EQ(printable("model.norm.weight"), "model.norm.weight");
    EXPECT_EQ(printable("größe 模型 😀"), "größe 模型 😀");
}

TEST(Printable, escapesWhatWouldMoveTheCursorOrTurnTheSentenceAround) {
    EXPECT_EQ(printable("a\x1b[2J\n\t\x7f"), "a\\x1B[2J\\x0A\\x09\\x7F");
    EXPECT_EQ(printable("\xc2\x9b"), "\\xC2\\x9B");           // C1 control
    EXPECT_EQ(printable("\xe2\x80\xae"), "\\xE2\\x80\\xAE");  // right-to-left override
    EXPECT_EQ(printable("\xe2\x81\xa6"), "\\xE2\\x81\\xA6");  // left-to-right isolate
}

TEST(Printable, escapesBytesThatAreNotUtf8) {
    EXPECT_EQ(printable("\xff"), "\\xFF");
    EXPECT_EQ(printable("\xc0\x80"), "\\xC0\\x80");
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xED\\xA0\\x80");
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");
    EXPECT_EQ(printable("x\xe6\xa8"), "x\\xE6\\xA8");
}

TEST(Printable, cutsLongTextBetweenCharacters) {
    EXPECT_EQ(printable("abcdef", 6), "abcdef");
    EXPECT_EQ(printable("abcdefg", 6), "abcdef...");
    EXPECT_EQ(printable("模型", 5), "模...");
}

}  // namespace
}  // namespace gatescope
