// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/prompt_set.h"

#include <algorithm>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {

namespace {

bool blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// A text of 1 to `most` bytes.
std::string textOf(const JsonValue& value, std::size_t most) {
    const std::string& text = value.string();
    if (blank(text)) throw value.error("is empty");
    if (text.size() > most) {
        throw value.error(fmt::format("{} bytes are too many, at most {}", text.size(), most));
    }
    return text;
}

/// The index of a domain, which is added if it is new.
int domainOf(PromptSet& set, const std::string& domain, const JsonValue& line) {
    const auto found = std::find(set.domains.begin(), set.domains.end(), domain);
    if (found != set.domains.end()) return static_cast<int>(found - set.domains.begin());
    if (set.domains.size() == kMaxDomains) {
        throw line.error(fmt::format("domain \"{}\" is one too many, at most {}",
                                     printable(domain, kMaxDomainBytes), kMaxDomains));
    }
    set.domains.push_back(domain);
    return static_cast<int>(set.domains.size()) - 1;
}

class Lines {
  public:
    explicit Lines(std::string_view text) : m_text(text) {}
    bool next(std::string_view& line) {
        if (m_at >= m_text.size()) return false;
        const std::size_t end = std::min(m_text.find('\n', m_at), m_text.size());
        line = m_text.substr(m_at, end - m_at);
        m_at = end + 1;
        return true;
    }

  private:
    std::string_view m_text;
    std::size_t m_at = 0;
};

LabelledPrompt promptOf(const JsonValue& line, PromptSet& set, std::vector<int>& seen) {
    LabelledPrompt out;
    out.prompt = textOf(line.at("prompt"), kMaxPromptBytes);
    out.domain = domainOf(set, textOf(line.at("domain"), kMaxDomainBytes), line);
    const auto domain = static_cast<std::size_t>(out.domain);
    seen.resize(set.domains.size(), 0);
    out.half = seen[domain] % 2;
    ++seen[domain];
    const auto id = line.find("id");
    out.id =
        id ? textOf(*id, kMaxDomainBytes) : fmt::format("{} {}", set.domains[domain], seen[domain]);
    return out;
}

}  // namespace

PromptSet parsePromptSet(std::string_view text, const std::string& name) {
    if (text.size() > kMaxPromptSetBytes) {
        throw fileError(name, "",
                        fmt::format("{} bytes are too many for a prompt set, at most {}",
                                    text.size(), kMaxPromptSetBytes));
    }
    PromptSet set;
    set.file = name;
    std::vector<int> seen;  // prompts of each domain so far
    Lines lines(text);
    std::string_view line;
    for (int number = 1; lines.next(line); ++number) {
        if (blank(line)) continue;
        const std::string where = fmt::format("{}: line {}", name, number);
        if (set.prompts.size() == kMaxPrompts) {
            throw fileError(where, "", fmt::format("more than {} prompts", kMaxPrompts));
        }
        const JsonDocument document = JsonDocument::parse(line, where);
        set.prompts.push_back(promptOf(document.root(), set, seen));
        set.prompts.back().line = number;
    }
    if (set.prompts.empty()) throw fileError(name, "", "holds no prompt");
    return set;
}

PromptSet readPromptSet(const std::filesystem::path& file) {
    return parsePromptSet(readFile(file, kMaxPromptSetBytes), printable(file.filename().native()));
}

}  // namespace gatescope
