// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using test::errorOf;
using testing::HasSubstr;
using testing::StartsWith;

std::string parseError(std::string_view text) {
    return errorOf([&] { JsonDocument::parse(text, "some.json"); });
}

TEST(Json, refusesWhatIsNotJson) {
    EXPECT_EQ(parseError(""), "some.json: not valid JSON: it is empty");
    EXPECT_EQ(parseError("{\"a\": 1"), "some.json: not valid JSON: it ends too early");
    EXPECT_EQ(parseError("{\n \"a\": wrong}"),
              "some.json: not valid JSON: error at line 2, column 7");
    EXPECT_THAT(parseError("[1,]"), StartsWith("some.json: not valid JSON: error at line 1"));
    EXPECT_THAT(parseError("[NaN]"), HasSubstr("not valid JSON"));
    EXPECT_THAT(parseError("[1] // remark"), HasSubstr("not valid JSON"));
}

TEST(Json, refusesTextAfterTheValueEvenBehindANulByte) {
    EXPECT_THAT(parseError("{} x"), HasSubstr("line 1, column 4"));
    EXPECT_THAT(parseError(std::string_view("{}\0{}", 5)), HasSubstr("NUL"));
}

TEST(Json, refusesInvalidUtf8) {
    EXPECT_THAT(parseError("[\"\xff\"]"), HasSubstr("not valid JSON"));
    EXPECT_THAT(parseError("[\"\xc0\x80\"]"), HasSubstr("not valid JSON"));
    EXPECT_THAT(parseError("[\"\\ud800\"]"), HasSubstr("not valid JSON"));
}

TEST(Json, refusesAKeyThatAppearsTwice) {
    EXPECT_EQ(parseError(R"({"a": {"b": 1, "c": 2, "b": 1}})"), "some.json: b: appears twice");
    EXPECT_NO_THROW(JsonDocument::parse(R"([{"b": 1}, {"b": 1, "c": {"b": 2}}])", "x"));
}

TEST(Json, refusesDeepNestingAtTheLimit) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_NO_THROW(JsonDocument::parse(nested(64), "x"));
    EXPECT_THAT(parseError(nested(65)), HasSubstr("depth exceeds 64"));
    EXPECT_THAT(parseError(std::string(1'000'000, '[')), HasSubstr("depth exceeds 64"));
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    EXPECT_THAT(parseError(objects), HasSubstr("depth exceeds 64"));
}

TEST(Json, refusesNumbersBeyondDouble) {
    EXPECT_THAT(parseError("[1e999]"), HasSubstr("number"));
}

TEST(Json, refusesMoreValuesThanItsBound) {
    std::string text = "[0";
    for (int i = 0; i < 5'000'000; ++i) text += ",0";
    EXPECT_THAT(parseError(text + "]"), HasSubstr("more than 5000000"));
}

TEST(Json, readsWholeNumbersHoweverTheyAreWritten) {
    const auto document = JsonDocument::parse(
        R"([7, -7, 10000.0, 1e4, 9223372036854775807, 2.5, "7", 18446744073709551615, 1e300, true])",
        "f.json");
    const JsonValue root = document.root();
    EXPECT_EQ(root.at(0).integer(), 7);
    EXPECT_EQ(root.at(1).integer(), -7);
    EXPECT_EQ(root.at(2).integer(), 10000);
    EXPECT_EQ(root.at(3).integer(), 10000);
    EXPECT_EQ(root.at(4).integer(), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(errorOf([&] { root.at(5).integer(); }),
              "f.json: [5]: expected a whole number, found 2.5");
    EXPECT_EQ(errorOf([&] { root.at(6).integer(); }),
              "f.json: [6]: expected a whole number, found the string \"7\"");
    EXPECT_THAT(errorOf([&] { root.at(7).integer(0, 9); }),
                HasSubstr("must be from 0 to 9, found 18446744073709551615"));
    EXPECT_THAT(errorOf([&] { root.at(8).integer(); }), HasSubstr("below 2^63"));
    EXPECT_THAT(errorOf([&] { root.at(9).integer(); }), HasSubstr("found true"));
    EXPECT_EQ(errorOf([&] { root.at(0).integer(8, 9); }),
              "f.json: [0]: must be from 8 to 9, found 7");
}

TEST(Json, namesTheFieldInEveryComplaint) {
    const auto document =
        JsonDocument::parse(R"({"a": {"b": [true, null, "x"], "n": null}})", "f.json");
    const JsonValue a = document.root().at("a");
    EXPECT_FALSE(a.find("n"));
    EXPECT_FALSE(a.find("absent"));
    EXPECT_EQ(errorOf([&] { a.at("n"); }), "f.json: a.n: missing");
    EXPECT_EQ(errorOf([&] { a.at("absent"); }), "f.json: a.absent: missing");
    EXPECT_EQ(errorOf([&] { a.at("b").at(3); }), "f.json: a.b[3]: missing");
    EXPECT_EQ(errorOf([&] { a.at("b").at("c"); }),
              "f.json: a.b: expected an object, found an array");
    EXPECT_EQ(errorOf([&] { a.at("b").at(2).number(); }),
              "f.json: a.b[2]: expected a number, found the string \"x\"");
    EXPECT_EQ(errorOf([&] { a.at("b").at(2).boolean(); }),
              "f.json: a.b[2]: expected true or false, found the string \"x\"");
    EXPECT_EQ(errorOf([&] { a.at("b").at(1).string(); }),
              "f.json: a.b[1]: expected a string, found null");
    EXPECT_EQ(errorOf([&] { a.forEachElement([](std::size_t, JsonValue) {}); }),
              "f.json: a: expected an array, found an object");
}

TEST(Json, visitsMembersAndElementsWithTheirPaths) {
    const auto document = JsonDocument::parse(R"({"b": [10, 20], "a": 1})", "f");
    std::vector<std::string> seen;
    document.root().forEachMember([&](const std::string& key, const JsonValue& value) {
        seen.push_back(key + value.path());
    });
    document.root().at("b").forEachElement([&](std::size_t, const JsonValue& value) {
        seen.push_back(value.path() + "=" + std::to_string(value.integer()));
    });
    EXPECT_THAT(seen, testing::ElementsAre("aa", "bb", "b[0]=10", "b[1]=20"));
}

TEST(Json, escapesControlCharactersOfKeysAndStringsInMessages) {
    const auto document = JsonDocument::parse("{\"a\\u001b[2J\": \"x\\ny\"}", "f");
    const std::string message = errorOf([&] { document.root().at("a\x1b[2J").integer(); });
    EXPECT_EQ(message, "f: a\\x1B[2J: expected a whole number, found the string \"x\\x0Ay\"");
}

TEST(Json, readsFilesUpToALimit) {
    const test::TestFolder folder;
    test::writeFile(folder / "a.json", "[1, 2]");
    EXPECT_EQ(JsonDocument::read(folder / "a.json", 6).root().size(), 2U);
    EXPECT_THAT(errorOf([&] { JsonDocument::read(folder / "a.json", 5); }),
                testing::EndsWith("a.json: is longer than 5 bytes"));
    test::writeFile(folder / "b.json", "[1, 2");
    EXPECT_THAT(errorOf([&] { JsonDocument::read(folder / "b.json", 100); }),
                StartsWith("b.json: not valid JSON"));
}

}  // namespace
}  // namespace gatescope
