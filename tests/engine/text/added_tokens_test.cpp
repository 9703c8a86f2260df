// SPDX-License-Identifier: Apache-2.0
#include "engine/text/added_tokens.h"

#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;

AddedToken token(TokenId id, const std::string& content) {
    AddedToken result;
    result.id = id;
    result.content = content;
    return result;
}

/// Sections as text, tokens as (id:text).
std::string cut(const std::vector<AddedToken>& tokens, std::string_view text) {
    RegexScratch scratch;
    std::string out;
    for (const Section& section : AddedTokenFinder(tokens).sections(text, scratch)) {
        out += section.token ? fmt::format("({}:{})", *section.token, section.text)
                             : fmt::format("[{}]", section.text);
    }
    return out;
}

TEST(AddedTokens, LeftmostThenLongest) {
    const std::vector<AddedToken> tokens = {token(1, "ab"), token(2, "abcd"), token(3, "bc"),
                                            token(4, "d")};
    EXPECT_EQ(cut(tokens, "abcd"), "(2:abcd)");
    EXPECT_EQ(cut(tokens, "abc"), "(1:ab)[c]");
    EXPECT_EQ(cut(tokens, "xbcd"), "[x](3:bc)(4:d)");
    EXPECT_EQ(cut(tokens, "aabx"), "[a](1:ab)[x]");
    EXPECT_EQ(cut(tokens, ""), "");
    EXPECT_EQ(cut({}, "ab"), "[ab]");
}

TEST(AddedTokens, StripTakesWhiteSpaceOnce) {
    std::vector<AddedToken> tokens = {token(1, "<a>"), token(2, "<b>")};
    tokens[0].rstrip = true;
    tokens[1].lstrip = true;
    EXPECT_EQ(cut(tokens, "x <a> \u3000 y \n<b> z"), "[x ](1:<a> \u3000 )[y](2: \n<b>)[ z]");
    EXPECT_EQ(cut(tokens, "<a>  <b>"), "(1:<a>  )(2:<b>)");
}

TEST(AddedTokens, SingleWord) {
    std::vector<AddedToken> tokens = {token(1, "ab")};
    tokens[0].singleWord = true;
    EXPECT_EQ(cut(tokens, "ab"), "(1:ab)");
    EXPECT_EQ(cut(tokens, "xab ab. ab_ éab"), "[xab ](1:ab)[. ab_ éab]");
}

TEST(AddedTokens, NormalizedOnesComeSecond) {
    std::vector<AddedToken> tokens = {token(1, "abc"), token(2, "cd")};
    tokens[0].normalized = true;
    EXPECT_EQ(cut(tokens, "abcd abc"), "[ab](2:cd)[ ](1:abc)");
}

}  // namespace
}  // namespace gatescope
