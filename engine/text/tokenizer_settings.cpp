// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/text/tokenizer_json.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {
namespace {

constexpr std::size_t maxSettingsBytes = 32u << 20;
constexpr std::size_t maxTemplateBytes = 1u << 20;

/// A token's text, written as a string or as an object with its flags.
std::optional<std::string> tokenText(const JsonValue& root, std::string_view name) {
    const auto value = root.find(name);
    if (!value) return std::nullopt;
    return value->isObject() ? value->at("content").string() : value->string();
}

/// One template, or several by name of which "default" is the one for chat.
std::string templateText(const JsonValue& value) {
    if (!value.isArray()) return value.string();
    std::string text;
    value.forEachElement([&](std::size_t, const JsonValue& entry) {
        if (entry.at("name").string() == "default") text = entry.at("template").string();
    });
    return text;
}

void readSettings(const std::filesystem::path& file, TokenizerSettings& settings) {
    const JsonDocument document = JsonDocument::read(file, maxSettingsBytes);
    const JsonValue root = document.root();
    settings.bosToken = tokenText(root, "bos_token");
    settings.eosToken = tokenText(root, "eos_token");
    if (const auto value = root.find("chat_template")) settings.chatTemplate = templateText(*value);
    if (const auto value = root.find("add_bos_token")) {
        settings.addBos = value->boolean();
    } else if (const auto kind = root.find("tokenizer_class")) {
        // What the Llama classes do when the file does not say.
        settings.addBos = settings.bosToken && kind->string().starts_with("LlamaTokenizer");
    }
}

}  // namespace

TokenizerSettings loadTokenizerSettings(const std::filesystem::path& dir) {
    TokenizerSettings settings;
    std::error_code ignored;
    const auto config = dir / "tokenizer_config.json";
    if (std::filesystem::exists(config, ignored)) readSettings(config, settings);
    const auto jinja = dir / "chat_template.jinja";
    if (std::filesystem::exists(jinja, ignored)) {
        settings.chatTemplate = toValidUtf8(readFile(jinja, maxTemplateBytes));
    }
    return settings;
}

}  // namespace gatescope
