// SPDX-License-Identifier: Apache-2.0
#include "engine/session/row_json.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "engine/error.h"
#include "engine/session/blobs.h"
#include "engine/session/sql.h"
#include "engine/text/utf8_stream.h"
#include "engine/trace/routing_codec.h"

namespace gatescope {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMinInt32 = std::numeric_limits<std::int32_t>::min();

/// The configuration is kept as it was read, letter for letter.
bool isEmbedded(const std::string& column) {
    return column.ends_with("_json") && column != "config_json";
}

bool isIdList(const std::string& column) {
    return column == "ids" || column == "prompt_ids";
}
bool isLayerCounts(const std::string& column) {
    return column == "distinct_by_layer" || column == "wasted_by_layer";
}

Json numberJson(double value) {
    if (std::isnan(value)) {
        return nullptr;
    }
    return std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value));
}

/// The shortest number that is the same as a float.
Json floatJson(float value) {
    return std::isfinite(value) ? Json(std::strtod(fmt::format("{}", value).c_str(), nullptr))
                                : numberJson(static_cast<double>(value));
}

double numberOf(const JsonValue& json) {
    if (!json.isString()) {
        return json.number();
    }
    if (json.string() == "inf" || json.string() == "-inf") {
        return json.string() == "inf" ? std::numeric_limits<double>::infinity()
                                      : -std::numeric_limits<double>::infinity();
    }
    throw json.error("expected a number, \"inf\" or \"-inf\"");
}

float floatOf(const JsonValue& json) {
    return json.isNull() ? std::numeric_limits<float>::quiet_NaN()
                         : static_cast<float>(numberOf(json));
}

Json byteList(std::string_view bytes) {
    Json list = Json::array();
    for (const char c : bytes) {
        list.push_back(static_cast<unsigned char>(c));
    }
    return list;
}

std::string bytesOf(const JsonValue& json) {
    std::string bytes;
    bytes.reserve(json.size());
    json.forEachElement([&bytes](std::size_t, const JsonValue& byte) {
        bytes += static_cast<char>(byte.integer(0, 255));
    });
    return bytes;
}

template <class Value>
std::vector<Value> wholeList(const JsonValue& json, std::int64_t least, std::int64_t most) {
    std::vector<Value> list;
    list.reserve(json.size());
    json.forEachElement([&](std::size_t, const JsonValue& value) {
        list.push_back(static_cast<Value>(value.integer(least, most)));
    });
    return list;
}

/// [layers][k] lists of lists.
template <class Value, class Make>
Json rowsJson(const std::vector<Value>& values, std::size_t rows, Make make) {
    const std::size_t k = rows == 0 ? 0 : values.size() / rows;
    Json list = Json::array();
    for (std::size_t r = 0; r < rows; ++r) {
        Json row = Json::array();
        for (std::size_t j = 0; j < k; ++j) {
            row.push_back(make(values[r * k + j]));
        }
        list.push_back(std::move(row));
    }
    return list;
}

void addRouting(Json& json, std::string_view blob) {
    const TokenRouting routing = decodeRouting(blob);
    const std::size_t rows = routing.margins.size();
    json["experts"] = rowsJson(routing.experts, rows, [](std::uint16_t id) {
        return id == kNoExpert ? Json(-1) : Json(id);
    });
    json["weights"] = rowsJson(routing.weights, rows, floatJson);
    json["margins"] = Json::array();
    for (const float margin : routing.margins) {
        json["margins"].push_back(floatJson(margin));
    }
    json["bias_decided"] = routing.biasDecided;
}

std::vector<std::uint8_t> routingOf(const JsonValue& json) {
    TokenRouting routing;
    std::optional<std::size_t> k;
    const JsonValue experts = json.at("experts");
    const JsonValue weights = json.at("weights");
    experts.forEachElement([&](std::size_t r, const JsonValue& row) {
        const JsonValue weightsOfRow = weights.at(r);
        if (row.size() != k.value_or(row.size()) || weightsOfRow.size() != row.size()) {
            throw row.error("is not as long as the other rows");
        }
        k = row.size();
        row.forEachElement([&](std::size_t j, const JsonValue& expert) {
            const std::int64_t id = expert.integer(-1, kNoExpert);
            routing.experts.push_back(id < 0 ? kNoExpert : static_cast<std::uint16_t>(id));
            routing.weights.push_back(floatOf(weightsOfRow.at(j)));
        });
    });
    json.at("margins").forEachElement([&routing](std::size_t, const JsonValue& margin) {
        routing.margins.push_back(floatOf(margin));
    });
    routing.biasDecided = wholeList<std::uint32_t>(json.at("bias_decided"), 0,
                                                   std::numeric_limits<std::uint32_t>::max());
    if (weights.size() != experts.size() || routing.margins.size() != experts.size()) {
        throw json.error("experts, weights and margins are not of the same number of layers");
    }
    return encodeRouting(routing);
}

Json alternativesJson(std::string_view blob) {
    Json list = Json::array();
    for (const TokenEvent::Alternative& alternative : decodeAlternatives(blob)) {
        const double probability = static_cast<double>(alternative.rawProbability);
        list.push_back({{"token_id", alternative.id},
                        {"logprob", probability > 0 ? numberJson(std::log(probability)) : Json()},
                        {"raw_probability", floatJson(alternative.rawProbability)}});
    }
    return list;
}

std::vector<std::uint8_t> alternativesOf(const JsonValue& json) {
    std::vector<TokenEvent::Alternative> list;
    json.forEachElement([&list](std::size_t, const JsonValue& one) {
        const auto probability = one.find("raw_probability");
        list.push_back(
            {static_cast<std::int32_t>(one.at("token_id").integer(kMinInt32, kMaxInt32)),
             probability ? floatOf(*probability) : std::numeric_limits<float>::quiet_NaN()});
    });
    return encodeAlternatives(list);
}

Json textJson(const std::string& text) {
    return isValidUtf8(text) ? Json(text) : byteList(text);
}

Json embeddedJson(const std::string& column, const std::string& text) {
    try {
        return Json::parse(text);
    } catch (const Json::exception& cause) {
        throw Error(fmt::format("{}: {}", column, cause.what()));
    }
}

Json blobJson(const std::string& column, std::string_view blob) {
    if (isIdList(column)) {
        return decodeIds(blob);
    }
    if (isLayerCounts(column)) {
        return decodeLayerCounts(blob);
    }
    return column == "alternatives" ? alternativesJson(blob) : byteList(blob);
}

Json cellJson(const SessionTable::Column& column, const SQLite::Column& cell) {
    if (cell.isNull()) {
        return nullptr;
    }
    if (column.type == "INTEGER") {
        return cell.getInt64();
    }
    if (column.type == "REAL") {
        return numberJson(cell.getDouble());
    }
    if (column.type == "TEXT") {
        const std::string text = cell.getString();
        return isEmbedded(column.name) ? embeddedJson(column.name, text) : textJson(text);
    }
    return blobJson(column.name, blobView(cell));
}

std::vector<std::uint8_t> blobOf(const std::string& column, const JsonValue& json) {
    if (isIdList(column)) {
        return encodeIds(wholeList<std::int32_t>(json, kMinInt32, kMaxInt32));
    }
    if (isLayerCounts(column)) {
        return encodeLayerCounts(
            wholeList<std::uint16_t>(json, 0, std::numeric_limits<std::uint16_t>::max()));
    }
    if (column == "alternatives") {
        return alternativesOf(json);
    }
    const std::string bytes = bytesOf(json);
    return {bytes.begin(), bytes.end()};
}

std::string insertInto(const SessionTable& table) {
    std::string columns;
    std::string values;
    for (const SessionTable::Column& column : table.columns) {
        columns += fmt::format("{}\"{}\"", columns.empty() ? "" : ", ", column.name);
        values += values.empty() ? "?" : ", ?";
    }
    return fmt::format("INSERT INTO main.{} ({}) VALUES ({})", table.name, columns, values);
}

}  // namespace

std::string memberName(const std::string& column) {
    if (column == "alternatives") {
        return "top_logprobs";
    }
    return isEmbedded(column) ? column.substr(0, column.size() - 5) : column;
}

void addMembers(Json& json, const SessionTable& table, SQLite::Statement& row,
                const std::set<std::string>& without) {
    int index = 0;
    for (const SessionTable::Column& column : table.columns) {
        const SQLite::Column cell = row.getColumn(index++);
        if (without.contains(column.name)) {
            continue;
        }
        if (column.name == "routing") {
            addRouting(json, blobView(cell));
        } else {
            json[memberName(column.name)] = cellJson(column, cell);
        }
    }
}

RowInserter::RowInserter(SQLite::Database& database, const SessionTable& table)
    : m_table(table), m_insert(database, insertInto(table)) {}

void RowInserter::insert(const JsonValue& json,
                         const std::vector<std::pair<std::string, std::int64_t>>& given) {
    m_insert.tryReset();
    m_insert.clearBindings();
    int index = 0;
    for (const SessionTable::Column& column : m_table.columns) {
        ++index;
        const auto fixed = std::find_if(given.begin(), given.end(), [&column](const auto& value) {
            return value.first == column.name;
        });
        if (fixed != given.end()) {
            m_insert.bind(index, fixed->second);
        } else if (column.name == "routing") {
            const std::vector<std::uint8_t> blob = routingOf(json);
            m_insert.bind(index, blob.data(), static_cast<int>(blob.size()));
        } else if (const auto value = json.find(memberName(column.name))) {
            bind(index, column, *value);
        }
    }
    m_insert.exec();
}

void RowInserter::bind(int index, const SessionTable::Column& column, const JsonValue& json) {
    if (column.type == "INTEGER") {
        m_insert.bind(index, json.integer());
    } else if (column.type == "REAL") {
        m_insert.bind(index, numberOf(json));
    } else if (column.type == "TEXT" && isEmbedded(column.name)) {
        if (!json.isObject()) {
            throw json.error("expected an object");
        }
        m_insert.bind(index, json.raw().dump());
    } else if (column.type == "TEXT") {
        m_insert.bind(index, json.isArray() ? bytesOf(json) : json.string());
    } else {
        const std::vector<std::uint8_t> blob = blobOf(column.name, json);
        const Blob bytes(blob);  // an empty one is not NULL
        m_insert.bind(index, bytes.data, static_cast<int>(bytes.size));
    }
}

}  // namespace gatescope
