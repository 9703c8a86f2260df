// SPDX-License-Identifier: Apache-2.0
#include "engine/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/text/regex_translate.h"
#include "engine/text/utf8.h"
#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;

/// Every match, in brackets.
std::string marked(std::string_view pattern, std::string_view text) {
    const Regex regex = Regex::oniguruma(pattern);
    RegexScratch scratch;
    std::string out;
    std::size_t at = 0;
    while (const auto match = regex.search(text, at, scratch)) {
        if (match->end == match->begin) break;
        const std::string_view found = text.substr(match->begin, match->end - match->begin);
        out += fmt::format("{}[{}]", text.substr(at, match->begin - at), found);
        at = match->end;
    }
    return out + std::string(text.substr(at));
}

bool matches(const Regex& regex, std::string_view text) {
    RegexScratch scratch;
    const auto match = regex.search(text, 0, scratch);
    return match && match->begin == 0 && match->end == text.size();
}

TEST(Regex, WhiteSpaceInAllItsForms) {
    const Regex in = Regex::oniguruma("\\s"), out = Regex::oniguruma("\\S");
    const Regex inClass = Regex::oniguruma("[\\s]"), outClass = Regex::oniguruma("[\\S]");
    const Regex notIn = Regex::oniguruma("[^\\s]"), notOut = Regex::oniguruma("[^\\S]");
    for (char32_t c = 0; c < 0x110000; c += c < 0x3100 ? 1 : 97) {
        if (c >= 0xD800 && c < 0xE000) continue;
        const std::string text = utf8(c);
        const bool white = isWhiteSpace(c);
        ASSERT_EQ(matches(in, text), white) << static_cast<unsigned>(c);
        ASSERT_EQ(matches(inClass, text), white) << static_cast<unsigned>(c);
        ASSERT_EQ(matches(notOut, text), white) << static_cast<unsigned>(c);
        ASSERT_EQ(matches(out, text), !white) << static_cast<unsigned>(c);
        ASSERT_EQ(matches(outClass, text), !white) << static_cast<unsigned>(c);
        ASSERT_EQ(matches(notIn, text), !white) << static_cast<unsigned>(c);
    }
    // Where PCRE2 and others differ from the property.
    EXPECT_FALSE(isWhiteSpace(0x180E));
    EXPECT_FALSE(isWhiteSpace(0x200B));
    EXPECT_FALSE(isWhiteSpace(0x1C));
    EXPECT_TRUE(isWhiteSpace(0x85));
}

TEST(Regex, OnigurumaReadings) {
    EXPECT_EQ(marked("\\h+", "x0aFg"), "x[0aF]g");
    EXPECT_EQ(marked("\\w+", "é_ो٣²-⁴"), "[é_ो٣²]-⁴");  // U+00B2 is Word here, U+2074 is not
    EXPECT_EQ(marked("[\\w]+", "é_²"), "[é_]²");        // and in a class neither is
    EXPECT_EQ(marked("\\W+", "a -²b"), "a[ -]²b");
    EXPECT_EQ(marked("\\d+", "1٣²"), "[1٣]²");
    EXPECT_EQ(marked(".$", "a\nb"), "[a]\n[b]");  // '$' stands at every line
    EXPECT_EQ(marked("^b", "a\nb"), "a\n[b]");
    EXPECT_EQ(marked("(?m:a.b)", "a\nb"), "[a\nb]");
    EXPECT_EQ(marked("a.b", "a\nb"), "a\nb");
    EXPECT_EQ(marked("(?i:LL)|é", "llÉé"), "[ll]É[é]");
    EXPECT_EQ(marked("\\v", "\x0B\n"), "[\x0B]\n");
    EXPECT_EQ(marked("\\x{4f60}|\\u597D|\\x41", "你好A"), "[你][好][A]");
    EXPECT_EQ(marked("x{,2}y", "xxxy"), "x[xxy]");
    EXPECT_EQ(marked("x{", "x{"), "[x{]");
    EXPECT_EQ(marked("\\ba", "a ba éa"), "[a] ba éa");
    EXPECT_EQ(marked("(?<=\\d)(a)(?<n>b)", "1ab ab"), "1[ab] ab");
    // U+3006 is Common by Script, Han only by Script_Extensions.
    EXPECT_EQ(marked("\\p{Han}+", "漢々〆"), "[漢々]〆");
    EXPECT_EQ(marked("\\p{^Lu}+", "aB"), "[a]B");
}

TEST(Regex, ClassOperations) {
    EXPECT_EQ(marked("[\\p{L}&&[^\\p{Han}]]+", "ab漢c"), "[ab]漢[c]");
    EXPECT_EQ(marked("[a[bc]d]+", "abcde"), "[abcd]e");
    EXPECT_EQ(marked("[^a[bc]]+", "xabcy"), "[x]abc[y]");
    EXPECT_EQ(marked("[^\\p{L}&&[^x]]+", "ax1"), "a[x1]");
    EXPECT_EQ(marked("[\\s-x]+", "a -x"), "a[ -x]");  // a hyphen beside a set is a hyphen
    EXPECT_EQ(marked("[+-\\d]+", "1+-,"), "[1+-],");
    EXPECT_EQ(marked("[\\W_]+", "a_-b"), "a[_-]b");
    EXPECT_EQ(marked("[]a]+", "[a]"), "[[a]]");
    EXPECT_EQ(marked("[a^]+", "^a"), "[^a]");
}

TEST(Regex, RefusesWhatIsNotSureToMeanTheSame) {
    for (const std::string pattern :
         {"(a)\\1", "[[:alpha:]]", "\\G",           "(*COMMIT)a", "(?x: a)",    "a(?i)b",
          "(?#c)",  "\\R",         "\\X",           "\\K",        "\\Qa\\E",    "\\x80",
          "[]",     "[a&&]",       "(?(1)a)",       "a{2}+",      "a{2}?",      "\\pL",
          "\\C",    "(?~a)",       "[\\p{L",        "\\",         "(",          "a)",
          "*",      "[b-a]",       "\\p{Nonsense}", "\\p{L&}",    "\\x{110000}"}) {
        EXPECT_NE(errorOf([&] { Regex::oniguruma(pattern); }), "") << pattern;
    }
    EXPECT_NE(errorOf([] { Regex::oniguruma(std::string(70000, 'a')); }), "");
    EXPECT_NE(errorOf([] { Regex::oniguruma(std::string(100, '[')); }), "");
    EXPECT_NE(errorOf([] { Regex::oniguruma(std::string(30000, '(')); }), "");
}

TEST(Regex, ExplodingExpressionEndsWithAnError) {
    const Regex regex = Regex::oniguruma("(?:a+)+$");
    RegexScratch scratch;
    EXPECT_EQ(errorOf([&] { regex.search(std::string(40, 'a') + "b", 0, scratch); }),
              "the regular expression takes too many steps on this text");
}

TEST(Regex, LiteralTextHasNoSyntax) {
    RegexScratch scratch;
    const auto match = Regex::literal("a.*[").search("xa.*[", 0, scratch);
    ASSERT_TRUE(match);
    EXPECT_EQ(match->begin, 1u);
    EXPECT_EQ(match->end, 5u);
}

// ---- work

int countStep(pcre2_callout_block*, void* count) {
    ++*static_cast<std::size_t*>(count);
    return 0;
}

/// Parts of the expression tried until `text` is split, counted by the matcher itself.
std::size_t stepsToSplit(const std::string& pattern, const std::string& text) {
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_AUTO_CALLOUT,
                                     &error, &at, nullptr);
    EXPECT_TRUE(code) << pattern;
    pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    std::size_t steps = 0;
    pcre2_set_callout(context, countStep, &steps);
    for (std::size_t from = 0; from < text.size();) {
        if (pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                        PCRE2_NO_UTF_CHECK, data, context) < 0) {
            break;
        }
        from = pcre2_get_ovector_pointer(data)[1];
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return steps;
}

std::string times(std::string_view part, std::size_t n) {
    std::string text;
    while (n-- > 0) text += part;
    return text;
}

TEST(RegexWork, IsProportionalToHostileText) {
    const auto golden = goldenTokenizer();
    std::vector<std::string> patterns = {
        "\\s+$",
        "[\r\n]",
        "\\s?\\p{L}+",
        "\\s?\\p{P}+",
        "\\p{N}+",
        "[一-龥ࠀ-一가-퟿]+",
        "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"};
    for (const auto& stage : golden.at("pre_tokenizer").at("pretokenizers")) {
        if (stage.at("type") == "Split") patterns.push_back(stage.at("pattern").at("Regex"));
    }
    for (const std::string& pattern : patterns) {
        const std::string translated = translateOnigurumaRegex(pattern);
        for (const std::string unit : {" ", "\n", "a", "1", "<", " \n", "\t ", "的", "'", "\x01"}) {
            for (const std::string tail : {"", "1", "a", "\n", "<"}) {
                const auto few = stepsToSplit(translated, times(unit, 500) + tail);
                const auto many = stepsToSplit(translated, times(unit, 5000) + tail);
                EXPECT_LE(many, 11 * few + 1000) << pattern << " on '" << unit << "'" << tail;
            }
        }
    }
}

TEST(RegexWork, TheCountSeesQuadraticWork) {
    const std::string plain = "[ ]+$";
    EXPECT_GT(stepsToSplit(plain, times(" ", 1000) + "1"),
              50 * stepsToSplit(plain, times(" ", 100) + "1"));
}

}  // namespace
}  // namespace gatescope
