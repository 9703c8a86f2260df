// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/generator.h"
#include "engine/model/decoder.h"
#include "engine/text/utf8_stream.h"
#include "engine/verify/golden_deviations.h"
#include "engine/verify/model_checks.h"

namespace gatescope {
namespace {

struct TextChecks {
    Mismatches ids;
    Mismatches greedy;
    Mismatches text;
    Mismatches stream;
};

std::vector<std::int32_t> withBos(const Tokenizer& tokenizer, const std::string& text) {
    std::vector<std::int32_t> ids;
    if (tokenizer.addBos() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
    for (const TokenId id : tokenizer.encode(text)) ids.push_back(id);
    return ids;
}

void checkCase(LoadedModel& model, const std::string& where, const JsonValue& json,
               Tolerance tolerance, TextChecks& out) {
    const Tokenizer& tokenizer = model.tokenizer();
    const std::vector<std::int32_t> prompt = tokenList(json.at("ids_with_bos"));
    const std::vector<std::int32_t> greedy = tokenList(json.at("greedy_ids"));
    out.ids.add(where, withBos(tokenizer, json.at("text").string()) == prompt);

    if (tolerance == Tolerance::Float32) {
        GenerationParams params;
        params.maxNewTokens = static_cast<int>(greedy.size());
        GenerationSink ignored;
        model.decoder().truncate(0);
        const GenerationResult result =
            generate(model.decoder(), &tokenizer, prompt, params, ignored);
        out.greedy.add<std::int32_t>(where, greedy, result.ids);
    }
    out.text.add(where, toValidUtf8(tokenizer.decode(greedy)) == json.at("greedy_text").string());

    Utf8Stream stream;
    json.at("stream").forEachElement([&](std::size_t i, JsonValue piece) {
        const bool known = i < greedy.size();
        out.stream.add(where, known && stream.push(tokenizer.bytes(greedy[i])) == piece.string());
    });
    out.stream.add(where + " flush", stream.flush() == json.at("stream_flush").string());
}

}  // namespace

void checkText(LoadedModel& model, const std::string& name, const JsonValue& json,
               Tolerance tolerance, const CheckSink& sink) {
    TextChecks checks;
    json.at("cases").forEachElement([&](std::size_t i, JsonValue item) {
        checkCase(model, fmt::format("text {}", i), item, tolerance, checks);
    });
    if (checks.ids.empty()) return;
    sink(checks.ids.check(name, "text to ids", "texts"));
    if (!checks.greedy.empty()) {
        labelled(sink, tolerance)(checks.greedy.check(name, "greedy from text", "tokens"));
    }
    sink(checks.text.check(name, "ids to text", "texts"));
    sink(checks.stream.check(name, "streamed text", "pieces"));
}

}  // namespace gatescope
