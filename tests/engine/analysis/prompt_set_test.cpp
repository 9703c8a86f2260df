// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/prompt_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "engine/error.h"

namespace gatescope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string problemOf(const std::string& text) {
    try {
        parsePromptSet(text, "set.jsonl");
    } catch (const Error& error) {
        return error.what();
    }
    return "no problem";
}

TEST(PromptSet, DomainsInOrderAndHalvesInTurn) {
    const PromptSet set = parsePromptSet(
        "{\"prompt\": \"a\", \"domain\": \"stories\"}\n"
        "\n"
        "{\"prompt\": \"b\", \"domain\": \"code\", \"id\": \"second\", \"more\": [1]}\r\n"
        "{\"prompt\": \"c\", \"domain\": \"stories\"}\n"
        "{\"prompt\": \"天空\", \"domain\": \"stories\"}",
        "set.jsonl");
    EXPECT_THAT(set.domains, ElementsAre("stories", "code"));
    ASSERT_EQ(set.prompts.size(), 4u);
    EXPECT_EQ(set.prompts[0].id, "stories 1");
    EXPECT_EQ(set.prompts[1].id, "second");
    EXPECT_EQ(set.prompts[1].line, 3);
    EXPECT_EQ(set.prompts[1].domain, 1);
    EXPECT_EQ(set.prompts[1].half, 0);  // the first of its domain
    EXPECT_EQ(set.prompts[2].half, 1);
    EXPECT_EQ(set.prompts[3].half, 0);
    EXPECT_EQ(set.prompts[3].prompt, "天空");
}

TEST(PromptSet, ABadLineIsNamed) {
    const std::string good = "{\"prompt\": \"a\", \"domain\": \"x\"}\n";
    EXPECT_THAT(problemOf(good + "{\"prompt\": \"a\"}"), HasSubstr("set.jsonl: line 2: "));
    EXPECT_THAT(problemOf(good + "{\"prompt\": \"a\"}"), HasSubstr("domain"));
    EXPECT_THAT(problemOf(good + good + "not json"), HasSubstr("set.jsonl: line 3: "));
    EXPECT_THAT(problemOf("{\"prompt\": 5, \"domain\": \"x\"}"), HasSubstr("prompt: expected"));
    EXPECT_THAT(problemOf("{\"prompt\": \" \", \"domain\": \"x\"}"), HasSubstr("prompt: is empty"));
    EXPECT_THAT(problemOf("{\"prompt\": \"\xFF\", \"domain\": \"x\"}"), HasSubstr("line 1"));
    EXPECT_THAT(problemOf("[1]"), HasSubstr("line 1: expected an object"));
    EXPECT_THAT(problemOf(""), HasSubstr("set.jsonl: holds no prompt"));
    EXPECT_THAT(problemOf("\n \n"), HasSubstr("holds no prompt"));
}

TEST(PromptSet, Limits) {
    const auto line = [](const std::string& prompt, const std::string& domain) {
        return "{\"prompt\": \"" + prompt + "\", \"domain\": \"" + domain + "\"}\n";
    };
    EXPECT_EQ(problemOf(line(std::string(kMaxPromptBytes, 'a'), "x")), "no problem");
    EXPECT_THAT(problemOf(line(std::string(kMaxPromptBytes + 1, 'a'), "x")),
                HasSubstr("line 1: prompt: 1048577 bytes are too many"));
    EXPECT_THAT(problemOf(line("a", std::string(65, 'd'))), HasSubstr("line 1: domain: 65 bytes"));
    std::string many;
    for (int i = 0; i < 65; ++i) many += line("a", "domain " + std::to_string(i));
    EXPECT_THAT(problemOf(many), HasSubstr("line 65: domain \"domain 64\" is one too many"));
}

TEST(PromptSet, TheDemoModelsSet) {
    const PromptSet set =
        readPromptSet(std::string(GATESCOPE_DEMO_MODEL_DIR) + "/domain-prompts.jsonl");
    EXPECT_THAT(set.domains,
                ElementsAre("stories", "arithmetic", "code", "Chinese", "facts", "records"));
    std::map<int, std::array<int, 2>> prompts;
    for (const LabelledPrompt& prompt : set.prompts) {
        ++prompts[prompt.domain][static_cast<std::size_t>(prompt.half)];
    }
    for (const auto& [domain, halves] : prompts) {
        EXPECT_GE(halves[0], 10) << domain;
        EXPECT_GE(halves[1], 10) << domain;
    }
    EXPECT_THROW(readPromptSet("/nowhere/set.jsonl"), Error);
    EXPECT_THROW(readPromptSet(GATESCOPE_DEMO_MODEL_DIR), Error);
}

}  // namespace
}  // namespace gatescope
