// SPDX-License-Identifier: Apache-2.0
#include "engine/session/sql_table_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/text/utf8_stream.h"

namespace gatescope {

namespace {

using Json = nlohmann::json;

std::string hex(const std::string& bytes, std::size_t most) {
    std::string out;
    const std::size_t count = std::min(bytes.size(), most);
    out.reserve(count * 2);
    for (std::size_t i = 0; i < count; ++i) {
        out += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
    }
    return count < bytes.size() ? out + "…" : out;
}

std::string inQuotes(const std::string& text) {
    std::string out(1, '"');
    for (const char c : text) {
        out += c;
        if (c == '"') {
            out += c;
        }
    }
    return out + '"';
}

std::string csvCell(const SqlCell& cell) {
    const auto* text = std::get_if<std::string>(&cell);
    return text != nullptr ? csvField(*text) : cellText(cell);
}

Json jsonCell(const SqlCell& cell) {
    if (const auto* whole = std::get_if<std::int64_t>(&cell)) {
        return *whole;
    }
    if (const auto* number = std::get_if<double>(&cell)) {
        return std::isfinite(*number) ? Json(*number) : Json(fmt::format("{}", *number));
    }
    if (const auto* text = std::get_if<std::string>(&cell)) {
        return toValidUtf8(*text);
    }
    if (const auto* blob = std::get_if<SqlBlob>(&cell)) {
        return {{"hex", hex(blob->bytes, blob->bytes.size())}};
    }
    return nullptr;
}

}  // namespace

std::string csvField(const std::string& raw) {
    constexpr std::string_view kFormula = "=+-@\t\r";
    std::string text = toValidUtf8(raw);
    if (text.empty()) {
        return "\"\"";
    }
    if (kFormula.find(text.front()) != std::string_view::npos) {
        text.insert(text.begin(), '\'');
    }
    return text.find_first_of(",\"\r\n") == std::string::npos ? text : inQuotes(text);
}

std::string csvLine(std::span<const SqlCell> row) {
    std::string line;
    for (const SqlCell& cell : row) {
        if (&cell != row.data()) {
            line += ',';
        }
        line += csvCell(cell);
    }
    return line + "\r\n";
}

std::string csvHeader(const std::vector<std::string>& columns) {
    const std::vector<SqlCell> row(columns.begin(), columns.end());
    return csvLine(row);
}

std::string jsonRow(std::span<const SqlCell> row) {
    Json json = Json::array();
    for (const SqlCell& cell : row) {
        json.push_back(jsonCell(cell));
    }
    return json.dump();
}

std::string jsonHeader(const std::vector<std::string>& columns) {
    const std::vector<SqlCell> row(columns.begin(), columns.end());
    return jsonRow(row);
}

std::string cellText(const SqlCell& cell, std::size_t mostBytes) {
    if (const auto* whole = std::get_if<std::int64_t>(&cell)) {
        return fmt::format("{}", *whole);
    }
    if (const auto* number = std::get_if<double>(&cell)) {
        return fmt::format("{}", *number);
    }
    if (const auto* text = std::get_if<std::string>(&cell)) {
        return toValidUtf8(*text);
    }
    if (const auto* blob = std::get_if<SqlBlob>(&cell)) {
        return hex(blob->bytes, mostBytes);
    }
    return "";
}

std::string toJson(const SqlResult& result) {
    std::string out = "{\"columns\": " + jsonHeader(result.columns) + ",\n\"rows\": [";
    const char* separator = "\n";
    for (const auto& row : result.rows) {
        out += separator;
        out += jsonRow(row);
        separator = ",\n";
    }
    return out + "],\n\"notice\": " + Json(result.notice).dump() + "}\n";
}

std::string toCsv(const SqlResult& result) {
    std::string out = csvHeader(result.columns);
    for (const auto& row : result.rows) {
        out += csvLine(row);
    }
    return out;
}

}  // namespace gatescope
