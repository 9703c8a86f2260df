// SPDX-License-Identifier: Apache-2.0
#include "engine/text/token_class.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "engine/text/utf8_stream.h"

namespace gatescope {
namespace {

TEST(TokenClass, OrdinaryTokens) {
    EXPECT_EQ(tokenClass(" the"), TokenClass::Word);
    EXPECT_EQ(tokenClass("\xC3\xA9t\xC3\xA9"), TokenClass::Word);                 // été
    EXPECT_EQ(tokenClass("\xD0\xBC\xD0\xB8\xD1\x80"), TokenClass::Word);          // мир
    EXPECT_EQ(tokenClass("\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85"), TokenClass::Word);  // سلام
    EXPECT_EQ(tokenClass("\xE4\xB8\xAD\xE6\x96\x87"), TokenClass::Cjk);           // 中文
    EXPECT_EQ(tokenClass("\xE3\x81\xAE"), TokenClass::Cjk);                       // の
    EXPECT_EQ(tokenClass("\xED\x95\x9C"), TokenClass::Cjk);                       // 한
    EXPECT_EQ(tokenClass(" 42"), TokenClass::Number);
    EXPECT_EQ(tokenClass("\xD9\xA3"), TokenClass::Number);  // arabic-indic three
    EXPECT_EQ(tokenClass(" ("), TokenClass::Punctuation);
    EXPECT_EQ(tokenClass("\xE3\x80\x82"), TokenClass::Punctuation);      // ideographic full stop
    EXPECT_EQ(tokenClass("\xF0\x9F\x98\x80"), TokenClass::Punctuation);  // an emoji is a symbol
    EXPECT_EQ(tokenClass("+="), TokenClass::Punctuation);
    EXPECT_EQ(tokenClass("\n\n"), TokenClass::Space);
    EXPECT_EQ(tokenClass(" \t"), TokenClass::Space);
    EXPECT_EQ(tokenClass("\xE3\x80\x80"), TokenClass::Space);  // ideographic space
}

TEST(TokenClass, FirstCharacterThatIsNotSpaceDecides) {
    EXPECT_EQ(tokenClass("3rd"), TokenClass::Number);
    EXPECT_EQ(tokenClass("('a"), TokenClass::Punctuation);
    EXPECT_EQ(tokenClass(" x1"), TokenClass::Word);
    EXPECT_EQ(tokenClass("\n\xE4\xB8\xAD."), TokenClass::Cjk);
}

TEST(TokenClass, MarksBelongToLetters) {
    EXPECT_EQ(tokenClass("\xE0\xA4\xBF"), TokenClass::Word);  // a Devanagari vowel sign alone
    EXPECT_EQ(tokenClass("e\xCC\x81"), TokenClass::Word);     // e and a combining acute
    EXPECT_EQ(tokenClass("\xCC\x81."), TokenClass::Punctuation);
}

TEST(TokenClass, SpecialWinsOverBytes) {
    EXPECT_EQ(tokenClass("word", true), TokenClass::Special);
    EXPECT_EQ(tokenClass("", true), TokenClass::Special);
    EXPECT_EQ(tokenClass(std::string("\0", 1)), TokenClass::Special);
    EXPECT_EQ(tokenClass("\x1B[31m"), TokenClass::Special);
    EXPECT_EQ(tokenClass("\xE2\x80\x8B"), TokenClass::Special);  // zero-width space: a format mark
}

TEST(TokenClass, PiecesOfCharacters) {
    EXPECT_EQ(tokenClass(""), TokenClass::Other);
    EXPECT_EQ(tokenClass("\xE4\xB8"), TokenClass::Other);
    EXPECT_EQ(tokenClass("\xAD"), TokenClass::Other);
    EXPECT_EQ(tokenClass(" \xF0\x9F"), TokenClass::Other);
    EXPECT_EQ(tokenClass("\xAD word"), TokenClass::Word);      // ends one character, holds others
    EXPECT_EQ(tokenClass("\xED\xA0\x80"), TokenClass::Other);  // a surrogate
    EXPECT_EQ(tokenClass("\xC0\xAF"), TokenClass::Other);      // overlong
    EXPECT_EQ(tokenClass("\xF8\x88\x80\x80\x80"), TokenClass::Other);
    EXPECT_EQ(tokenClass("\xEE\x80\x80"), TokenClass::Other);      // private use
    EXPECT_EQ(tokenClass("\xF4\x8F\xBF\xBF"), TokenClass::Other);  // the last code point
}

TEST(TokenClass, AnyBytesHaveAClass) {
    std::mt19937 random(5);
    for (int i = 0; i < 20000; ++i) {
        std::string bytes(random() % 9, '\0');
        for (char& byte : bytes) {
            byte = static_cast<char>(random() % 256);
        }
        const TokenClass found = tokenClass(bytes);
        EXPECT_LT(static_cast<int>(found), kTokenClassCount);
        if (found == TokenClass::Space) {
            EXPECT_TRUE(isValidUtf8(bytes));
        }
        EXPECT_EQ(tokenClass(" " + bytes), bytes.empty() ? TokenClass::Space : found);
    }
}

TEST(TokenClass, NamesDiffer) {
    for (int i = 0; i < kTokenClassCount; ++i) {
        for (int j = 0; j < i; ++j) {
            EXPECT_NE(name(static_cast<TokenClass>(i)), name(static_cast<TokenClass>(j)));
        }
    }
    EXPECT_EQ(name(TokenClass::Cjk), "cjk");
}

}  // namespace
}  // namespace gatescope
