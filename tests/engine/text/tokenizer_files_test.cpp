// SPDX-License-Identifier: Apache-2.0
// What a tokenizer.json may and may not say.
#include <map>

#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;
using nlohmann::json;
using Ids = std::vector<TokenId>;

std::string refusal(const json& tokenizer, const json& settings = {}) {
    return errorOf([&] { load(tokenizer, settings); });
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(TokenizerFiles, EveryBadCaseIsRefusedByItsName) {
    const fs::path bad = fs::path(GATESCOPE_GOLDEN_DIR) / "bad";
    const json list = readJson(bad / "bad.json");
    // bad.json says in words what a message should name; these are its parts.
    const std::map<std::string, std::string> names = {
        {"tok-unknown-merge", "x y"},    {"tok-merge-result", "bc"},
        {"tok-merge-form", "merge"},     {"tok-dup-id", "3"},
        {"tok-negative-id", "-5"},       {"tok-huge-id", "1099511627776"},
        {"tok-model-type", "WordPiece"}, {"tok-regex", "pre_tokenizer"},
        {"tok-not-json", "JSON"},        {"tok-empty", "empty"}};
    std::size_t seen = 0;
    for (const json& c : list.at("cases")) {
        if (c.at("stage") != "tokenizer") continue;
        ++seen;
        const auto dir = c.at("dir").get<std::string>();
        const std::string said = errorOf([&] { Tokenizer{bad / dir}; });
        ASSERT_TRUE(names.contains(dir)) << dir;
        EXPECT_TRUE(contains(said, names.at(dir))) << dir << ": " << said;
        EXPECT_TRUE(said.starts_with("tokenizer.json: ")) << said;
        EXPECT_FALSE(contains(said, "\n")) << said;
    }
    EXPECT_EQ(seen, names.size());
}

TEST(TokenizerFiles, MissingFileIsNamed) {
    const ModelDir dir;
    EXPECT_TRUE(contains(errorOf([&] { Tokenizer{dir.path()}; }), "tokenizer.json"));
}

TEST(TokenizerFiles, RefusesWhatItCannotHonour) {
    const auto with = [](const char* place, const json& value) {
        json tokenizer = goldenTokenizer();
        tokenizer[json::json_pointer(place)] = value;
        return refusal(tokenizer);
    };
    EXPECT_EQ(with("/normalizer", {{"type", "NFC"}}),
              "tokenizer.json: normalizer.type: normalizer \"NFC\" is not supported");
    EXPECT_EQ(with("/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Strip"}}}}}),
              "tokenizer.json: normalizer.normalizers[0].type: normalizer \"Strip\" is not "
              "supported");
    EXPECT_EQ(with("/decoder", {{"type", "WordPiece"}}),
              "tokenizer.json: decoder.type: decoder \"WordPiece\" is not supported");
    EXPECT_EQ(with("/model/type", "Unigram"),
              "tokenizer.json: model.type: tokenizer model \"Unigram\" is not supported, only BPE");
    EXPECT_TRUE(contains(with("/model/dropout", 0.1), "model.dropout"));
    EXPECT_TRUE(contains(with("/model/end_of_word_suffix", "</w>"), "end_of_word_suffix"));
    EXPECT_TRUE(contains(with("/model/continuing_subword_prefix", "##"), "subword_prefix"));
    EXPECT_TRUE(contains(with("/model/vocab", json::array()), "model.vocab"));
    EXPECT_TRUE(contains(with("/model/vocab/the", "12"), "model.vocab.the"));
    EXPECT_TRUE(contains(with("/model/vocab/the", 1.5), "1.5"));
    EXPECT_TRUE(contains(with("/model/merges", nullptr), "model.merges"));
    EXPECT_TRUE(contains(with("/model/merges/3", {"a", "b", "c"}), "model.merges[3]"));
    EXPECT_TRUE(contains(with("/model/merges/3", 7), "model.merges[3]"));
    EXPECT_TRUE(contains(with("/pre_tokenizer", nullptr), "pre_tokenizer"));
    EXPECT_TRUE(contains(with("/added_tokens/0/content", ""), "added_tokens[0]"));
    EXPECT_TRUE(contains(with("/added_tokens/0/content", std::string(600, 'a')), "512"));
    EXPECT_TRUE(contains(with("/added_tokens/3/id", 2147483648), "2147483648"));
    EXPECT_TRUE(contains(with("/added_tokens/3/id", -1), "-1"));
    EXPECT_TRUE(contains(with("/added_tokens/3/id", 5), "has the id 5"));
    EXPECT_TRUE(contains(with("/added_tokens/3/id", 1260), "has the id 1260"));
    EXPECT_TRUE(contains(with("/added_tokens/0/id", 2000), "has the id 2000 here and 0"));
    EXPECT_TRUE(contains(with("/added_tokens/4/content", "<think>"), "added twice"));
}

TEST(TokenizerFiles, AcceptsHarmlessVariants) {
    const Ids expected = Tokenizer(goldenTokenizerDir).encode("The router's 2024 模型");
    const auto with = [](const char* place, const json& value) {
        json tokenizer = goldenTokenizer();
        tokenizer[json::json_pointer(place)] = value;
        return load(tokenizer).encode("The router's 2024 模型");
    };
    EXPECT_EQ(with("/normalizer", nullptr), expected);
    EXPECT_EQ(with("/decoder", nullptr), expected);
    EXPECT_EQ(with("/model/byte_fallback", true), expected);  // every byte has a token
    EXPECT_EQ(with("/model/unk_token", "<unk>"), expected);
    EXPECT_EQ(with("/model/end_of_word_suffix", ""), expected);
    EXPECT_EQ(with("/model/dropout", 0), expected);
    json tokenizer = goldenTokenizer();
    tokenizer["model"].erase("type");
    json merges = {"#version: 0.2"};
    for (const json& merge : tokenizer["model"]["merges"]) merges.push_back(merge);
    tokenizer["model"]["merges"] = merges;
    EXPECT_EQ(load(tokenizer).encode("The router's 2024 模型"), expected);
}

TEST(TokenizerFiles, LackingBytes) {
    json tokenizer = goldenTokenizer();
    tokenizer["model"]["merges"] = json::array();
    tokenizer["model"]["vocab"].erase("x");
    EXPECT_EQ(errorOf([&] { load(tokenizer).encode("axb"); }),
              "the vocabulary lacks the byte 0x78 of the text");
    EXPECT_EQ(load(tokenizer).encode("ab").size(), 2u);
    tokenizer["model"]["unk_token"] = "y";
    const TokenId unknown = tokenizer["model"]["vocab"]["y"];
    EXPECT_EQ(load(tokenizer).encode("x"), Ids{unknown});
    tokenizer["model"]["byte_fallback"] = true;
    EXPECT_TRUE(contains(refusal(tokenizer), "model.byte_fallback"));
}

TEST(TokenizerFiles, IgnoreMergesTakesAWholeTokenFirst) {
    json tokenizer = goldenTokenizer();
    // "qzx" is a token no merge leads to.
    tokenizer["model"]["vocab"]["qzx"] = 1300;
    tokenizer["model"]["vocab"]["Ġqzx"] = 1301;
    EXPECT_EQ(load(tokenizer).encode("qzx").size(), 3u);
    tokenizer["model"]["ignore_merges"] = true;
    EXPECT_EQ(load(tokenizer).encode("qzx qzx"), (Ids{1300, 1301}));
    EXPECT_EQ(load(tokenizer).encode("qzxq").size(), 4u);
    EXPECT_EQ(load(tokenizer).decode({1301}), " qzx");
}

TEST(TokenizerFiles, IdsMayHaveGapsButNotFarBeyondTheirNumber) {
    json tokenizer = goldenTokenizer();
    tokenizer["model"]["vocab"]["qzx"] = 20000;
    const Tokenizer gappy = load(tokenizer);
    EXPECT_EQ(gappy.vocabSize(), 20001u);
    EXPECT_EQ(gappy.bytes(19999), "");
    EXPECT_EQ(gappy.bytes(20000), "qzx");
    tokenizer["model"]["vocab"]["qzx"] = 5000000;
    EXPECT_TRUE(contains(refusal(tokenizer), "5000000"));
}

TEST(TokenizerSettings, FormsOfTokensAndTemplates) {
    const json golden = goldenTokenizer();
    const auto settings = [&](const json& value) { return load(golden, value); };
    const Tokenizer none = load(golden);
    EXPECT_FALSE(none.addBos());
    EXPECT_EQ(none.bos(), std::nullopt);
    EXPECT_EQ(none.chatTemplate(), "");
    const Tokenizer plain = settings({{"bos_token", "<think>"}, {"eos_token", nullptr}});
    EXPECT_EQ(plain.bos(), 1266);
    EXPECT_EQ(plain.eos(), std::nullopt);
    EXPECT_FALSE(plain.addBos());
    EXPECT_TRUE(
        settings({{"bos_token", "<think>"}, {"tokenizer_class", "LlamaTokenizerFast"}}).addBos());
    EXPECT_FALSE(
        settings({{"add_bos_token", false}, {"tokenizer_class", "LlamaTokenizerFast"}}).addBos());
    const json list = {{{"name", "tool_use"}, {"template", "T"}},
                       {{"name", "default"}, {"template", "D"}}};
    EXPECT_EQ(settings({{"chat_template", list}}).chatTemplate(), "D");
    EXPECT_EQ(refusal(golden, {{"bos_token", "<s>"}}),
              "tokenizer_config.json: bos_token: \"<s>\" is no token of tokenizer.json");
    EXPECT_EQ(refusal(golden, {{"add_bos_token", "yes"}}),
              "tokenizer_config.json: add_bos_token: expected true or false, found the string "
              "\"yes\"");
}

TEST(TokenizerSettings, TemplateInAFileOfItsOwn) {
    const ModelDir dir;
    dir.write("tokenizer.json", goldenTokenizer());
    dir.write("tokenizer_config.json", json{{"chat_template", "old"}});
    dir.write("chat_template.jinja", std::string("new"));
    EXPECT_EQ(Tokenizer(dir.path()).chatTemplate(), "new");
}

}  // namespace
}  // namespace gatescope
