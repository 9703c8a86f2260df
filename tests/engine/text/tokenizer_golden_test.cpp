// SPDX-License-Identifier: Apache-2.0
// The recorded cases: ids, pieces, bytes and streams of the golden tokenizer and of v3-mini.
#include "engine/text/utf8_stream.h"
#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;

const nlohmann::json& cases() {
    static const nlohmann::json all = readJson(goldenTokenizerDir / "cases.json");
    return all;
}

using Ids = std::vector<TokenId>;
using Strings = std::vector<std::string>;

/// What may be printed after each id, and at the end.
std::pair<Strings, std::string> streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip) {
    Utf8Stream stream;
    Strings parts;
    for (const TokenId id : ids) {
        parts.push_back(skip && tokenizer.isSpecial(id) ? "" : stream.push(tokenizer.bytes(id)));
    }
    return {parts, stream.flush()};
}

/// Both spellings of the merges.
class GoldenTokenizer : public testing::TestWithParam<const char*> {
  protected:
    static Tokenizer loadForm(const char* file) {
        const ModelDir dir;
        dir.write("tokenizer.json", readAll(goldenTokenizerDir / file));
        dir.write("tokenizer_config.json", readAll(goldenTokenizerDir / "tokenizer_config.json"));
        return Tokenizer(dir.path());
    }
    const Tokenizer m_tokenizer = loadForm(GetParam());
};

TEST_P(GoldenTokenizer, Encodes) {
    ASSERT_GT(cases().at("encode").size(), 100u);
    for (const auto& c : cases().at("encode")) {
        const auto text = c.at("text").get<std::string>();
        EXPECT_EQ(m_tokenizer.pieces(text), c.at("pieces").get<Strings>()) << text;
        const Ids ids = m_tokenizer.encode(text);
        EXPECT_EQ(ids, c.at("ids").get<Ids>()) << text;
        EXPECT_EQ(toValidUtf8(m_tokenizer.decode(ids, true)),
                  c.at("decoded_skip_special").get<std::string>());
        EXPECT_EQ(m_tokenizer.decode(ids), text);
    }
}

TEST_P(GoldenTokenizer, DecodesAndStreams) {
    ASSERT_GT(cases().at("decode").size(), 20u);
    for (const auto& c : cases().at("decode")) {
        const auto name = c.at("name").get<std::string>();
        const auto ids = c.at("ids").get<Ids>();
        const std::string bytes = m_tokenizer.decode(ids);
        EXPECT_EQ(bytes, fromHex(c.at("bytes_hex").get<std::string>())) << name;
        EXPECT_EQ(toValidUtf8(bytes), c.at("text").get<std::string>()) << name;
        EXPECT_EQ(toValidUtf8(m_tokenizer.decode(ids, true)),
                  c.at("text_skip_special").get<std::string>())
            << name;
        const auto [parts, rest] = streamed(m_tokenizer, ids, false);
        EXPECT_EQ(parts, c.at("stream").get<Strings>()) << name;
        EXPECT_EQ(rest, c.at("stream_flush").get<std::string>()) << name;
        const auto [shown, shownRest] = streamed(m_tokenizer, ids, true);
        EXPECT_EQ(shown, c.at("stream_skip_special").get<Strings>()) << name;
        EXPECT_EQ(shownRest, c.at("stream_flush_skip_special").get<std::string>()) << name;
    }
}

TEST_P(GoldenTokenizer, RefusesOrReplacesInvalidInput) {
    for (const auto& c : cases().at("invalid_input")) {
        const auto hex = c.at("bytes_hex").get<std::string>();
        const std::string bytes = fromHex(hex);
        EXPECT_EQ(isValidUtf8(bytes), c.at("valid_utf8").get<bool>()) << hex;
        EXPECT_EQ(toValidUtf8(bytes), c.at("as_replaced").get<std::string>()) << hex;
        EXPECT_EQ(m_tokenizer.encode(bytes), c.at("ids_if_replaced").get<Ids>()) << hex;
        if (c.at("valid_utf8").get<bool>()) continue;
        EXPECT_THROW(m_tokenizer.encode(bytes, true, InvalidUtf8::Reject), Error) << hex;
    }
    EXPECT_EQ(errorOf([&] { m_tokenizer.encode("ab\xFF", true, InvalidUtf8::Reject); }),
              "the text is not UTF-8: byte 2 begins no character");
}

TEST_P(GoldenTokenizer, KnowsItsTokens) {
    EXPECT_EQ(m_tokenizer.vocabSize(), cases().at("vocab_size_incl_added").get<std::size_t>());
    EXPECT_TRUE(m_tokenizer.addBos());
    EXPECT_EQ(m_tokenizer.bos(), 0);
    EXPECT_EQ(m_tokenizer.eos(), 1);
    EXPECT_EQ(m_tokenizer.find("<think>"), 1266);
    EXPECT_EQ(m_tokenizer.find("the"), std::nullopt);  // in the vocabulary, not added
    EXPECT_TRUE(m_tokenizer.isAdded(1266));
    EXPECT_FALSE(m_tokenizer.isSpecial(1266));
    EXPECT_TRUE(m_tokenizer.isSpecial(0));
    EXPECT_FALSE(m_tokenizer.isAdded(3));
    for (const TokenId id : {-1, 1268, 129280, 2147483647}) {
        EXPECT_EQ(m_tokenizer.bytes(id), "");
        EXPECT_FALSE(m_tokenizer.isSpecial(id));
    }
}

INSTANTIATE_TEST_SUITE_P(BothMergeForms, GoldenTokenizer,
                         testing::Values("tokenizer.json", "tokenizer_pair_merges.json"));

TEST(GoldenText, PromptsAndStreamsOfV3Mini) {
    const fs::path golden(GATESCOPE_GOLDEN_DIR);
    const Tokenizer tokenizer(golden / "ckpt" / "v3-mini");
    const auto text = readJson(golden / "golden" / "v3-mini" / "text.json");
    ASSERT_FALSE(text.at("cases").empty());
    for (const auto& c : text.at("cases")) {
        Ids ids = tokenizer.encode(c.at("text").get<std::string>());
        ids.insert(ids.begin(), tokenizer.bos().value());
        EXPECT_EQ(ids, c.at("ids_with_bos").get<Ids>());
        const auto greedy = c.at("greedy_ids").get<Ids>();
        EXPECT_EQ(toValidUtf8(tokenizer.decode(greedy)), c.at("greedy_text").get<std::string>());
        const auto [parts, rest] = streamed(tokenizer, greedy, false);
        EXPECT_EQ(parts, c.at("stream").get<Strings>());
        EXPECT_EQ(rest, c.at("stream_flush").get<std::string>());
    }
}

void expectRoundTrips(const Tokenizer& tokenizer) {
    std::mt19937 random(11);
    for (int round = 0; round < 1500; ++round) {
        const std::string text = randomText(random, 1 + round % 40);
        for (const bool parseSpecial : {true, false}) {
            const Ids ids = tokenizer.encode(text, parseSpecial);
            ASSERT_EQ(tokenizer.decode(ids), text);
            std::string joined;
            const auto [parts, rest] = streamed(tokenizer, ids, false);
            for (const std::string& part : parts) {
                ASSERT_TRUE(isValidUtf8(part));
                joined += part;
            }
            ASSERT_EQ(joined + rest, text);
            if (parseSpecial) continue;
            for (const TokenId id : ids) ASSERT_FALSE(tokenizer.isAdded(id)) << text;
        }
        std::string pieces;
        for (const std::string& piece : tokenizer.pieces(text)) pieces += piece;
        ASSERT_EQ(pieces, text);
    }
}

TEST(TokenizerProperty, DecodingGivesTheTextBack) {
    expectRoundTrips(Tokenizer(goldenTokenizerDir));
    expectRoundTrips(Tokenizer(GATESCOPE_DEMO_MODEL_DIR));
}

}  // namespace
}  // namespace gatescope
