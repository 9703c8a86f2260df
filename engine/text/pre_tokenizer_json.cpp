// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/text/pre_tokenizer.h"

namespace gatescope {
namespace {

constexpr int maxDepth = 8;
constexpr std::size_t maxStages = 256;

/// The expression GPT-2 splits with: what ByteLevel means by use_regex.
constexpr std::string_view gpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

SplitBehavior behaviorOf(const JsonValue& value) {
    const std::string& name = value.string();
    if (name == "Isolated") return SplitBehavior::Isolated;
    if (name == "Removed") return SplitBehavior::Removed;
    if (name == "MergedWithPrevious") return SplitBehavior::MergedWithPrevious;
    if (name == "MergedWithNext") return SplitBehavior::MergedWithNext;
    if (name == "Contiguous") return SplitBehavior::Contiguous;
    throw value.error("unknown behavior \"" + printable(name, 60) + "\"");
}

Regex regexOf(const JsonValue& pattern) {
    const auto regex = pattern.find("Regex");
    const JsonValue value = regex ? *regex : pattern.at("String");
    try {
        return regex ? Regex::oniguruma(value.string()) : Regex::literal(value.string());
    } catch (const Error& error) {
        throw value.error(error.what());
    }
}

bool flag(const JsonValue& value, std::string_view name, bool otherwise) {
    const auto member = value.find(name);
    return member ? member->boolean() : otherwise;
}

}  // namespace

PreTokenizer PreTokenizer::fromJson(const JsonValue& preTokenizer) {
    PreTokenizer result;
    result.addStages(preTokenizer, 0);
    if (!result.m_hasByteLevel) {
        throw preTokenizer.error("has no ByteLevel stage; only byte-level BPE is supported");
    }
    return result;
}

void PreTokenizer::addStages(const JsonValue& value, int depth) {
    const JsonValue typeItem = value.at("type");
    const std::string& type = typeItem.string();
    if (type == "Sequence") {
        if (depth == maxDepth) throw value.error("is nested too deeply");
        value.at("pretokenizers").forEachElement([&](std::size_t, const JsonValue& stage) {
            addStages(stage, depth + 1);
        });
        return;
    }
    // A later stage would see the letters that stand for bytes instead of the text.
    if (m_hasByteLevel) throw value.error("stands after ByteLevel, which must be the last stage");
    if (m_stages.size() == maxStages) throw value.error("is one stage too many");
    if (type == "Split") return addSplit(value);
    if (type == "Digits") return addDigits(value);
    if (type == "ByteLevel") return addByteLevel(value);
    throw typeItem.error("pre-tokenizer \"" + printable(type, 60) + "\" is not supported");
}

void PreTokenizer::addSplit(const JsonValue& value) {
    m_stages.push_back({value.path(), regexOf(value.at("pattern")),
                        behaviorOf(value.at("behavior")), flag(value, "invert", false)});
}

void PreTokenizer::addDigits(const JsonValue& value) {
    const bool individual = flag(value, "individual_digits", false);
    m_stages.push_back({value.path(), Regex::oniguruma("\\p{N}"),
                        individual ? SplitBehavior::Isolated : SplitBehavior::Contiguous, false});
}

void PreTokenizer::addByteLevel(const JsonValue& value) {
    m_hasByteLevel = true;
    m_beforePrefix = m_stages.size();
    m_addPrefixSpace = flag(value, "add_prefix_space", true);
    if (flag(value, "use_regex", true)) {
        m_stages.push_back(
            {value.path(), Regex::oniguruma(gpt2Pattern), SplitBehavior::Isolated, false});
    }
}

}  // namespace gatescope
