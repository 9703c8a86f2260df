// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace gatescope {

/// A prompt of which is known what it is about.
struct LabelledPrompt {
    std::string prompt;
    std::string id;  ///< as given; else its number within the domain, from 1: "code 3"
    int domain = 0;  ///< index into PromptSet::domains
    int half = 0;    ///< 0 or 1
    int line = 0;    ///< in the file, from 1
};

/// Prompts by domain. The prompts of a domain belong to half 0 and half 1 in turn, so that what is
/// found in one half can be looked for in another one that shares no prompt with it.
struct PromptSet {
    std::string file;                  ///< for messages
    std::vector<std::string> domains;  ///< in the order of their first prompt
    std::vector<LabelledPrompt> prompts;
};

/// Limits of a prompt set: a file beyond them is refused before anything is run.
inline constexpr std::size_t kMaxPromptSetBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxPromptBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxDomainBytes = 64;
inline constexpr std::size_t kMaxPrompts = 100000;
inline constexpr std::size_t kMaxDomains = 64;

/// JSON Lines: every line an object {"prompt": text, "domain": text, "id": text (optional)}; empty
/// lines are passed over, other members ignored. `name` stands in messages. Throws Error naming
/// file, line and cause.
PromptSet parsePromptSet(std::string_view text, const std::string& name);
PromptSet readPromptSet(const std::filesystem::path& file);

}  // namespace gatescope
