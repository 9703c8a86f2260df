// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/metrics_file.h"
#include "app/cli/options.h"
#include "app/cli/session_keeper.h"
#include "app/cli/speculation_report.h"
#include "app/cli/terminal.h"
#include "engine/decode/conversation.h"
#include "engine/decode/generator.h"
#include "engine/error.h"
#include "engine/model/decoder.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    DecodingOptions decoding;
    std::string model;
    std::string prompt;
    std::string promptFile;
    std::string tokens;
    std::string session;
    std::string metricsFile;
    bool raw = false;
    bool json = false;
    CLI::Option* promptOption = nullptr;
    CLI::Option* tokensOption = nullptr;
};

/// Shows the answer while it is made, and keeps what became of every draft.
class StreamSink final : public GenerationSink {
  public:
    StreamSink(RoutingShape shape, bool show) : m_record(std::move(shape)), m_show(show) {}
    void onToken(const TokenEvent& /*token*/, std::string_view text) override {
        if (m_show) printModelText(text);
    }
    void onStep(const StepTrace& step) override { m_record.add(step); }
    const SpeculationRecord& record() const { return m_record; }

  private:
    SpeculationRecord m_record;
    bool m_show;
};

struct Answer {
    std::vector<TokenId> prompt;
    GenerationParams params;
    GenerationResult result;
};

double rate(double count, double seconds) {
    return seconds > 0 ? count / seconds : 0;
}

Json timingJson(const GenerationTiming& timing) {
    return {{"prefill_tokens", timing.prefillTokens},
            {"reused_tokens", timing.reusedTokens},
            {"prefill_seconds", timing.prefillSeconds},
            {"prefill_tokens_per_second",
             rate(static_cast<double>(timing.prefillTokens), timing.prefillSeconds)},
            {"decode_tokens", timing.decodeTokens},
            {"decode_seconds", timing.decodeSeconds},
            {"decode_tokens_per_second",
             rate(static_cast<double>(timing.decodeTokens), timing.decodeSeconds)},
            {"recorder_seconds", timing.recorderSeconds}};
}

Json cacheJson(const CacheUse& cache) {
    return {{"dtype", cache.dtype},
            {"positions", cache.positions},
            {"max_positions", cache.maxPositions},
            {"bytes_per_position", cache.bytesPerPosition},
            {"used_bytes", cache.used},
            {"reserved_bytes", cache.reserved},
            {"mtp_used_bytes", cache.mtpUsed},
            {"mtp_reserved_bytes", cache.mtpReserved},
            {"expanded_bytes_per_position", cache.expandedBytesPerPosition}};
}

Json samplingJson(const GenerationParams& params) {
    const SamplingParams& sampling = params.sampling;
    return {{"temperature", sampling.temperature},
            {"top_k", sampling.topK},
            {"top_p", sampling.topP},
            {"min_p", sampling.minP},
            {"repetition_penalty", sampling.repetitionPenalty},
            {"seed", sampling.seed},
            {"max_tokens", params.maxNewTokens},
            {"stop", params.stopStrings}};
}

Json answerJson(const LoadedModel& model, const Answer& answer, const SpeculationRecord& record,
                const SessionKeeper& keeper, const Options& options) {
    Json session;
    if (keeper.session()) session = {{"file", options.session}, {"number", *keeper.session()}};
    return {{"model", model.name()},
            {"fingerprint", model.fingerprint()},
            {"device", model.deviceName()},
            {"precision", model.precisionName()},
            {"prompt_ids", answer.prompt},
            {"ids", answer.result.ids},
            {"text", answer.result.text},
            {"finish", name(answer.result.finish)},
            {"sampling", samplingJson(answer.params)},
            {"speculation", speculationJson(answer.params, answer.result.speculation, record)},
            {"timing", timingJson(answer.result.timing)},
            {"cache", cacheJson(answer.result.cache)},
            {"session", session}};
}

/// "1,2,3": decimal ids between single commas.
std::vector<TokenId> parseTokens(const std::string& text) {
    std::vector<TokenId> ids;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        TokenId id = 0;
        const auto [stop, problem] = std::from_chars(text.data() + begin, text.data() + end, id);
        if (problem != std::errc() || stop != text.data() + end || id < 0) {
            throw UsageError(
                fmt::format("--tokens: \"{}\" is not a token id", text.substr(begin, end - begin)));
        }
        ids.push_back(id);
        begin = end + 1;
    }
    return ids;
}

/// Ids as they stand, without a chat format; ends at the model's end tokens.
Answer continueTokens(LoadedModel& model, const Options& options, SessionKeeper& keeper,
                      StreamSink& sink, const std::stop_token& stop) {
    Answer answer;
    answer.prompt = parseTokens(options.tokens);
    answer.params = options.decoding.params(model);
    answer.params.stopTokens = model.config().eosTokenIds;
    const Tokenizer* tokenizer = model.hasTokenizer() ? &model.tokenizer() : nullptr;
    if (tokenizer == nullptr && !answer.params.stopStrings.empty()) {
        throw Error("--stop: the model has no tokenizer, so there is no text to stop at");
    }
    answer.result = keeper.keep(answer.prompt, answer.params, 0, sink, [&](GenerationSink& logged) {
        return generate(model.decoder(), tokenizer, answer.prompt, answer.params, logged, stop);
    });
    return answer;
}

Answer answerText(LoadedModel& model, const Options& options, SessionKeeper& keeper,
                  StreamSink& sink, const std::stop_token& stop) {
    const std::string text =
        options.promptOption->count() > 0 ? options.prompt : readText(options.promptFile);
    Conversation conversation(model, {}, options.raw);
    const Conversation::Prepared prepared = conversation.prepare(text);
    Answer answer;
    answer.prompt = prepared.ids;
    answer.params = conversation.completed(options.decoding.params(model));
    keeper.addUserTurn(text);
    answer.result = keeper.keep(
        prepared.ids, answer.params, prepared.droppedMessages, sink, [&](GenerationSink& logged) {
            return conversation.answer(prepared, answer.params, logged, stop);
        });
    return answer;
}

std::string summary(const Answer& answer, const SpeculationRecord& record) {
    const GenerationResult& result = answer.result;
    std::string text = fmt::format(
        "{} tokens, {:.1f} tokens/s, {} prompt tokens, ended by {}", result.ids.size(),
        rate(static_cast<double>(result.timing.decodeTokens), result.timing.decodeSeconds),
        answer.prompt.size(), name(result.finish));
    const std::string acceptance = acceptanceText(ratesOf(result.speculation));
    if (!acceptance.empty()) text += ", " + acceptance;
    const std::string gain = gainText(record.value().gain);
    if (!gain.empty()) text += ", " + gain;
    return text + "\n";
}

int runGenerate(const Options& options) {
    checkCommonOptions(options.common);
    if (options.tokensOption->count() > 0) parseTokens(options.tokens);
    Interrupt interrupt([] { Interrupt::die(); });
    const auto model = loadModel(options.model, options.common);
    SessionKeeper keeper(*model);
    if (!options.session.empty()) keeper.open(options.session);
    const bool streams = !options.json;
    StreamSink sink(model->routingShape(), streams);
    const std::stop_token stop = interrupt.begin();
    Answer answer = options.tokensOption->count() > 0
                        ? continueTokens(*model, options, keeper, sink, stop)
                        : answerText(*model, options, keeper, sink, stop);
    interrupt.end();
    keeper.flush();
    if (!options.metricsFile.empty()) {
        writeMetricsFile(options.metricsFile,
                         prometheusText(ratesOf(answer.result.speculation), model->name()));
    }
    if (options.json) {
        print(answerJson(*model, answer, sink.record(), keeper, options)
                  .dump(2, ' ', false, Json::error_handler_t::replace) +
              "\n");
    } else {
        const std::string ids = fmt::format("{}", fmt::join(answer.result.ids, " "));
        print((model->hasTokenizer() ? std::string() : ids) + "\n");
        if (!options.common.quiet) std::fputs(summary(answer, sink.record()).c_str(), stderr);
    }
    return answer.result.finish == Finish::Cancelled ? kFailed : kDone;
}

}  // namespace

void addGenerate(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand("generate", "One answer to one prompt");
    command->add_option("MODEL", options->model, "Model folder")->required();
    CLI::Option_group* source = command->add_option_group("Prompt", "exactly one of these");
    options->promptOption =
        source->add_option("--prompt", options->prompt, "Text, written in the chat format");
    source->add_option("--prompt-file", options->promptFile,
                       "The same from a file; - is standard input");
    options->tokensOption = source->add_option(
        "--tokens", options->tokens, "Token ids 1,2,3 taken as they are; needs no tokenizer");
    source->require_option(1);
    command->add_flag("--raw", options->raw, "No chat format: the text itself is continued");
    addDecodingOptions(*command, options->decoding);
    command->add_option("--session", options->session, "Also keep the answer in this file");
    command->add_option("--metrics-file", options->metricsFile,
                        "Also write what was drafted and accepted in Prometheus' text format, "
                        "under vLLM's names");
    command->add_flag("--json", options->json, "Machine-readable, at the end instead of streaming");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return runGenerate(*options); }; });
}

}  // namespace gatescope::cli
