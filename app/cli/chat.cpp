// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>

#include "app/cli/commands.h"
#include "app/cli/interrupt.h"
#include "app/cli/options.h"
#include "app/cli/routing_map.h"
#include "app/cli/session_keeper.h"
#include "app/cli/speculation_report.h"
#include "app/cli/terminal.h"
#include "engine/checkpoint/printable.h"
#include "engine/decode/conversation.h"
#include "engine/error.h"
#include "engine/model/demo_model.h"
#include "engine/session/session_store.h"

namespace gatescope::cli {
namespace {

struct Options {
    CommonOptions common;
    DecodingOptions decoding;
    std::string model;
    std::string session;
    std::string prompt;
    bool raw = false;
};

constexpr std::string_view kHelp =
    "/routing  map of layers by experts in colour\n"
    "/regen    answer the last message again\n"
    "/new      begin a new conversation\n"
    "/help     this list\n"
    "/quit     leave (or Ctrl+D); Ctrl+C stops an answer\n"
    "//text    a message that begins with /\n";

/// Shows the answer while it is made, and counts its routing.
class ChatSink final : public GenerationSink {
  public:
    ChatSink(RoutingLoadCounter& counter, SpeculationCounter& drafts)
        : m_counter(counter), m_drafts(drafts) {}
    void onToken(const TokenEvent& /*token*/, std::string_view text) override {
        printModelText(text);
        if (!text.empty()) m_endsLine = text.back() == '\n';
    }
    void onStep(const StepTrace& step) override {
        m_counter.add(step);
        m_drafts.add(step);
    }
    bool endsLine() const { return m_endsLine; }

  private:
    RoutingLoadCounter& m_counter;
    SpeculationCounter& m_drafts;
    bool m_endsLine = true;
};

class Chat {
  public:
    Chat(const Options& options, LoadedModel& model, Interrupt& interrupt, SessionKeeper& keeper)
        : m_options(options),
          m_model(model),
          m_interrupt(interrupt),
          m_keeper(keeper),
          m_params(options.decoding.params(model)),
          m_interactive(isTerminal(STDIN_FILENO)) {
        startOver();
    }

    /// Until the end of input or /quit.
    void run() {
        greet();
        if (!m_options.prompt.empty()) say(m_options.prompt);
        std::string line;
        while (readLine(line) && handle(line)) {
        }
        if (m_interactive) print("\n");
    }

  private:
    void note(std::string_view text) const {
        if (!m_options.common.quiet) std::fputs(fmt::format("{}\n", text).c_str(), stderr);
    }

    void greet() const {
        note(fmt::format("{} on {}, {}. /help lists what else there is.", printable(m_model.name()),
                         m_model.deviceName(), m_model.precisionName()));
        if (!m_interactive || !isDemoModel(m_model.dir())) return;
        note("This model was trained for prompts such as:");
        for (const std::string& prompt : demoModelPrompts()) note("  " + prompt);
    }

    bool readLine(std::string& line) const {
        if (m_interactive) print("> ");
        return static_cast<bool>(std::getline(std::cin, line));
    }

    /// False: leave.
    bool handle(const std::string& line) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) return true;
        if (line[0] != '/' || line.starts_with("//")) {
            say(line[0] == '/' ? line.substr(1) : line);
            return true;
        }
        const std::string command = line.substr(0, line.find_last_not_of(" \t\r") + 1);
        if (command == "/quit" || command == "/exit") return false;
        if (command == "/help") {
            print(kHelp);
        } else if (command == "/routing") {
            print(routingMap(m_counter->load(), {isTerminal(STDOUT_FILENO), terminalColumns()}));
        } else if (command == "/new") {
            startOver();
            note("New conversation.");
        } else if (command == "/regen") {
            sayAgain();
        } else {
            note(fmt::format("{}: no such command; /help lists them", printable(command, 40)));
        }
        return true;
    }

    void startOver() {
        m_conversation.emplace(m_model, std::vector<ChatMessage>{}, m_options.raw);
        m_counter.emplace(m_model.routingShape());
        m_drafts = SpeculationCounter(m_model.routingShape());
        m_keeper.startOver();
    }

    /// What a person can mend (a message too long, nothing to answer again) does not end the chat.
    template <typename Prepare>
    std::optional<Conversation::Prepared> prepared(Prepare prepare) {
        try {
            return prepare();
        } catch (const Error& error) {
            note(error.what());
            return std::nullopt;
        }
    }

    void say(const std::string& text) {
        const auto ready = prepared([&] { return m_conversation->prepare(text); });
        if (!ready) return;
        m_keeper.addUserTurn(text);
        answer(*ready);
    }

    void sayAgain() {
        const auto ready = prepared([&] { return m_conversation->prepareAgain(); });
        if (!ready) return;
        m_keeper.replaceAnswer();
        ++m_params.sampling.seed;  // sampling with the same seed would say the same again
        answer(*ready);
    }

    void answer(const Conversation::Prepared& ready) {
        if (ready.droppedMessages > 0) {
            note(
                fmt::format("The context of {} tokens is full: the {} oldest messages are left "
                            "out from here on.",
                            ready.room + static_cast<int>(ready.ids.size()),
                            m_conversation->droppedMessages()));
        }
        ChatSink sink(*m_counter, m_drafts);
        const std::stop_token stop = m_interrupt.begin();
        const GenerationResult result =
            m_keeper.keep(ready.ids, m_conversation->completed(m_params), ready.droppedMessages,
                          sink, [&](GenerationSink& logged) {
                              return m_conversation->answer(ready, m_params, logged, stop);
                          });
        m_interrupt.end();
        if (!sink.endsLine()) print("\n");
        note(statusLine(result));
    }

    std::string statusLine(const GenerationResult& result) const {
        const double seconds = result.timing.decodeSeconds;
        std::string line = fmt::format("[{} tokens", result.ids.size());
        if (seconds > 0) {
            line += fmt::format(", {:.1f} tok/s",
                                static_cast<double>(result.timing.decodeTokens) / seconds);
        }
        if (result.finish != Finish::Stop)
            line += fmt::format(", ended by {}", name(result.finish));
        line +=
            fmt::format(" | cache {}, {} of {} positions",
                        bytesText(static_cast<double>(result.cache.used + result.cache.mtpUsed)),
                        result.cache.positions, result.cache.maxPositions);
        const std::string acceptance = acceptanceText(ratesOf(result.speculation));
        if (!acceptance.empty()) line += " | " + acceptance;
        // Of the conversation so far: one answer has too few plain steps.
        const std::string gain = gainText(m_drafts.value().gain);
        if (!gain.empty()) line += (acceptance.empty() ? " | " : ", ") + gain;
        const std::string routing = routingLine(m_counter->load());
        if (!routing.empty()) line += " | " + routing;
        return line + "]";
    }

    const Options& m_options;
    LoadedModel& m_model;
    Interrupt& m_interrupt;
    SessionKeeper& m_keeper;
    GenerationParams m_params;
    bool m_interactive;
    std::optional<Conversation> m_conversation;
    std::optional<RoutingLoadCounter> m_counter;
    SpeculationCounter m_drafts;  ///< of this conversation
};

std::filesystem::path modelDir(const Options& options) {
    if (!options.model.empty()) return options.model;
    const std::filesystem::path demo = demoModelDir();
    if (demo.empty()) throw Error("the demo model is not installed here; name a model folder");
    return demo;
}

/// A session file that was asked for must work; the default one may fail, but not silently.
void openSession(SessionKeeper& keeper, const Options& options) {
    if (!options.session.empty()) return keeper.open(options.session);
    try {
        keeper.open(defaultSessionFile());
    } catch (const Error& error) {
        std::fputs(fmt::format("This conversation is not kept: {}\n", error.what()).c_str(),
                   stderr);
    }
}

/// Ctrl+C at the prompt: the terminal has thrown the line away, so a new prompt is shown.
void remindOfQuit() {
    if (!isTerminal(STDIN_FILENO)) Interrupt::die();
    std::fputs("\n/quit or Ctrl+D leaves\n> ", stderr);
}

int chat(const Options& options) {
    checkCommonOptions(options.common);
    Interrupt interrupt(remindOfQuit);
    const std::stop_token stop = interrupt.begin();
    const auto model = loadModel(modelDir(options), options.common, stop);
    interrupt.end();
    model->tokenizer();  // a chat needs text: says so where there is none
    SessionKeeper keeper(*model);
    openSession(keeper, options);
    Chat(options, *model, interrupt, keeper).run();
    keeper.flush();
    return kDone;
}

}  // namespace

void addChat(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "chat", "Conversation in a terminal; after each answer a line of routing, cache, drafts");
    command->add_option("MODEL", options->model, "Model folder; default: the demo model");
    command->add_option("--session", options->session,
                        "Session file; default: the one of the window");
    command->add_option("--prompt", options->prompt, "First message");
    command->add_flag("--raw", options->raw, "No chat format");
    addDecodingOptions(*command, options->decoding);
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return chat(*options); }; });
}

}  // namespace gatescope::cli
