// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/safetensors_writer.h"
#include "engine/session/export_formats.h"
#include "engine/session/routing_rows.h"
#include "engine/session/sql.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

constexpr std::size_t kRowsAtOnce = 256;

/// The routing of one answer through the main layers or the MTP layer, as tensors over its recorded
/// positions: [tokens, layers, k], [tokens, layers] and [tokens].
class AnswerTensors {
  public:
    AnswerTensors(SafetensorsWriter& writer, std::string prefix, std::size_t layers, std::size_t k)
        : m_writer(writer), m_prefix(std::move(prefix)), m_layers(layers), m_k(k) {}

    void declare(std::int64_t tokens) {
        const auto layers = static_cast<std::int64_t>(m_layers);
        const auto k = static_cast<std::int64_t>(m_k);
        m_writer.declare(m_prefix + "routed_experts", "I16", {tokens, layers, k});
        m_writer.declare(m_prefix + "weights", "F32", {tokens, layers, k});
        m_writer.declare(m_prefix + "margins", "F32", {tokens, layers});
        m_writer.declare(m_prefix + "bias_decided", "I32", {tokens, layers});
        for (const char* name : {"positions", "token_ids", "steps"}) {
            m_writer.declare(m_prefix + name, "I32", {tokens});
        }
        for (const char* name : {"phases", "special"}) {
            m_writer.declare(m_prefix + name, "U8", {tokens});
        }
    }
    void add(const RoutingRow& row);
    void flush();

  private:
    SafetensorsWriter& m_writer;
    std::string m_prefix;
    std::size_t m_layers;
    std::size_t m_k;
    std::vector<std::int16_t> m_experts;
    std::vector<float> m_weights;
    std::vector<float> m_margins;
    std::vector<std::int32_t> m_bits;
    std::vector<std::int32_t> m_positions;
    std::vector<std::int32_t> m_ids;
    std::vector<std::int32_t> m_steps;
    std::vector<std::uint8_t> m_phases;
    std::vector<std::uint8_t> m_special;
};

void AnswerTensors::add(const RoutingRow& row) {
    const TokenRouting& routing = row.token.routing;
    const std::size_t k = routing.experts.size() / routing.margins.size();
    for (std::size_t r = 0; r < m_layers; ++r) {
        const bool there = r < routing.margins.size();
        m_margins.push_back(there ? routing.margins[r] : std::numeric_limits<float>::quiet_NaN());
        m_bits.push_back(there ? static_cast<std::int32_t>(routing.biasDecided[r]) : 0);
        for (std::size_t j = 0; j < m_k; ++j) {
            const std::size_t i = r * k + j;
            const bool chosen = there && j < k && routing.experts[i] != kNoExpert;
            // 65535, no expert, is -1 as a signed number.
            m_experts.push_back(chosen ? static_cast<std::int16_t>(routing.experts[i])
                                       : std::int16_t{-1});
            m_weights.push_back(chosen ? routing.weights[i] : 0.0F);
        }
    }
    m_positions.push_back(row.token.position);
    m_ids.push_back(row.token.tokenId);
    m_steps.push_back(static_cast<std::int32_t>(row.seq));
    m_phases.push_back(static_cast<std::uint8_t>(row.token.phase));
    m_special.push_back(row.token.special ? 1 : 0);
    if (m_positions.size() == kRowsAtOnce) {
        flush();
    }
}

void AnswerTensors::flush() {
    const auto write = [this](const char* name, auto& values) {
        using Value = typename std::remove_reference_t<decltype(values)>::value_type;
        m_writer.append(m_prefix + name, std::span<const Value>(values));
        values.clear();
    };
    write("routed_experts", m_experts);
    write("weights", m_weights);
    write("margins", m_margins);
    write("bias_decided", m_bits);
    write("positions", m_positions);
    write("token_ids", m_ids);
    write("steps", m_steps);
    write("phases", m_phases);
    write("special", m_special);
}

/// How much of each there is, from the blobs' first bytes.
struct Extent {
    std::int64_t tokens = 0;
    std::size_t layers = 0;
    std::size_t k = 0;
};
struct AnswerExtent {
    Extent main;
    Extent mtp;
};

AnswerExtent extentOf(const ExportSource& source, std::int64_t session, std::int64_t turn) {
    SQLite::Statement query(
        source.database,
        "SELECT mtp, CAST(substr(routing, 1, 5) AS BLOB) AS head, count(*) FROM main.routing "
        "WHERE session = ? AND turn = ? GROUP BY mtp, head");
    bindAll(query, session, turn);
    AnswerExtent found;
    while (query.executeStep()) {
        const std::string_view head = blobView(query.getColumn(1));
        if (head.size() < 5) {
            throw Error(fmt::format("session {}, turn {}: a routing blob of {} bytes", session,
                                    turn, head.size()));
        }
        const auto byte = [head](std::size_t i) {
            return static_cast<std::size_t>(static_cast<unsigned char>(head[i]));
        };
        const std::size_t rows = byte(3) | byte(4) << 8;
        if (rows > 0) {
            Extent& extent = query.getColumn(0).getInt() != 0 ? found.mtp : found.main;
            extent.tokens += query.getColumn(2).getInt64();
            extent.layers = std::max(extent.layers, rows);
            extent.k = std::max(extent.k, byte(2));
        }
    }
    return found;
}

std::string prefixOf(std::int64_t session, std::int64_t turn, bool mtp) {
    return fmt::format("session.{}.turn.{}.{}", session, turn, mtp ? "mtp." : "");
}

struct Answer {
    std::int64_t session;
    std::int64_t turn;
    AnswerExtent extent;
};

/// Every tensor, in a file that takes them in pieces. Returns the answers that have any.
std::vector<Answer> declareAll(const ExportSource& source, SafetensorsWriter& writer) {
    std::vector<Answer> answers;
    for (const std::int64_t session : source.sessions) {
        for (const std::int64_t turn : answersOfSession(source.database, session)) {
            const AnswerExtent extent = extentOf(source, session, turn);
            for (const bool mtp : {false, true}) {
                const Extent& of = mtp ? extent.mtp : extent.main;
                if (of.tokens > 0) {
                    AnswerTensors(writer, prefixOf(session, turn, mtp), of.layers, of.k)
                        .declare(of.tokens);
                }
            }
            if (extent.main.tokens + extent.mtp.tokens > 0) {
                answers.push_back({session, turn, extent});
            }
        }
    }
    return answers;
}

void describeSession(const ExportSource& source, std::int64_t session, SafetensorsWriter& writer) {
    const RoutingShape shape = shapeOfSession(source.database, session);
    SQLite::Statement query(
        source.database,
        "SELECT title, model_name, model_fingerprint FROM main.sessions WHERE id = ?");
    bindAll(query, session);
    query.executeStep();
    const auto text = [&query](int column) {
        return toValidUtf8(query.getColumn(column).getString());
    };
    const std::string key = fmt::format("session.{}.", session);
    writer.describe(key + "title", text(0));
    writer.describe(key + "model_name", text(1));
    writer.describe(key + "model_fingerprint", text(2));
    writer.describe(key + "layers", nlohmann::json(shape.layers).dump());
    writer.describe(key + "mtp_layer", fmt::format("{}", shape.mtpLayer));
    writer.describe(key + "experts", fmt::format("{}", shape.experts));
}

void writeAnswer(const ExportSource& source, const Answer& answer, SafetensorsWriter& writer) {
    const auto tensors = [&writer, &answer](bool mtp) {
        const Extent& extent = mtp ? answer.extent.mtp : answer.extent.main;
        return extent.tokens == 0
                   ? std::nullopt
                   : std::optional<AnswerTensors>(std::in_place, writer,
                                                  prefixOf(answer.session, answer.turn, mtp),
                                                  extent.layers, extent.k);
    };
    std::optional<AnswerTensors> main = tensors(false);
    std::optional<AnswerTensors> mtp = tensors(true);
    forEachRoutingRow(source.database, answer.session, answer.turn, [&](const RoutingRow& row) {
        (row.mtp ? mtp : main).value().add(row);
        source.progress.add(1);
    });
    for (std::optional<AnswerTensors>* one : {&main, &mtp}) {
        if (*one) {
            (*one)->flush();
        }
    }
}

}  // namespace

void exportSafetensors(const ExportSource& source, const std::filesystem::path& target) {
    SafetensorsWriter writer(target);
    writer.describe("format", "gatescope-routing/1");
    writer.describe("layer_numbers", "absolute");
    writer.describe("phases", "[\"prefill\",\"decode\",\"draft\",\"rejected\"]");
    for (const std::int64_t session : source.sessions) {
        describeSession(source, session, writer);
    }
    const std::vector<Answer> answers = declareAll(source, writer);
    if (answers.empty()) {
        throw Error("these sessions have no recorded routing");
    }
    for (const Answer& answer : answers) {
        writeAnswer(source, answer, writer);
    }
    writer.finish();
}

}  // namespace gatescope
