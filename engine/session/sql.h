// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

// Small helpers over SQLiteCpp that keep the session's round trip exact.

namespace gatescope {

/// SQLite binds a null pointer as NULL, so that an empty blob needs an address of its own.
struct Blob {
    const void* data;
    std::size_t size;
    explicit Blob(std::string_view bytes)
        : data(bytes.empty() ? "" : bytes.data()), size(bytes.size()) {}
    explicit Blob(const std::vector<std::uint8_t>& bytes)
        : data(bytes.empty() ? static_cast<const void*>("") : bytes.data()), size(bytes.size()) {}
};

template <class Value>
struct IsOptional : std::false_type {};
template <class Value>
struct IsOptional<std::optional<Value>> : std::true_type {};

/// An optional without a value becomes NULL.
template <class Value>
void bindValue(SQLite::Statement& statement, int index, const Value& value) {
    if constexpr (std::is_same_v<Value, Blob>) {
        statement.bindNoCopy(index, value.data, static_cast<int>(value.size));
    } else if constexpr (IsOptional<Value>::value) {
        value ? bindValue(statement, index, *value) : statement.bind(index);
    } else if constexpr (std::is_same_v<Value, std::string>) {
        statement.bindNoCopy(index, value);
    } else if constexpr (std::is_floating_point_v<Value>) {
        statement.bind(index, static_cast<double>(value));  // SQLite turns NaN into NULL
    } else {
        static_assert(std::is_integral_v<Value>);
        statement.bind(index, static_cast<std::int64_t>(value));
    }
}

/// Makes the statement ready for another run with these parameters, in order. They must live until
/// it has run. Works after a run that failed.
template <class... Values>
void bindAll(SQLite::Statement& statement, const Values&... values) {
    statement.tryReset();
    int index = 0;
    (bindValue(statement, ++index, values), ...);
}

/// Runs a statement that returns no rows. Returns how many rows it changed.
template <class... Values>
int execute(SQLite::Statement& statement, const Values&... values) {
    bindAll(statement, values...);
    const int changed = statement.exec();
    statement.tryReset();
    return changed;
}

/// Ends a query when it goes, also by an exception: an open one holds its snapshot of the file, and
/// the write-ahead log could not start over.
class QueryEnd {
  public:
    explicit QueryEnd(SQLite::Statement& query) : m_query(query) {}
    ~QueryEnd() { m_query.tryReset(); }
    QueryEnd(const QueryEnd&) = delete;
    QueryEnd& operator=(const QueryEnd&) = delete;

  private:
    SQLite::Statement& m_query;
};

inline std::string_view blobView(const SQLite::Column& column) {
    const void* data = column.getBlob();  // before getBytes(), as SQLite wants it
    const int size = column.getBytes();
    return size > 0
               ? std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size))
               : std::string_view();
}

}  // namespace gatescope
