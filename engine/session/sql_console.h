// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/session/sql_result.h"

namespace gatescope {

/// Where a query's rows go, one by one.
struct SqlSink {
    std::function<void(const std::vector<std::string>& columns)> begin;
    std::function<bool(std::span<const SqlCell> row)> row;  ///< false: no more rows are wanted
};

/// Answers questions in SQL about one session file, on a connection of its own that cannot write,
/// attach another file or call anything that touches one. Besides the tables there are the views of
/// console_views.h. May be used while a log writes the file, and on a file or in a folder that is
/// read-only. One object belongs to one thread at a time.
class SqlConsole {
  public:
    /// Throws Error for a file that cannot be read or is none of ours.
    explicit SqlConsole(const std::filesystem::path& file);
    ~SqlConsole();
    SqlConsole(SqlConsole&&) noexcept;
    SqlConsole& operator=(SqlConsole&&) noexcept;

    /// The names a statement wants values for, without their colon, in order. Throws Error like
    /// stream().
    std::vector<std::string> parameters(const std::string& sql);

    /// Runs one statement. Throws Error with one sentence naming file, place in the text and cause:
    /// for text that is no SQL, holds several statements, wants to do more than read, lacks a value
    /// for a parameter, or needs more memory than a console may take. Throws Cancelled soon after
    /// `stop` is requested.
    void stream(const std::string& sql, const SqlParameters& parameters, const SqlSink& sink,
                std::stop_token stop = {}, std::size_t workBytes = SqlLimits().workBytes);

    /// The same with all rows as one value, cut at the limits.
    SqlResult run(const std::string& sql, const SqlParameters& parameters = {},
                  const SqlLimits& limits = {}, std::stop_token stop = {});

  private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

}  // namespace gatescope
