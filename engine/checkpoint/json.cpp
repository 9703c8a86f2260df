// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/json.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"

namespace gatescope {
namespace {

using nlohmann::json;

/// Bounds the memory a text can cost: a value takes some 100 bytes whatever its length in the text.
/// The largest published tokenizer.json and index files hold about a fifth of this.
constexpr std::size_t maxValues = 5'000'000;

/// Builds the value from the parser's events, refusing what the plain parser lets pass.
class TreeBuilder {
  public:
    using number_integer_t = json::number_integer_t;
    using number_unsigned_t = json::number_unsigned_t;
    using number_float_t = json::number_float_t;
    using string_t = json::string_t;
    using binary_t = json::binary_t;

    TreeBuilder(json& root, const std::string& file, std::string_view text)
        : m_root(root), m_file(file), m_text(text) {}

    bool null() { return put(json(nullptr)); }
    bool boolean(bool value) { return put(json(value)); }
    bool number_integer(number_integer_t value) { return put(json(value)); }
    bool number_unsigned(number_unsigned_t value) { return put(json(value)); }
    bool number_float(number_float_t value, const string_t&) { return put(json(value)); }
    bool string(string_t& value) { return put(json(std::move(value))); }
    bool binary(binary_t&) { return false; }  // JSON text holds none

    bool start_object(std::size_t) { return open(json(json::value_t::object)); }
    bool start_array(std::size_t) { return open(json(json::value_t::array)); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(string_t& name) {
        const auto [place, isNew] =
            m_open.back()->get_ref<json::object_t&>().emplace(std::move(name), nullptr);
        if (!isNew) throw fileError(m_file, printable(place->first), "appears twice");
        m_member = &place->second;
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const json::exception& cause) {
        // A number beyond the range of double is the parser's only other complaint.
        if (cause.id == 406) throw fileError(m_file, "", "a number is too large");
        // Positions count from 1; the end of the text counts as one more.
        if (m_text.empty()) throw fileError(m_file, "", notJson("it is empty"));
        if (position > m_text.size()) throw fileError(m_file, "", notJson("it ends too early"));
        const std::string_view before = m_text.substr(0, position ? position - 1 : 0);
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        const auto column = before.size() - (before.rfind('\n') + 1) + 1;
        throw fileError(m_file, "",
                        notJson(fmt::format("error at line {}, column {}", line, column)));
    }

  private:
    static std::string notJson(std::string_view why) {
        return fmt::format("not valid JSON: {}", why);
    }

    json* place(json&& value) {
        if (++m_count > maxValues) {
            throw fileError(m_file, "", fmt::format("holds more than {} JSON values", maxValues));
        }
        if (m_open.empty()) {
            m_root = std::move(value);
            return &m_root;
        }
        if (m_open.back()->is_array()) {
            auto& array = m_open.back()->get_ref<json::array_t&>();
            array.push_back(std::move(value));
            return &array.back();
        }
        *m_member = std::move(value);
        return m_member;
    }

    bool put(json&& value) {
        place(std::move(value));
        return true;
    }

    bool open(json&& container) {
        if (m_open.size() >= JsonDocument::maxDepth) {
            throw fileError(m_file, "",
                            fmt::format("JSON nesting depth exceeds {}", JsonDocument::maxDepth));
        }
        m_open.push_back(place(std::move(container)));
        return true;
    }

    bool close() {
        m_open.pop_back();
        return true;
    }

    json& m_root;
    const std::string& m_file;
    std::string_view m_text;
    std::vector<json*> m_open;  ///< a container does not move while one inside it is open
    json* m_member = nullptr;
    std::size_t m_count = 0;
};

std::string describe(const json& value) {
    switch (value.type()) {
        case json::value_t::null:
            return "null";
        case json::value_t::object:
            return "an object";
        case json::value_t::array:
            return "an array";
        case json::value_t::string:
            return fmt::format("the string \"{}\"",
                               printable(value.get_ref<const std::string&>(), 60));
        default:
            return value.dump();
    }
}

}  // namespace

bool JsonValue::isNull() const {
    return m_value->is_null();
}
bool JsonValue::isObject() const {
    return m_value->is_object();
}
bool JsonValue::isArray() const {
    return m_value->is_array();
}
bool JsonValue::isString() const {
    return m_value->is_string();
}
bool JsonValue::isNumber() const {
    return m_value->is_number();
}
bool JsonValue::isBoolean() const {
    return m_value->is_boolean();
}

Error JsonValue::error(const std::string& cause) const {
    return fileError(*m_file, m_path, cause);
}

void JsonValue::refuse(std::string_view expected) const {
    throw error(fmt::format("expected {}, found {}", expected, describe(*m_value)));
}

std::int64_t JsonValue::integer(std::int64_t least, std::int64_t most) const {
    const auto outside = [&](const std::string& found) {
        const bool open = most == std::numeric_limits<std::int64_t>::max();
        const std::string bounds = open ? fmt::format("must be at least {} and below 2^63", least)
                                        : fmt::format("must be from {} to {}", least, most);
        return error(fmt::format("{}, found {}", bounds, found));
    };
    std::int64_t value = 0;
    if (m_value->is_number_unsigned()) {
        const auto wide = m_value->get<std::uint64_t>();
        if (wide > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            throw outside(fmt::format("{}", wide));
        }
        value = static_cast<std::int64_t>(wide);
    } else if (m_value->is_number_integer()) {
        value = m_value->get<std::int64_t>();
    } else if (m_value->is_number_float()) {
        const double real = m_value->get<double>();
        if (real != std::floor(real)) refuse("a whole number");
        // Above 2^53 a double no longer says which whole number was meant.
        if (std::abs(real) > 9007199254740992.0) throw outside(describe(*m_value));
        value = static_cast<std::int64_t>(real);
    } else {
        refuse("a whole number");
    }
    if (value < least || value > most) throw outside(fmt::format("{}", value));
    return value;
}

double JsonValue::number() const {
    if (!m_value->is_number()) refuse("a number");
    return m_value->get<double>();
}

bool JsonValue::boolean() const {
    if (!m_value->is_boolean()) refuse("true or false");
    return m_value->get<bool>();
}

const std::string& JsonValue::string() const {
    if (!m_value->is_string()) refuse("a string");
    return m_value->get_ref<const std::string&>();
}

JsonValue JsonValue::member(std::string_view key, const json& value) const {
    const std::string name = printable(key);
    return {value, *m_file, m_path.empty() ? name : m_path + "." + name};
}

JsonValue JsonValue::element(std::size_t index, const json& value) const {
    return {value, *m_file, fmt::format("{}[{}]", m_path, index)};
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
    if (!isObject()) refuse("an object");
    const auto place = m_value->find(key);
    if (place == m_value->end() || place->is_null()) return std::nullopt;
    return member(key, *place);
}

JsonValue JsonValue::at(std::string_view key) const {
    auto found = find(key);
    if (!found) throw member(key, *m_value).error("missing");
    return *std::move(found);
}

JsonValue JsonValue::at(std::size_t index) const {
    if (!isArray()) refuse("an array");
    if (index >= m_value->size()) throw element(index, *m_value).error("missing");
    return element(index, (*m_value)[index]);
}

std::size_t JsonValue::size() const {
    if (!isObject() && !isArray()) refuse("an object or an array");
    return m_value->size();
}

void JsonValue::forEachMember(
    const std::function<void(const std::string& key, JsonValue)>& visit) const {
    if (!isObject()) refuse("an object");
    for (const auto& [key, value] : m_value->get_ref<const json::object_t&>()) {
        visit(key, member(key, value));
    }
}

void JsonValue::forEachElement(
    const std::function<void(std::size_t index, JsonValue)>& visit) const {
    if (!isArray()) refuse("an array");
    for (std::size_t i = 0; i < m_value->size(); ++i) visit(i, element(i, (*m_value)[i]));
}

struct JsonDocument::Content {
    json value;
    std::string file;
};

JsonDocument::JsonDocument(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonDocument JsonDocument::read(const std::filesystem::path& path, std::size_t maxBytes) {
    return parse(readFile(path, maxBytes), printable(path.filename().native()));
}

JsonDocument JsonDocument::parse(std::string_view text, std::string file) {
    auto content = std::make_unique<Content>();
    content->file = std::move(file);
    // The parser takes a NUL byte for the end of the text, so what follows would go unseen.
    if (text.find('\0') != std::string_view::npos) {
        throw fileError(content->file, "", "not valid JSON: holds a NUL byte");
    }
    TreeBuilder builder(content->value, content->file, text);
    json::sax_parse(text.begin(), text.end(), &builder);
    return JsonDocument(std::move(content));
}

JsonValue JsonDocument::root() const {
    return {m_content->value, m_content->file, ""};
}

}  // namespace gatescope
