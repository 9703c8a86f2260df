// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/report/load_readers.h"
#include "engine/report/load_steps.h"

namespace gatescope {
namespace {

/// Fields of RFC 4180, which may hold line ends in quotes.
class CsvReader {
  public:
    CsvReader(std::string_view text, const std::string& file) : m_text(text), m_file(file) {}

    /// The next line that is not empty; false at the end.
    bool next(std::vector<std::string>& fields) {
        do {
            fields.clear();
            if (m_text.empty()) {
                return false;
            }
            ++m_line;
            while (field(fields)) {
            }
        } while (fields.size() == 1 && fields[0].empty());
        return true;
    }
    std::string place() const { return fmt::format("line {}", m_line); }
    Error error(const std::string& cause) const { return fileError(m_file, place(), cause); }

  private:
    /// Takes a field and what ends it; false if that is the end of the line.
    bool field(std::vector<std::string>& fields) {
        fields.push_back(m_text.starts_with('"') ? quoted() : plain());
        if (m_text.starts_with(',')) {
            m_text.remove_prefix(1);
            return true;
        }
        m_text.remove_prefix(m_text.starts_with('\r') ? 1 : 0);
        if (!m_text.empty() && m_text.front() != '\n') {
            throw error("text where a comma or the end of the line belongs");
        }
        m_text.remove_prefix(m_text.empty() ? 0 : 1);
        return false;
    }
    std::string plain() {
        const std::size_t size = std::min(m_text.find_first_of(",\r\n"), m_text.size());
        const std::string value(m_text.substr(0, size));
        m_text.remove_prefix(size);
        return value;
    }
    std::string quoted() {
        std::string value;
        do {
            m_text.remove_prefix(1);
            const std::size_t size = m_text.find('"');
            if (size == m_text.npos) {
                throw error("a quote is not closed");
            }
            value += m_text.substr(0, size);
            m_text.remove_prefix(size + 1);
            if (m_text.starts_with('"')) {
                value += '"';
            }
        } while (m_text.starts_with('"'));
        return value;
    }

    std::string_view m_text;  ///< what is left
    const std::string& m_file;
    std::int64_t m_line = 0;
};

struct Cell {
    std::int64_t block = 0;
    std::int64_t layer = 0;
    std::int64_t expert = 0;
    double count = 0;

    auto place() const { return std::tie(block, layer, expert); }
};

enum Column : std::size_t { Layer, Expert, Count, Block, Columns };
constexpr std::array<const char*, Columns> kNames = {"layer", "expert", "count", "block"};

/// Which field of a line each column is.
using Header = std::array<std::optional<std::size_t>, Columns>;

Header readHeader(CsvReader& csv, std::size_t& fieldCount) {
    std::vector<std::string> fields;
    csv.next(fields);
    fieldCount = fields.size();
    Header header;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto name = std::ranges::find(kNames, fields[i]);
        if (name == kNames.end()) {
            throw csv.error(fmt::format("column \"{}\" is not layer, expert, count or block",
                                        printable(fields[i], 40)));
        }
        auto& column = header[static_cast<std::size_t>(name - kNames.begin())];
        if (column) {
            throw csv.error(fmt::format("column \"{}\" appears twice", fields[i]));
        }
        column = i;
    }
    for (const Column needed : {Layer, Expert, Count}) {
        if (!header[needed]) {
            throw csv.error(fmt::format("there is no column \"{}\"", kNames[needed]));
        }
    }
    return header;
}

template <typename T>
T number(const CsvReader& csv, const std::string& text, Column column, const char* expected) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc() || stop != end) {
        throw csv.error(fmt::format("{}: expected {}, found \"{}\"", kNames[column], expected,
                                    printable(text, 40)));
    }
    return value;
}

std::int64_t index(const CsvReader& csv, const std::string& text, Column column,
                   std::int64_t below) {
    const auto value = number<std::int64_t>(csv, text, column, "a whole number");
    if (value < 0 || value >= below) {
        throw csv.error(fmt::format("{}: {} is not in 0 ... {}", kNames[column], value, below - 1));
    }
    return value;
}

/// All lines after the header, by block, layer and expert.
std::vector<Cell> readCells(CsvReader& csv, const std::string& file) {
    std::size_t fieldCount = 0;
    const Header header = readHeader(csv, fieldCount);
    std::vector<Cell> cells;
    std::vector<std::string> fields;
    while (csv.next(fields)) {
        if (fields.size() != fieldCount) {
            throw csv.error(fmt::format("has another number of fields ({}) than the header ({})",
                                        fields.size(), fieldCount));
        }
        Cell& cell = cells.emplace_back();
        cell.layer = index(csv, fields[*header[Layer]], Layer, kMostLoadLayers);
        cell.expert = index(csv, fields[*header[Expert]], Expert, kMostLoadExperts);
        cell.count = checkedCount(number<double>(csv, fields[*header[Count]], Count, "a number"),
                                  file, csv.place());
        if (header[Block]) {
            cell.block = index(csv, fields[*header[Block]], Block, INT64_MAX);
        }
    }
    if (cells.empty()) {
        throw fileError(file, "", "no line follows the header");
    }
    std::ranges::stable_sort(cells, {}, &Cell::place);
    return cells;
}

std::string placeText(std::int64_t block, std::int64_t layer, std::int64_t expert) {
    return fmt::format("block {}, layer {}, expert {}", block, layer, expert);
}

/// Throws Error if two sorted cells are the same.
void checkDistinct(const std::vector<Cell>& cells, const std::string& file) {
    const auto twice = std::ranges::adjacent_find(cells, {}, &Cell::place);
    if (twice != cells.end()) {
        throw fileError(file, placeText(twice->block, twice->layer, twice->expert),
                        "appears twice");
    }
}

/// Throws Error unless cell i is the one that a complete table has there.
void checkPlace(const std::vector<Cell>& cells, std::size_t i, const Cell& expected,
                const std::string& file) {
    if (i == cells.size() || cells[i].place() != expected.place()) {
        throw fileError(file, placeText(expected.block, expected.layer, expected.expert),
                        "has no line; an expert that was never chosen needs one with count 0");
    }
}

}  // namespace

RecordedLoads readCsvLoads(std::span<const std::byte> bytes, const std::string& file) {
    CsvReader csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
    const std::vector<Cell> cells = readCells(csv, file);
    checkDistinct(cells, file);
    std::set<std::int64_t> layers;
    for (const Cell& cell : cells) {
        layers.insert(cell.layer);
    }
    const auto experts = std::ranges::max(cells, {}, &Cell::expert).expert + 1;
    RecordedLoads loads;
    loads.format = "CSV";
    loads.layers.assign(layers.begin(), layers.end());
    std::size_t i = 0;
    while (i < cells.size()) {
        ExpertLoads& block = loads.blocks.emplace_back();
        block.layers = static_cast<int>(layers.size());
        block.experts = static_cast<int>(experts);
        const std::int64_t number = cells[i].block;
        for (const std::int64_t layer : layers) {
            for (std::int64_t expert = 0; expert < experts; ++expert, ++i) {
                checkPlace(cells, i, {number, layer, expert, 0}, file);
                block.values.push_back(cells[i].count);
            }
        }
    }
    return loads;
}

}  // namespace gatescope
