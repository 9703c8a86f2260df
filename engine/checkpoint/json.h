// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace gatescope {

/// One value of a parsed JSON file that knows where it stands, so that every complaint names file
/// and field ("config.json: rope_scaling.factor: expected a number, found the string "x"").
/// A cheap handle: valid as long as its JsonDocument lives.
class JsonValue {
  public:
    JsonValue(const nlohmann::json& value, const std::string& file, std::string path)
        : m_value(&value), m_file(&file), m_path(std::move(path)) {}

    bool isNull() const;
    bool isObject() const;
    bool isArray() const;
    bool isString() const;
    bool isNumber() const;
    bool isBoolean() const;

    /// A whole number in [least, most]; 10000.0 counts as one, 2.5 does not.
    std::int64_t integer(std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         std::int64_t most = std::numeric_limits<std::int64_t>::max()) const;
    double number() const;  ///< finite: JSON has no other numbers
    bool boolean() const;
    const std::string& string() const;

    /// A member of an object. find() gives nothing if it is absent or null, at() then throws;
    /// both throw if this value is no object.
    std::optional<JsonValue> find(std::string_view key) const;
    JsonValue at(std::string_view key) const;
    /// An element of an array (throws if this is no array, or beyond its end).
    JsonValue at(std::size_t index) const;

    std::size_t size() const;  ///< members of an object or elements of an array; others throw
    /// Members in the order of their names. Throws if this value is no object.
    void forEachMember(const std::function<void(const std::string& key, JsonValue)>& visit) const;
    /// Throws if this value is no array.
    void forEachElement(const std::function<void(std::size_t index, JsonValue)>& visit) const;

    /// An Error "FILE: FIELD: CAUSE" to throw.
    Error error(const std::string& cause) const;

    const std::string& file() const { return *m_file; }
    const std::string& path() const { return m_path; }  ///< "rope_scaling.factor"; root: ""
    const nlohmann::json& raw() const { return *m_value; }

  private:
    JsonValue member(std::string_view key, const nlohmann::json& value) const;
    JsonValue element(std::size_t index, const nlohmann::json& value) const;
    [[noreturn]] void refuse(std::string_view expected) const;

    const nlohmann::json* m_value;
    const std::string* m_file;
    std::string m_path;
};

/// A JSON text read under rules that untrusted files need: at most maxBytes long, nesting at most
/// 64 levels deep, valid UTF-8, no key twice in one object, nothing after the value.
class JsonDocument {
  public:
    static constexpr std::size_t maxDepth = 64;

    /// Reads and parses a file. Throws Error naming the file and the cause; messages use its name
    /// without the folder.
    static JsonDocument read(const std::filesystem::path& path, std::size_t maxBytes);
    /// Parses bytes at hand. `file` is what messages call them.
    static JsonDocument parse(std::string_view text, std::string file);

    JsonDocument(JsonDocument&&) noexcept;
    JsonDocument& operator=(JsonDocument&&) noexcept;
    ~JsonDocument();

    JsonValue root() const;

  private:
    struct Content;
    explicit JsonDocument(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;  ///< at a fixed address: JsonValue points into it
};

}  // namespace gatescope
