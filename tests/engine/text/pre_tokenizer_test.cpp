// SPDX-License-Identifier: Apache-2.0
#include "engine/text/pre_tokenizer.h"

#include "engine/checkpoint/json.h"
#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;
using nlohmann::json;
using Strings = std::vector<std::string>;

json split(const std::string& regex, const std::string& behavior = "Isolated",
           bool invert = false) {
    return {{"type", "Split"},
            {"pattern", {{"Regex", regex}}},
            {"behavior", behavior},
            {"invert", invert}};
}

json byteLevel(bool useRegex = false, bool prefix = false) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"use_regex", useRegex}};
}

json sequence(std::vector<json> stages) {
    return {{"type", "Sequence"}, {"pretokenizers", std::move(stages)}};
}

PreTokenizer make(const json& description) {
    const auto document = JsonDocument::parse(description.dump(), "tokenizer.json");
    return PreTokenizer::fromJson(document.root());
}

Strings pieces(const json& description, std::string_view text) {
    Pieces result;
    RegexScratch scratch;
    make(description).split(text, result, scratch);
    return {result.list.begin(), result.list.end()};
}

TEST(PreTokenizer, Behaviors) {
    const auto cut = [](const char* behavior, bool invert = false) {
        return pieces(sequence({split("-", behavior, invert), byteLevel()}), "-a--bc-");
    };
    EXPECT_EQ(cut("Isolated"), (Strings{"-", "a", "-", "-", "bc", "-"}));
    EXPECT_EQ(cut("Removed"), (Strings{"a", "bc"}));
    EXPECT_EQ(cut("MergedWithPrevious"), (Strings{"-", "a-", "-", "bc-"}));
    EXPECT_EQ(cut("MergedWithNext"), (Strings{"-a", "-", "-bc", "-"}));
    EXPECT_EQ(cut("Contiguous"), (Strings{"-", "a", "--", "bc", "-"}));
    EXPECT_EQ(cut("Removed", true), (Strings{"-", "-", "-", "-"}));
    EXPECT_EQ(cut("MergedWithPrevious", true), (Strings{"-a", "-", "-bc", "-"}));
    EXPECT_EQ(cut("MergedWithNext", true), (Strings{"-", "a-", "-", "bc-"}));
}

TEST(PreTokenizer, EachPieceIsSeenOnItsOwn) {
    // The lookahead ends at the piece's border, so the spaces before the digit stay together.
    EXPECT_EQ(pieces(sequence({split("\\d"), split("\\s+(?!\\S)"), byteLevel()}), "a  1"),
              (Strings{"a", "  ", "1"}));
    EXPECT_EQ(pieces(sequence({split("\\s+(?!\\S)"), byteLevel()}), "a  1"),
              (Strings{"a", " ", " 1"}));
}

TEST(PreTokenizer, EmptyMatchesCutButDoNotStall) {
    EXPECT_EQ(pieces(sequence({split("x*"), byteLevel()}), "axxb"), (Strings{"a", "xx", "b"}));
    EXPECT_EQ(pieces(sequence({split(""), byteLevel()}), "a的b"), (Strings{"a", "的", "b"}));
}

TEST(PreTokenizer, StringPatternIsPlainText) {
    json stage = split("");
    stage["pattern"] = {{"String", "."}};
    EXPECT_EQ(pieces(sequence({stage, byteLevel()}), "a.b"), (Strings{"a", ".", "b"}));
}

TEST(PreTokenizer, Digits) {
    const auto digits = [](bool individual) {
        return sequence({{{"type", "Digits"}, {"individual_digits", individual}}, byteLevel()});
    };
    EXPECT_EQ(pieces(digits(true), "a12½b"), (Strings{"a", "1", "2", "½", "b"}));
    EXPECT_EQ(pieces(digits(false), "a12½b"), (Strings{"a", "12½", "b"}));
}

TEST(PreTokenizer, ByteLevel) {
    EXPECT_EQ(pieces(byteLevel(true), "it's  12 x"), (Strings{"it", "'s", " ", " 12", " x"}));
    EXPECT_EQ(pieces(byteLevel(false, true), "ab"), (Strings{" ab"}));
    EXPECT_EQ(pieces(byteLevel(false, true), " ab"), (Strings{" ab"}));
    EXPECT_EQ(pieces(byteLevel(false, true), ""), Strings{});
    // The space goes before every piece that stages before left, as Hugging Face does.
    EXPECT_EQ(pieces(sequence({split(","), byteLevel(true, true)}), "ab, c"),
              (Strings{" ab", " ,", " c"}));
}

TEST(PreTokenizer, StyleOfDeepseekV2) {
    const json v2 = sequence({split("[\r\n]"),
                              split("\\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+"),
                              split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"),
                              split("\\s+$"),
                              split("[一-龥ࠀ-一가-퟿]+"),
                              {{"type", "Digits"}, {"individual_digits", true}},
                              byteLevel()});
    EXPECT_EQ(pieces(v2, "Hi you,  12中文。\n  "),
              (Strings{"Hi", " you", ",", "  ", "1", "2", "中文", "。", "\n", "  "}));
}

TEST(PreTokenizer, RefusesByName) {
    const auto refusal = [](const json& description) {
        return errorOf([&] { make(description); });
    };
    EXPECT_EQ(
        refusal(sequence({{{"type", "Metaspace"}}, byteLevel()})),
        "tokenizer.json: pretokenizers[0].type: pre-tokenizer \"Metaspace\" is not supported");
    EXPECT_EQ(refusal(sequence({split("a")})),
              "tokenizer.json: has no ByteLevel stage; only byte-level BPE is supported");
    EXPECT_EQ(refusal(sequence({byteLevel(), split("a")})),
              "tokenizer.json: pretokenizers[1]: stands after ByteLevel, which must be the last "
              "stage");
    EXPECT_EQ(refusal(sequence({split("a", "Joined"), byteLevel()})),
              "tokenizer.json: pretokenizers[0].behavior: unknown behavior \"Joined\"");
    EXPECT_NE(refusal(sequence({split("(a"), byteLevel()})), "");
    json deep = byteLevel();
    for (int i = 0; i < 20; ++i) deep = sequence({deep});
    EXPECT_NE(refusal(deep), "");
}

TEST(PreTokenizer, ExplodingExpressionNamesItsStage) {
    const PreTokenizer tokenizer = make(sequence({split("b"), split("(?:a+)+$"), byteLevel()}));
    Pieces result;
    RegexScratch scratch;
    EXPECT_EQ(errorOf([&] { tokenizer.split(std::string(40, 'a') + "c", result, scratch); }),
              "tokenizer.json: pretokenizers[1]: the regular expression takes too many steps on "
              "this text");
}

}  // namespace
}  // namespace gatescope
