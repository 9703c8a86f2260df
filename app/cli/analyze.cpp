// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "app/cli/analysis_report.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/session_keeper.h"
#include "app/cli/terminal.h"
#include "engine/analysis/routing_load.h"
#include "engine/decode/conversation.h"
#include "engine/error.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
    CommonOptions common;
    DecodingOptions decoding;
    std::string model;
    std::string prompts;
    std::string session;
    std::string out;
    bool json = false;
};

/// "1 min 20 s", "12 s".
std::string durationText(double seconds) {
    const auto whole = static_cast<std::int64_t>(seconds + 0.5);
    return whole >= 60 ? fmt::format("{} min {} s", whole / 60, whole % 60)
                       : fmt::format("{} s", whole);
}

/// The correction biases by row, the MTP layer's last.
std::vector<std::vector<float>> routerBiases(const LoadedModel& model) {
    const RoutingShape& shape = model.routingShape();
    std::vector<std::vector<float>> out;
    for (const int layer : shape.layers) out.push_back(model.routerBias(layer));
    if (shape.mtpLayer >= 0) out.push_back(model.routerBias(shape.mtpLayer));
    return out;
}

/// Counts every step, keeps every prompt as a session of its own, and says how far it is.
class AnalysisSink final : public PromptBatchSink {
  public:
    AnalysisSink(const LoadedModel& model, const PromptSet& set, SessionKeeper& keeper,
                 const GenerationParams& params, ProgressLine& progress)
        : m_load(model.routingShape()),
          m_bias(model.routingShape(), routerBiases(model)),
          m_specialisation(model.routingShape(), set.domains),
          m_transitions(model.routingShape()),
          m_reads(model.routingShape()),
          m_acceptance(set.domains.size(), SpeculationCounter(model.routingShape())),
          m_speculation(model.routingShape(), classOf(model)),
          m_keeper(keeper),
          m_params(params),
          m_progress(progress.callback()),
          m_answered(set.domains.size(), 0) {}

    void onPrompt(const PromptRun& run) override {
        std::string what =
            fmt::format("prompt {} of {} ({})", run.index + 1, run.total, run.domain);
        if (run.index > 0) {
            const double spent =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
            what += fmt::format(", {} left,",
                                durationText(spent / run.index * (run.total - run.index)));
        }
        m_progress(what, static_cast<std::uint64_t>(run.index),
                   static_cast<std::uint64_t>(run.total));
    }
    void onStep(const PromptRun& run, const StepTrace& step) override {
        m_load.add(step);
        m_bias.add(step);
        m_specialisation.add(step, run.prompt->domain, run.prompt->half);
        for (const RoutedToken& token : step.tokens) m_transitions.add(token, false);
        m_reads.add(step);
        m_acceptance[static_cast<std::size_t>(run.prompt->domain)].add(step);
        m_speculation.add(step);
    }
    void onAnswer(const PromptRun& run, const GenerationResult& result) override {
        if (result.finish != Finish::Cancelled) {
            ++m_answered[static_cast<std::size_t>(run.prompt->domain)];
        }
    }
    GenerationResult keep(const PromptRun& run, GenerationSink& shown,
                          const Answer& answer) override {
        m_keeper.begin(fmt::format("[{}] {}", run.domain, run.prompt->prompt));
        m_keeper.addUserTurn(run.prompt->prompt);
        GenerationResult result = m_keeper.keep(run.ids, m_params, 0, shown, answer);
        if (!m_firstSession) m_firstSession = m_keeper.session();
        m_lastSession = m_keeper.session();
        return result;
    }

    AnalysisReport report(const PromptSet& set, const PromptBatchResult& batch,
                          const SpecialisationCounter::TokenBytes& tokenBytes) const {
        AnalysisReport out;
        out.set = &set;
        out.batch = batch;
        out.answeredByDomain = m_answered;
        out.balance = balanceOf(m_load.load(), kDefaultPhases);
        out.bias = m_bias.value();
        out.specialisation = m_specialisation.value(tokenBytes);
        for (int row = 0; row < m_transitions.rows(); ++row) {
            out.next.push_back(nextLayerSummary(m_transitions.value(row)));
            out.next.back().shifted = shiftBaseline(m_transitions.recent(row));
        }
        for (int row = 0; row < m_reads.rows(); ++row) out.reads.push_back(m_reads.value(row));
        out.mainReads = m_reads.totals();
        if (m_params.speculate != Speculate::Off) out.acceptance = acceptance();
        return out;
    }
    Json sessionsJson(const std::string& file) const {
        if (!m_firstSession) return {};
        return {{"file", file}, {"first", *m_firstSession}, {"last", *m_lastSession}};
    }

  private:
    static std::function<TokenClass(std::int32_t)> classOf(const LoadedModel& model) {
        if (!model.hasTokenizer()) return {};
        const Tokenizer* tokenizer = &model.tokenizer();
        return [tokenizer](std::int32_t id) {
            return tokenClass(tokenizer->bytes(id), tokenizer->isAdded(id));
        };
    }
    AcceptanceReport acceptance() const {
        AcceptanceReport out;
        out.params = m_params;
        out.all = m_speculation.value();
        for (const SpeculationCounter& domain : m_acceptance) {
            out.byDomain.push_back(domain.value().all);
        }
        return out;
    }

    RoutingLoadCounter m_load;
    BiasCounter m_bias;
    SpecialisationCounter m_specialisation;
    TransitionCounter m_transitions;
    ExpertReads m_reads;
    std::vector<SpeculationCounter> m_acceptance;  ///< by domain
    SpeculationCounter m_speculation;
    SessionKeeper& m_keeper;
    GenerationParams m_params;
    Progress m_progress;
    std::vector<std::int64_t> m_answered;
    std::optional<std::int64_t> m_firstSession;
    std::optional<std::int64_t> m_lastSession;
    std::chrono::steady_clock::time_point m_start = std::chrono::steady_clock::now();
};

Json runJson(const LoadedModel& model, const GenerationParams& params, const Options& options) {
    return {{"model", model.name()},
            {"fingerprint", model.fingerprint()},
            {"device", model.deviceName()},
            {"precision", model.precisionName()},
            {"prompt_file", options.prompts},
            {"sampling",
             {{"temperature", params.sampling.temperature},
              {"seed", params.sampling.seed},
              {"max_tokens", params.maxNewTokens},
              {"speculation", name(params.speculate)}}}};
}

std::string summary(const PromptBatchResult& batch) {
    return fmt::format("{} of {} prompts in {:.1f} s: {} prompt tokens, {} answer tokens{}\n",
                       batch.answered, batch.total, batch.seconds, batch.promptTokens,
                       batch.answerTokens, batch.cancelled ? "; stopped" : "");
}

int runAnalyze(const Options& options) {
    checkCommonOptions(options.common);
    Interrupt interrupt([] { Interrupt::die(); });
    const PromptSet set = readPromptSet(options.prompts);
    const auto model = loadModel(options.model, options.common);
    if (model->routingShape().layers.empty()) {
        throw Error(fmt::format("{}: the model has no layer with routed experts", model->name()));
    }
    SessionKeeper keeper(*model);
    if (!options.session.empty()) keeper.open(options.session);
    GenerationParams params = chatParams(*model, options.decoding.params(*model));
    // Not auto: what it drafts depends on the clock, and figures should come out the same again.
    if (!options.decoding.speculate) {
        params.speculate = model->config().hasMtp() ? Speculate::Mtp : Speculate::Off;
    }
    params.keepScores = true;  // what would be chosen without the bias
    const std::stop_token stop = interrupt.begin();
    auto progress = std::make_unique<ProgressLine>(options.common.quiet, stop);
    AnalysisSink sink(*model, set, keeper, params, *progress);
    const PromptBatchResult batch = runPromptBatch(*model, set, params, sink, stop);
    progress.reset();
    interrupt.end();
    keeper.flush();

    const auto tokenBytes = [&model](std::int32_t id) {
        return std::string(model->tokenizer().bytes(id));
    };
    const AnalysisReport report = sink.report(set, batch, tokenBytes);
    if (!options.out.empty()) writeAnalysisFiles(report, options.out);
    if (options.json) {
        Json json = runJson(*model, params, options);
        json["sessions"] = sink.sessionsJson(options.session);
        json.update(analysisJson(report));
        print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else {
        print(analysisTables(report));
    }
    if (!options.common.quiet) std::fputs(summary(batch).c_str(), stderr);
    return batch.cancelled ? kFailed : kDone;
}

}  // namespace

void addAnalyze(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    options->decoding.maxTokens = 96;
    options->decoding.plainEvery = 0;
    CLI::App* command =
        app.add_subcommand("analyze",
                           "Run labelled prompts: load balance, specialists, accepted drafts. "
                           "Without --speculate the MTP module drafts where there is one: its "
                           "layer is listed apart, rejected positions count nowhere");
    command->add_option("MODEL", options->model, "Model folder")->required();
    command
        ->add_option("--prompts", options->prompts,
                     "JSON Lines: {\"prompt\": text, \"domain\": text} on every line")
        ->required();
    command->add_option("--session", options->session,
                        "Also keep every prompt with its answer as a session in this file");
    command->add_option("--out", options->out, "Write the figures as CSV files into this folder");
    command->add_flag("--json", options->json, "Machine-readable");
    addDecodingOptions(*command, options->decoding);
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return runAnalyze(*options); }; });
}

}  // namespace gatescope::cli
