// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <functional>
#include <memory>
#include <set>

#include "app/cli/options.h"
#include "app/cli/sessions.h"
#include "app/cli/terminal.h"
#include "engine/error.h"
#include "engine/session/session_log.h"
#include "engine/session/session_store.h"

namespace gatescope::cli {
namespace {

using Numbers = std::vector<std::int64_t>;
using Edit = std::function<void(SessionLog&, std::int64_t session)>;

struct EditOptions {
    std::vector<std::string> sessions;
    std::string title;
    std::vector<std::string> tags;
    bool off = false;
};

Numbers numbersOf(const EditOptions& options) {
    Numbers all;
    for (const std::string& text : options.sessions) {
        const Numbers some = sessionsArgument(text);
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

/// Nothing is changed where one of them is missing; a file that is missing is not made.
void refuseMissing(const std::string& file, const Numbers& sessions) {
    const SessionStore store(file);
    std::set<std::int64_t> there;
    for (const bool deleted : {false, true}) {
        SessionQuery query;
        query.deleted = deleted;
        for (const SessionSummary& session : store.list(query)) there.insert(session.id);
    }
    for (const std::int64_t session : sessions) {
        if (!there.contains(session)) {
            throw fileError(file, fmt::format("session {}", session), "there is no such session");
        }
    }
}

int edit(const std::string& file, const Numbers& sessions, const Edit& change) {
    refuseMissing(file, sessions);
    const auto log = SessionLog::open(file);
    for (const std::int64_t session : sessions) change(*log, session);
    log->flush();
    return kDone;
}

int runTag(const std::string& file, const EditOptions& options) {
    for (const std::string& tag : options.tags) {
        if (tag.size() < 2 || (tag[0] != '+' && tag[0] != '-')) {
            throw UsageError(fmt::format("{}: a tag is added by +TAG and removed by -TAG", tag));
        }
    }
    if (options.tags.empty()) throw UsageError("name the tags: +TAG adds one, -TAG removes it");
    return edit(file, numbersOf(options), [&options](SessionLog& log, std::int64_t session) {
        for (const std::string& tag : options.tags) {
            if (tag[0] == '+') {
                log.addTag(session, tag.substr(1));
            } else {
                log.removeTag(session, tag.substr(1));
            }
        }
    });
}

/// `moreFollows`: only the first word is a list of sessions.
CLI::App* addCommand(CLI::App& sessions, const char* name, const char* about, EditOptions& options,
                     bool moreFollows) {
    const std::string numbers = "Their numbers: 12, or 1,3-5";
    CLI::App* command = sessions.add_subcommand(name, about);
    if (moreFollows) {
        options.sessions.resize(1);
        command->add_option("SESSIONS", options.sessions[0], numbers)->required();
    } else {
        command->add_option("SESSIONS", options.sessions, numbers)->required();
    }
    return command;
}

void addTag(CLI::App& sessions, const SessionFileName& file, Action& action) {
    auto options = std::make_shared<EditOptions>();
    CLI::App* command =
        addCommand(sessions, "tag", "Add tags (+TAG) and remove them (-TAG)", *options, true);
    command->add_option("TAGS", options->tags, "+TAG or -TAG, several if need be");
    command->set_help_flag("--help", "Print this help message and exit");  // -h is a tag
    command->allow_extras();
    command->callback([file, options, command, &action] {
        for (const std::string& tag : command->remaining()) options->tags.push_back(tag);
        action = [file, options] { return runTag(*file, *options); };
    });
}

}  // namespace

void addSessionEditing(CLI::App& sessions, const SessionFileName& file, Action& action) {
    addTag(sessions, file, action);
    const auto add = [&sessions, &file, &action](const char* name, const char* about,
                                                 const auto& change, bool moreFollows = false) {
        auto options = std::make_shared<EditOptions>();
        CLI::App* command = addCommand(sessions, name, about, *options, moreFollows);
        command->callback([file, options, change, &action] {
            action = [file, options, change] {
                return edit(*file, numbersOf(*options),
                            [options, change](SessionLog& log, std::int64_t session) {
                                change(log, session, *options);
                            });
            };
        });
        return std::pair(command, options);
    };
    const auto [rename, title] = add(
        "rename", "Give sessions another title",
        [](SessionLog& log, std::int64_t session, const EditOptions& options) {
            log.setTitle(session, options.title);
        },
        true);
    rename->add_option("TITLE", title->title, "The new title")->required();
    const auto [pin, off] =
        add("pin", "Keep sessions on top of the list",
            [](SessionLog& log, std::int64_t session, const EditOptions& options) {
                log.setPinned(session, !options.off);
            });
    pin->add_flag("--off", off->off, "No longer");
    add("delete", "Delete sessions; `restore` brings them back for 30 days",
        [](SessionLog& log, std::int64_t session, const EditOptions&) { log.remove(session); });
    add("restore", "Bring deleted sessions back",
        [](SessionLog& log, std::int64_t session, const EditOptions&) { log.restore(session); });
}

}  // namespace gatescope::cli
