// SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "engine/checkpoint/printable.h"
#include "engine/error.h"
#include "engine/text/tokenizer_json.h"
#include "engine/text/utf8.h"
#include "engine/text/utf8_stream.h"

namespace gatescope {
namespace {

struct TokenInfo {
    std::string bytes;
    bool added = false;
    bool special = false;
};

std::string validText(std::string_view text, InvalidUtf8 invalid) {
    if (invalid == InvalidUtf8::Replace) return toValidUtf8(text);
    std::size_t at = 0;
    while (at < text.size() && utf8StepAt(text, at).valid) at += utf8StepAt(text, at).length;
    throw Error(fmt::format("the text is not UTF-8: byte {} begins no character", at));
}

}  // namespace

struct Tokenizer::Impl {
    explicit Impl(TokenizerModel model)
        : preTokenizer(std::move(model.preTokenizer)),
          bpe(std::move(model.bpe)),
          finder(model.added) {
        std::size_t size = 0;
        const auto reach = [&](TokenId id) {
            size = std::max(size, static_cast<std::size_t>(id) + 1);
        };
        for (const auto& token : model.tokens) reach(token.id);
        for (const auto& token : model.added) reach(token.id);
        tokens.resize(size);
        for (auto& token : model.tokens) {
            tokens[static_cast<std::size_t>(token.id)].bytes = std::move(token.bytes);
        }
        for (const auto& token : model.added) {
            tokens[static_cast<std::size_t>(token.id)] = {token.content, true, token.special};
            addedIds.emplace(token.content, token.id);
        }
    }

    const TokenInfo* info(TokenId id) const {
        const bool known = id >= 0 && static_cast<std::size_t>(id) < tokens.size();
        return known ? &tokens[static_cast<std::size_t>(id)] : nullptr;
    }

    /// The id of a token that tokenizer_config.json names.
    std::optional<TokenId> named(const std::optional<std::string>& text,
                                 const std::string& item) const {
        if (!text) return std::nullopt;
        if (const auto added = addedIds.find(*text); added != addedIds.end()) return added->second;
        for (std::size_t id = 0; id < tokens.size(); ++id) {
            if (!text->empty() && tokens[id].bytes == *text) return static_cast<TokenId>(id);
        }
        throw fileError("tokenizer_config.json", item,
                        "\"" + printable(*text, 80) + "\" is no token of tokenizer.json");
    }

    /// Calls `visit` for each stretch of `text`: an added token or plain text.
    template <typename Visit>
    void eachSection(std::string_view text, bool parseSpecial, RegexScratch& scratch,
                     Visit visit) const {
        if (!parseSpecial) return visit(Section{text, std::nullopt});
        for (const Section& section : finder.sections(text, scratch)) visit(section);
    }

    PreTokenizer preTokenizer;
    Bpe bpe;
    AddedTokenFinder finder;
    std::vector<TokenInfo> tokens;  ///< by id
    std::unordered_map<std::string, TokenId> addedIds;
    bool addBos = false;
    std::optional<TokenId> bos;
    std::optional<TokenId> eos;
    std::string chatTemplate;
};

Tokenizer::Tokenizer(const std::filesystem::path& dir)
    : m_impl(std::make_unique<Impl>(loadTokenizerModel(dir / "tokenizer.json"))) {
    TokenizerSettings settings = loadTokenizerSettings(dir);
    m_impl->addBos = settings.addBos;
    m_impl->bos = m_impl->named(settings.bosToken, "bos_token");
    m_impl->eos = m_impl->named(settings.eosToken, "eos_token");
    m_impl->chatTemplate = std::move(settings.chatTemplate);
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;

std::vector<TokenId> Tokenizer::encode(std::string_view text, bool parseSpecial,
                                       InvalidUtf8 invalid) const {
    if (!isValidUtf8(text)) return encode(validText(text, invalid), parseSpecial, invalid);
    std::vector<TokenId> ids;
    RegexScratch regexScratch;
    BpeScratch bpeScratch;
    Pieces pieces;
    m_impl->eachSection(text, parseSpecial, regexScratch, [&](const Section& section) {
        if (section.token) return ids.push_back(*section.token);
        pieces.list.clear();
        pieces.owned.clear();
        m_impl->preTokenizer.split(section.text, pieces, regexScratch);
        for (const std::string_view piece : pieces.list) m_impl->bpe.encode(piece, bpeScratch, ids);
    });
    return ids;
}

std::vector<std::string> Tokenizer::pieces(std::string_view text) const {
    if (!isValidUtf8(text)) return pieces(toValidUtf8(text));
    std::vector<std::string> result;
    RegexScratch scratch;
    m_impl->eachSection(text, true, scratch, [&](const Section& section) {
        Pieces pieces;
        if (section.token) {
            pieces.list.push_back(section.text);
        } else {
            m_impl->preTokenizer.split(section.text, pieces, scratch);
        }
        result.insert(result.end(), pieces.list.begin(), pieces.list.end());
    });
    return result;
}

std::string_view Tokenizer::bytes(TokenId id) const {
    const TokenInfo* info = m_impl->info(id);
    return info ? std::string_view(info->bytes) : std::string_view();
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool skipSpecial) const {
    std::string out;
    for (const TokenId id : ids) {
        if (!skipSpecial || !isSpecial(id)) out += bytes(id);
    }
    return out;
}

bool Tokenizer::isSpecial(TokenId id) const {
    const TokenInfo* info = m_impl->info(id);
    return info && info->special;
}

bool Tokenizer::isAdded(TokenId id) const {
    const TokenInfo* info = m_impl->info(id);
    return info && info->added;
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
    const auto place = m_impl->addedIds.find(std::string(token));
    if (place == m_impl->addedIds.end()) return std::nullopt;
    return place->second;
}

std::size_t Tokenizer::vocabSize() const {
    return m_impl->tokens.size();
}
bool Tokenizer::addBos() const {
    return m_impl->addBos;
}
std::optional<TokenId> Tokenizer::bos() const {
    return m_impl->bos;
}
std::optional<TokenId> Tokenizer::eos() const {
    return m_impl->eos;
}
const std::string& Tokenizer::chatTemplate() const {
    return m_impl->chatTemplate;
}

}  // namespace gatescope
