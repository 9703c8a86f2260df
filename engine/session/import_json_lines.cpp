// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <system_error>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/session/import_formats.h"
#include "engine/session/json_lines.h"
#include "engine/session/row_json.h"
#include "engine/session/sql.h"

namespace gatescope {

namespace {

/// Lines of a file, none longer than a reader takes.
class LineReader {
  public:
    explicit LineReader(const std::filesystem::path& file) : m_in(file, std::ios::binary) {
        if (!m_in) {
            throw Error("cannot be read");
        }
    }
    bool next(std::string& line) {
        line.clear();
        for (int c = m_in.get(); c != std::char_traits<char>::eof(); c = m_in.get()) {
            ++m_read;
            if (c == '\n') {
                ++m_number;
                return true;
            }
            if (line.size() == kMostLineBytes) {
                throw Error(
                    fmt::format("line {}: longer than {} MB", m_number + 1, kMostLineBytes >> 20));
            }
            line += static_cast<char>(c);
        }
        if (m_in.bad()) {
            throw Error("cannot be read to its end");
        }
        m_number += line.empty() ? 0 : 1;
        return !line.empty();
    }
    std::int64_t number() const { return m_number; }
    std::int64_t bytesRead() const { return m_read; }

  private:
    std::ifstream m_in;
    std::int64_t m_number = 0;
    std::int64_t m_read = 0;
};

/// Puts line after line into the tables and keeps count of them.
class JsonLinesReader {
  public:
    explicit JsonLinesReader(SQLite::Database& scratch)
        : m_insertTag(scratch, "INSERT INTO main.session_tags (session, tag) VALUES (?, ?)") {
        for (const SessionTable& table : sessionTables(scratch)) {
            m_inserters.try_emplace(table.name, scratch, table);
        }
    }

    void take(const JsonValue& line);
    /// Throws Error unless everything that was announced is there.
    std::vector<std::int64_t> finish() const;

  private:
    void header(const JsonValue& line);
    void session(const JsonValue& line);
    void end(const JsonValue& line);
    void turn(const JsonValue& line);
    void answer(const JsonValue& line);
    void tokens(const JsonValue& line);
    void step(const JsonValue& line);
    void routing(const JsonValue& line);
    void row(const char* table, const JsonValue& json,
             std::vector<std::pair<std::string, std::int64_t>> given) {
        given.emplace_back("session", m_session.value());
        m_inserters.at(table).insert(json, given);
    }
    static std::int64_t turnOf(const JsonValue& line) { return line.at("turn").integer(0); }

    std::map<std::string, RowInserter> m_inserters;
    SQLite::Statement m_insertTag;
    std::optional<std::int64_t> m_announced;  ///< sessions
    std::optional<std::int64_t> m_session;    ///< the one that is being read
    std::vector<std::int64_t> m_sessions;
    std::map<std::string, std::int64_t> m_counts;
    std::map<std::int64_t, std::int64_t> m_tokens;  ///< of each turn
};

void JsonLinesReader::take(const JsonValue& line) {
    const std::string& type = line.at("type").string();
    if (!m_announced) {
        header(line);
        return;
    }
    if (type == "session") {
        session(line);
        return;
    }
    if (!m_session || line.at("session").integer() != *m_session) {
        throw line.error("belongs to no session before it");
    }
    using Take = void (JsonLinesReader::*)(const JsonValue&);
    static const std::map<std::string, Take> kinds = {
        {"turn", &JsonLinesReader::turn},       {"answer", &JsonLinesReader::answer},
        {"tokens", &JsonLinesReader::tokens},   {"step", &JsonLinesReader::step},
        {"routing", &JsonLinesReader::routing}, {"end", &JsonLinesReader::end}};
    const auto kind = kinds.find(type);
    if (kind == kinds.end()) {
        throw line.error(fmt::format("no type is called \"{}\"", printable(type, 40)));
    }
    (this->*kind->second)(line);
}

void JsonLinesReader::header(const JsonValue& line) {
    const auto format = line.find("format");
    if (line.at("type").string() != "header" || !format || format->string() != kJsonLinesFormat) {
        throw line.error("this is no file of exported sessions");
    }
    const std::int64_t version = line.at("version").integer(1);
    if (version > kJsonLinesVersion) {
        throw line.error(fmt::format("written by a newer Gatescope (version {}, this one reads {})",
                                     version, kJsonLinesVersion));
    }
    m_announced = line.at("sessions").integer(0);
}

void JsonLinesReader::session(const JsonValue& line) {
    if (m_session) {
        throw line.error(fmt::format("session {} before it has no end", *m_session));
    }
    m_session = line.at("session").integer(1);
    m_sessions.push_back(*m_session);
    m_counts = {{"turns", 0}, {"answers", 0}, {"tokens", 0}, {"steps", 0}, {"positions", 0}};
    m_tokens.clear();
    m_inserters.at("sessions").insert(line, {{"id", *m_session}});
    if (const auto tags = line.find("tags")) {
        tags->forEachElement([this](std::size_t, const JsonValue& tag) {
            bindAll(m_insertTag, *m_session, tag.string());
            m_insertTag.exec();
        });
    }
}

void JsonLinesReader::turn(const JsonValue& line) {
    row("turns", line, {{"turn", turnOf(line)}});
    ++m_counts["turns"];
}

void JsonLinesReader::answer(const JsonValue& line) {
    row("answers", line, {{"turn", turnOf(line)}});
    ++m_counts["answers"];
}

void JsonLinesReader::tokens(const JsonValue& line) {
    const std::int64_t turn = turnOf(line);
    std::int64_t& next = m_tokens[turn];
    if (line.at("from").integer(0) != next) {
        throw line.error(fmt::format("tokens from {} are missing", next));
    }
    line.at("logprobs").at("content").forEachElement([&](std::size_t, const JsonValue& token) {
        row("tokens", token, {{"turn", turn}, {"seq", next++}});
        ++m_counts["tokens"];
    });
}

void JsonLinesReader::step(const JsonValue& line) {
    const std::int64_t turn = turnOf(line);
    const std::int64_t seq = line.at("seq").integer(0);
    row("steps", line, {{"turn", turn}});
    ++m_counts["steps"];
    if (const auto verify = line.find("verify")) {
        row("verify_steps", *verify, {{"turn", turn}, {"seq", seq}});
        verify->at("drafts").forEachElement([&](std::size_t i, const JsonValue& draft) {
            row("drafts", draft,
                {{"turn", turn}, {"seq", seq}, {"idx", static_cast<std::int64_t>(i)}});
        });
    }
}

void JsonLinesReader::routing(const JsonValue& line) {
    const std::int64_t turn = turnOf(line);
    line.at("positions").forEachElement([&](std::size_t, const JsonValue& position) {
        row("routing", position, {{"turn", turn}});
        ++m_counts["positions"];
    });
}

void JsonLinesReader::end(const JsonValue& line) {
    for (const auto& [kind, count] : m_counts) {
        if (line.at(kind).integer() != count) {
            throw line.at(kind).error(
                fmt::format("session {} has {} of them here", *m_session, count));
        }
    }
    m_session.reset();
}

std::vector<std::int64_t> JsonLinesReader::finish() const {
    if (!m_announced) {
        throw Error("it is empty");
    }
    if (m_session || static_cast<std::int64_t>(m_sessions.size()) != *m_announced) {
        throw Error(fmt::format("it ends too early: {} of {} sessions are complete",
                                m_sessions.size() - (m_session ? 1 : 0), *m_announced));
    }
    return m_sessions;
}

}  // namespace

std::vector<std::int64_t> importJsonLines(const std::filesystem::path& file,
                                          SQLite::Database& scratch, const Progress& progress) {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(file, none);
    WorkProgress work(progress, "Reading", none ? 0 : bytes);
    LineReader lines(file);
    SQLite::Transaction transaction(scratch);
    scratch.exec("PRAGMA defer_foreign_keys = ON");
    JsonLinesReader reader(scratch);
    std::string text;
    std::int64_t before = 0;
    while (lines.next(text)) {
        const std::string place = fmt::format("line {}", lines.number());
        try {
            reader.take(JsonDocument::parse(text, place).root());
        } catch (const SQLite::Exception& cause) {
            throw Error(fmt::format("{}: {}", place, cause.what()));
        }
        work.add(lines.bytesRead() - before);
        before = lines.bytesRead();
    }
    const std::vector<std::int64_t> sessions = reader.finish();
    transaction.commit();
    return sessions;
}

}  // namespace gatescope
