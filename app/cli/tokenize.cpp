// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/options.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/text/tokenizer.h"

namespace gatescope::cli {
namespace {

struct Options {
    CommonOptions common;
    std::string model;
    bool decode = false;
    bool special = true;
};

/// Ids separated by blanks, commas or line ends.
std::vector<TokenId> parseIds(std::string_view text, const Tokenizer& tokenizer) {
    constexpr std::string_view separators = " ,\t\r\n";
    std::vector<TokenId> ids;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(separators), text.size()));
        if (text.empty()) return ids;
        const std::string_view word = text.substr(0, text.find_first_of(separators));
        TokenId id = 0;
        const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), id);
        if (problem != std::errc() || end != word.data() + word.size() || id < 0 ||
            static_cast<std::size_t>(id) >= tokenizer.vocabSize()) {
            throw Error(fmt::format("standard input: {}: is no id of this tokenizer (0 to {})",
                                    withoutControls(word.substr(0, 40)),
                                    tokenizer.vocabSize() - 1));
        }
        ids.push_back(id);
        text.remove_prefix(word.size());
    }
}

int tokenize(const Options& options) {
    checkCommonOptions(options.common);
    const Tokenizer tokenizer(options.model);
    const std::string input = readText("-");
    if (options.decode) {
        print(tokenizer.decode(parseIds(input, tokenizer)));
    } else {
        print(fmt::format("{}\n", fmt::join(tokenizer.encode(input, options.special), " ")));
    }
    return kDone;
}

}  // namespace

void addTokenize(CLI::App& app, Action& action) {
    auto options = std::make_shared<Options>();
    CLI::App* command = app.add_subcommand(
        "tokenize", "Text on standard input to one line of ids; no BOS is added");
    command->add_option("MODEL", options->model, "Model folder (only its tokenizer is read)")
        ->required();
    command->add_flag("--decode", options->decode, "Ids on standard input to bytes");
    command->add_flag("!--plain", options->special,
                      "Added tokens written in the text are ordinary text, not ids");
    addCommonOptions(*command, options->common);
    command->callback([options, &action] { action = [options] { return tokenize(*options); }; });
}

}  // namespace gatescope::cli
