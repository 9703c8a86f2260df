// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/prompt_batch.h"

#include <chrono>

#include "engine/decode/conversation.h"
#include "engine/error.h"
#include "engine/model/decoder.h"

namespace gatescope {

namespace {

/// Hands the events of one answer on, with the prompt they belong to.
class RunSink final : public GenerationSink {
  public:
    RunSink(PromptBatchSink& sink, const PromptRun& run) : m_sink(sink), m_run(run) {}
    void onToken(const TokenEvent& token, std::string_view text) override {
        m_sink.onToken(m_run, token, text);
    }
    void onStep(const StepTrace& step) override { m_sink.onStep(m_run, step); }

  private:
    PromptBatchSink& m_sink;
    const PromptRun& m_run;
};

GenerationResult runPrompt(LoadedModel& model, const std::string& file, PromptRun& run,
                           const GenerationParams& params, PromptBatchSink& sink,
                           const std::stop_token& stop) {
    model.decoder().truncate(0);
    Conversation conversation(model);
    try {
        const Conversation::Prepared prepared = conversation.prepare(run.prompt->prompt);
        run.ids = prepared.ids;
        sink.onPrompt(run);
        RunSink shown(sink, run);
        return sink.keep(run, shown, [&](GenerationSink& logged) {
            return conversation.answer(prepared, params, logged, stop);
        });
    } catch (const Error& error) {
        throw fileError(file, fmt::format("line {}", run.prompt->line), error.what());
    }
}

}  // namespace

PromptBatchResult runPromptBatch(LoadedModel& model, const PromptSet& set,
                                 const GenerationParams& params, PromptBatchSink& sink,
                                 std::stop_token stop) {
    const auto start = std::chrono::steady_clock::now();
    PromptBatchResult out;
    out.total = static_cast<int>(set.prompts.size());
    for (const LabelledPrompt& prompt : set.prompts) {
        if (stop.stop_requested()) {
            out.cancelled = true;
            break;
        }
        PromptRun run;
        run.index = static_cast<int>(&prompt - set.prompts.data());
        run.total = out.total;
        run.prompt = &prompt;
        run.domain = set.domains.at(static_cast<std::size_t>(prompt.domain));
        const GenerationResult result = runPrompt(model, set.file, run, params, sink, stop);
        sink.onAnswer(run, result);
        if (result.finish == Finish::Cancelled) {
            out.cancelled = true;
            break;
        }
        ++out.answered;
        out.promptTokens += static_cast<std::int64_t>(run.ids.size());
        out.answerTokens += static_cast<std::int64_t>(result.ids.size());
    }
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return out;
}

}  // namespace gatescope
