// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "engine/error.h"
#include "engine/text/tokenizer.h"
#include "engine/text/utf8_stream.h"
#include "engine/verify/case_checks.h"
#include "engine/verify/deviation.h"
#include "engine/verify/golden_model.h"

namespace gatescope {
namespace {

constexpr std::size_t kMaxJsonBytes = 256 << 20;
constexpr const char* kSubject = "tokenizer";

std::string bytesOfHex(const JsonValue& json) {
    const std::string& hex = json.string();
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned value = 0;
        const char* end = hex.data() + i + 2;
        if (std::from_chars(hex.data() + i, end, value, 16).ptr != end) {
            throw json.error("is not hexadecimal");
        }
        bytes += static_cast<char>(value);
    }
    return bytes;
}

std::vector<std::string> stringList(const JsonValue& json) {
    std::vector<std::string> list;
    json.forEachElement([&list](std::size_t, JsonValue item) { list.push_back(item.string()); });
    return list;
}

/// What a stream prints after each id, special tokens left out if asked.
std::vector<std::string> streamed(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                                  bool skipSpecial, std::string& flushed) {
    Utf8Stream stream;
    std::vector<std::string> pieces;
    for (const TokenId id : ids) {
        const bool skip = skipSpecial && tokenizer.isSpecial(id);
        pieces.push_back(skip ? std::string() : stream.push(tokenizer.bytes(id)));
    }
    flushed = stream.flush();
    return pieces;
}

void checkEncode(const Tokenizer& tokenizer, const JsonValue& cases, const CheckSink& sink) {
    Mismatches pieces;
    Mismatches ids;
    Mismatches decoded;
    cases.forEachElement([&](std::size_t i, JsonValue item) {
        const std::string where = fmt::format("encode case {}", i);
        const std::string& text = item.at("text").string();
        const std::vector<TokenId> expected = tokenList(item.at("ids"));
        if (const auto list = item.find("pieces")) {
            pieces.add(where, tokenizer.pieces(text) == stringList(*list));
        }
        ids.add(where, tokenizer.encode(text) == expected);
        if (const auto golden = item.find("decoded_skip_special")) {
            decoded.add(where, toValidUtf8(tokenizer.decode(expected, true)) == golden->string());
        }
    });
    if (!pieces.empty()) sink(pieces.check(kSubject, "pieces", "texts"));
    if (!ids.empty()) sink(ids.check(kSubject, "text to ids", "texts"));
    if (!decoded.empty()) sink(decoded.check(kSubject, "decoded again", "texts"));
}

void checkDecode(const Tokenizer& tokenizer, const JsonValue& cases, const CheckSink& sink) {
    Mismatches bytes;
    Mismatches text;
    Mismatches stream;
    cases.forEachElement([&](std::size_t i, JsonValue item) {
        const std::string where = fmt::format("decode case {}", i);
        const std::vector<TokenId> ids = tokenList(item.at("ids"));
        if (const auto hex = item.find("bytes_hex")) {
            bytes.add(where, tokenizer.decode(ids) == bytesOfHex(*hex));
        }
        for (const bool skip : {false, true}) {
            const std::string suffix = skip ? "_skip_special" : "";
            if (const auto golden = item.find("text" + suffix)) {
                text.add(where, toValidUtf8(tokenizer.decode(ids, skip)) == golden->string());
            }
            const auto golden = item.find("stream" + suffix);
            const auto goldenFlush = item.find("stream_flush" + suffix);
            if (!golden || !goldenFlush) continue;
            std::string flushed;
            const auto pieces = streamed(tokenizer, ids, skip, flushed);
            stream.add(where, pieces == stringList(*golden) && flushed == goldenFlush->string());
        }
    });
    if (!bytes.empty()) sink(bytes.check(kSubject, "ids to bytes", "cases"));
    if (!text.empty()) sink(text.check(kSubject, "ids to text", "cases"));
    if (!stream.empty()) sink(stream.check(kSubject, "streamed text", "cases"));
}

void checkInvalid(const Tokenizer& tokenizer, const JsonValue& cases, const CheckSink& sink) {
    Mismatches invalid;
    cases.forEachElement([&](std::size_t i, JsonValue item) {
        const std::string where = fmt::format("invalid input {}", i);
        const std::string bytes = bytesOfHex(item.at("bytes_hex"));
        invalid.add(where, isValidUtf8(bytes) == item.at("valid_utf8").boolean());
        if (const auto golden = item.find("as_replaced")) {
            invalid.add(where, toValidUtf8(bytes) == golden->string());
        }
        if (const auto golden = item.find("ids_if_replaced")) {
            invalid.add(where, tokenizer.encode(bytes) == tokenList(*golden));
        }
    });
    if (!invalid.empty()) sink(invalid.check(kSubject, "bytes that are not UTF-8", "facts"));
}

}  // namespace

void checkTokenizerCases(const std::filesystem::path& dir, const CheckSink& sink) {
    const Tokenizer tokenizer(dir);
    const JsonDocument document = JsonDocument::read(dir / "cases.json", kMaxJsonBytes);
    const JsonValue cases = document.root();
    if (const auto list = cases.find("encode")) checkEncode(tokenizer, *list, sink);
    if (const auto list = cases.find("decode")) checkDecode(tokenizer, *list, sink);
    if (const auto list = cases.find("invalid_input")) checkInvalid(tokenizer, *list, sink);
    if (const auto size = cases.find("vocab_size_incl_added")) {
        Mismatches vocabulary;
        vocabulary.add(fmt::format("found {}", tokenizer.vocabSize()),
                       static_cast<std::int64_t>(tokenizer.vocabSize()) == size->integer());
        sink(vocabulary.check(kSubject, "vocabulary size", "number"));
    }
}

}  // namespace gatescope
