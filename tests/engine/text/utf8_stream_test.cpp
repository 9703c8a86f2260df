// SPDX-License-Identifier: Apache-2.0
#include "engine/text/utf8_stream.h"

#include "engine/text/utf8.h"
#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;

const std::string replaced = "\xEF\xBF\xBD";

TEST(Utf8, ReplacesOneMaximalSubpartByOneMark) {
    // Table 3-8 of the Unicode standard and its neighbours: overlong forms, surrogates, values
    // above U+10FFFF and cut sequences.
    const auto marks = [](int n) {
        std::string out;
        while (n-- > 0) out += replaced;
        return out;
    };
    EXPECT_EQ(toValidUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), marks(8) + "A");
    EXPECT_EQ(toValidUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), marks(8) + "A");
    EXPECT_EQ(toValidUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), marks(5) + "A" + marks(2) + "B");
    EXPECT_EQ(toValidUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), marks(4) + "A");
    EXPECT_EQ(toValidUtf8("\xF0\x9F\x98"), marks(1));
    EXPECT_EQ(toValidUtf8("\xF4\x8F\xBF\xBF\xEE\x80\x80"), "\xF4\x8F\xBF\xBF\xEE\x80\x80");
}

TEST(Utf8, AcceptsExactlyTheWellFormed) {
    for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 251) {
        if (c >= 0xD800 && c < 0xE000) continue;
        const std::string text = utf8(c);
        ASSERT_TRUE(isValidUtf8(text)) << static_cast<unsigned>(c);
        ASSERT_EQ(utf8StepAt(text, 0).codePoint, c);
        for (std::size_t n = 1; n < text.size(); ++n) {
            ASSERT_FALSE(isValidUtf8(text.substr(0, n))) << static_cast<unsigned>(c);
        }
    }
    EXPECT_FALSE(isValidUtf8("\xED\xA0\x80"));
    EXPECT_FALSE(isValidUtf8("\xF4\x90\x80\x80"));
    EXPECT_FALSE(isValidUtf8("\xC1\xBF"));
    EXPECT_TRUE(isValidUtf8(""));
    EXPECT_TRUE(isValidUtf8(std::string(1, '\0')));
}

TEST(Utf8, StreamPrintsOnlyWholeCharacters) {
    Utf8Stream stream;
    EXPECT_EQ(stream.push("a\xF0"), "a");
    EXPECT_EQ(stream.push("\x9F\x98"), "");
    EXPECT_EQ(stream.push(""), "");
    EXPECT_EQ(stream.push("\x80"
                          "b\xE4"),
              "\xF0\x9F\x98\x80"
              "b");
    EXPECT_EQ(stream.push("c"), replaced + "c");
    EXPECT_EQ(stream.push("\xE4\xBD"), "");
    EXPECT_EQ(stream.flush(), replaced);
    EXPECT_EQ(stream.flush(), "");
}

TEST(Utf8, StreamJudgesASurrogateAsAWhole) {
    Utf8Stream stream;
    EXPECT_EQ(stream.push("\xED\xA0"), "");
    EXPECT_EQ(stream.push("\x80"), replaced + replaced + replaced);
    EXPECT_EQ(stream.push("\xED\xBF"), "");
    EXPECT_EQ(stream.push("a"), replaced + replaced + "a");
    EXPECT_EQ(stream.push("\xED\xA0"), "");
    EXPECT_EQ(stream.flush(), replaced + replaced);
}

TEST(Utf8, StreamInAnyPartsEqualsTheWhole) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
        std::string bytes = randomText(random, 12);
        for (int i = 0; i < 6 && !bytes.empty(); ++i) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        Utf8Stream stream;
        std::string joined;
        for (std::size_t at = 0; at < bytes.size();) {
            const std::size_t n = 1 + random() % 3;
            const std::string part = stream.push(std::string_view(bytes).substr(at, n));
            ASSERT_TRUE(isValidUtf8(part));
            joined += part;
            at += n;
        }
        joined += stream.flush();
        ASSERT_EQ(joined, toValidUtf8(bytes));
    }
}

TEST(Utf8, WhiteSpaceIsTheUnicodeProperty) {
    std::vector<char32_t> found;
    for (char32_t c = 0; c < 0x110000; ++c) {
        if (isWhiteSpace(c)) found.push_back(c);
    }
    const std::vector<char32_t> expected = {0x09,   0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,
                                            0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                                            0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028,
                                            0x2029, 0x202F, 0x205F, 0x3000};
    EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace gatescope
