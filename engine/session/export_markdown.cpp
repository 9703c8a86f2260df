// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <ctime>
#include <string>
#include <string_view>

#include "engine/session/atomic_file.h"
#include "engine/session/export_formats.h"
#include "engine/session/sql.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

/// One line of text that Markdown shows as it is: what could be markup gets a backslash, control
/// characters become spaces.
std::string escapedLine(std::string_view raw) {
    constexpr std::string_view kMarkup = "\\`*_{}[]()<>#+-.!|~&:\"'$^=@";
    std::string line;
    for (const char c : toValidUtf8(raw)) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            line += ' ';
            continue;
        }
        if (kMarkup.find(c) != std::string_view::npos) {
            line += '\\';
        }
        line += c;
    }
    return line;
}

/// Text in a fence longer than any in it: nothing in it is markup. Control characters other than
/// tab and newline become U+FFFD.
std::string fenced(std::string_view raw) {
    std::string text;
    std::size_t run = 0;
    std::size_t longest = 0;
    for (const char c : toValidUtf8(raw)) {
        run = c == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
        const bool control =
            (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
        text += control ? std::string("\xEF\xBF\xBD") : std::string(1, c);
    }
    const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
    return fence + "text\n" + text + (text.empty() || text.back() != '\n' ? "\n" : "") + fence +
           "\n";
}

std::string utcTime(std::int64_t milliseconds) {
    const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    std::array<char, 40> text{};
    if (gmtime_r(&seconds, &parts) == nullptr ||
        std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
        return "at an unknown time";
    }
    return text.data();
}

std::string heading(const std::string& role, std::int64_t replaced) {
    const std::string who = role == "user"        ? "User"
                            : role == "assistant" ? "Assistant"
                            : role == "system"    ? "System"
                                                  : escapedLine(role);
    return "\n## " + who + (replaced != 0 ? " (replaced)" : "") + "\n\n";
}

/// The text of an answer that never ended is in its tokens.
std::string textOfTokens(const ExportSource& source, std::int64_t session, std::int64_t turn) {
    SQLite::Statement tokens(
        source.database,
        "SELECT bytes FROM main.tokens WHERE session = ? AND turn = ? ORDER BY seq");
    bindAll(tokens, session, turn);
    std::string bytes;
    while (tokens.executeStep()) {
        bytes += blobView(tokens.getColumn(0));
    }
    return bytes;
}

void writeHead(const ExportSource& source, std::int64_t session, AtomicFile& file) {
    SQLite::Statement head(source.database,
                           "SELECT title, model_name, model_fingerprint, device, precision, "
                           "created_ms FROM main.sessions WHERE id = ?");
    bindAll(head, session);
    head.executeStep();
    const auto text = [&head](int column) {
        return escapedLine(head.getColumn(column).getString());
    };
    file.write(fmt::format("# {}\n\nModel {} ({}), {}, {}. Session {}, begun {}.\n", text(0),
                           text(1), text(2), text(3), text(4), session,
                           utcTime(head.getColumn(5).getInt64())));
}

void writeTurns(const ExportSource& source, std::int64_t session, AtomicFile& file) {
    SQLite::Statement turns(
        source.database,
        "SELECT t.turn, t.role, t.text, t.replaced, a.session, a.finish, "
        "CASE WHEN json_valid(a.settings_json) THEN json_extract(a.settings_json, "
        "'$.interventions.description') END FROM main.turns t LEFT JOIN main.answers a ON "
        "a.session = t.session AND a.turn = t.turn WHERE t.session = ? ORDER BY t.turn");
    bindAll(turns, session);
    while (turns.executeStep()) {
        source.progress.add(0);
        const bool answer = !turns.getColumn(4).isNull();
        const bool ended = !turns.getColumn(5).isNull();
        file.write(heading(turns.getColumn(1).getString(), turns.getColumn(3).getInt64()));
        file.write(fenced(answer && !ended
                              ? textOfTokens(source, session, turns.getColumn(0).getInt64())
                              : turns.getColumn(2).getString()));
        if (!turns.getColumn(6).isNull()) {
            file.write("\nRouting was changed: " + escapedLine(turns.getColumn(6).getString()) +
                       "\n");
        }
        const std::string finish = ended ? turns.getColumn(5).getString() : "interrupted";
        if (answer && finish != "stop") {
            file.write("\nEnded by: " + escapedLine(finish) + "\n");
        }
    }
}

}  // namespace

void exportMarkdown(const ExportSource& source, const std::filesystem::path& target) {
    AtomicFile file(target);
    for (const std::int64_t session : source.sessions) {
        if (session != source.sessions.front()) {
            file.write("\n---\n\n");
        }
        writeHead(source, session, file);
        writeTurns(source, session, file);
    }
    file.commit();
}

}  // namespace gatescope
