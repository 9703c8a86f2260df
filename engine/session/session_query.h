// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gatescope {

/// Which sessions are wanted; what is empty does not restrict.
struct SessionQuery {
    std::string text;                    ///< part of a message, a title or a tag
    std::string tag;                     ///< the whole tag
    std::string model;                   ///< the whole name
    std::optional<std::int64_t> fromMs;  ///< last used at this time or later, Unix time
    std::optional<std::int64_t> toMs;    ///< last used before this time
    bool pinnedOnly = false;
    bool deleted = false;   ///< those that can be restored, and no others
    std::size_t limit = 0;  ///< at most so many, the first ones; 0: all

    bool operator==(const SessionQuery&) const = default;
};

/// A piece of the message in which a text was found.
struct SessionSnippet {
    int turn = -1;  ///< -1: found in title or tags only
    std::string text;
    std::size_t matchBegin = 0;  ///< bytes of `text`
    std::size_t matchLength = 0;

    bool operator==(const SessionSnippet&) const = default;
};

/// Where a session branched from another one, which may be gone by now.
struct SessionBranch {
    std::int64_t session = 0;
    int turn = 0;
    std::int64_t seq = -1;  ///< token of that turn; -1: the user's message was replaced

    bool operator==(const SessionBranch&) const = default;
};

struct SessionSummary {
    std::int64_t id = 0;
    std::string title;
    std::string modelName;
    std::int64_t createdMs = 0;  ///< Unix time in milliseconds
    std::int64_t updatedMs = 0;
    std::int64_t turns = 0;   ///< messages, without replaced ones
    std::int64_t tokens = 0;  ///< generated, those of replaced answers too
    bool pinned = false;
    std::optional<std::int64_t> deletedMs;  ///< deleted then, and may still be restored
    std::vector<std::string> tags;          ///< ascending
    std::optional<SessionBranch> branchedFrom;
    SessionSnippet snippet;  ///< of a search

    bool operator==(const SessionSummary&) const = default;
};

/// What the sessions of a file can be picked by, deleted ones left out.
struct SessionFacets {
    struct Count {
        std::string name;
        std::int64_t sessions = 0;

        bool operator==(const Count&) const = default;
    };
    std::vector<Count> tags;    ///< by name
    std::vector<Count> models;  ///< by name
    std::int64_t deleted = 0;   ///< sessions that can be restored

    bool operator==(const SessionFacets&) const = default;
};

}  // namespace gatescope
