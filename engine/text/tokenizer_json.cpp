// SPDX-License-Identifier: Apache-2.0
#include "engine/text/tokenizer_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/printable.h"
#include "engine/text/byte_letters.h"

namespace gatescope {
namespace {

using Members = nlohmann::json::object_t;

constexpr std::size_t maxTokenizerBytes = 128u << 20;

bool flag(const JsonValue& value, std::string_view name, bool otherwise) {
    const auto member = value.find(name);
    return member ? member->boolean() : otherwise;
}

std::string inQuotes(std::string_view text) {
    return fmt::format("\"{}\"", printable(text, 80));
}

/// Bytes that occur in UTF-8; the others need no token.
bool occursInUtf8(int byte) {
    return byte < 0xC0 || (byte >= 0xC2 && byte < 0xF5);
}

class Reader {
  public:
    explicit Reader(const JsonValue& root) : m_root(root), m_model(root.at("model")) {}

    TokenizerModel read() && {
        const auto type = m_model.find("type");
        if (type && type->string() != "BPE") {
            throw type->error("tokenizer model " + inQuotes(type->string()) +
                              " is not supported, only BPE");
        }
        refuseNormalizer();
        refuseDecoder();
        readVocab();
        readAddedTokens();
        readMerges();
        readOptions();
        m_result.preTokenizer = PreTokenizer::fromJson(m_root.at("pre_tokenizer"));
        return std::move(m_result);
    }

  private:
    /// A chain of stages of which only `accepted` may occur.
    static void refuseOthers(const JsonValue& value, const char* list, std::string_view accepted,
                             const char* what, int depth = 0) {
        const JsonValue type = value.at("type");
        if (type.string() == "Sequence" && depth < 8) {
            value.at(list).forEachElement([&](std::size_t, const JsonValue& stage) {
                refuseOthers(stage, list, accepted, what, depth + 1);
            });
        } else if (type.string() != accepted) {
            throw type.error(fmt::format("{} {} is not supported", what, inQuotes(type.string())));
        }
    }

    void refuseNormalizer() const {
        const auto normalizer = m_root.find("normalizer");
        if (normalizer) refuseOthers(*normalizer, "normalizers", "", "normalizer");
    }

    void refuseDecoder() const {
        const auto decoder = m_root.find("decoder");
        if (decoder) refuseOthers(*decoder, "decoders", "ByteLevel", "decoder");
    }

    /// Ids may have gaps, but no table becomes much larger than the file's own number of tokens.
    std::int64_t largestId() const {
        const auto added = m_root.find("added_tokens");
        const std::size_t count = m_model.at("vocab").size() + (added ? added->size() : 0);
        return static_cast<std::int64_t>(4 * count + 65536);
    }

    void readVocab() {
        const JsonValue vocab = m_model.at("vocab");
        if (!vocab.isObject()) throw vocab.error("expected an object of tokens and their ids");
        const std::int64_t largest = largestId();
        m_owner.resize(static_cast<std::size_t>(largest) + 1);
        m_ids.reserve(vocab.size());
        m_result.tokens.reserve(vocab.size());
        for (const auto& [text, value] : vocab.raw().get_ref<const Members&>()) {
            const auto item = [&, &key = text, &id = value] {
                return JsonValue(id, vocab.file(),
                                 fmt::format("{}.{}", vocab.path(), printable(key, 80)));
            };
            if (text.empty()) throw vocab.error("holds an empty token");
            const bool usual = value.is_number_unsigned() &&
                               value.get<std::uint64_t>() <= static_cast<std::uint64_t>(largest);
            const auto id = static_cast<TokenId>(usual ? value.get<std::int64_t>()
                                                       : item().integer(0, largest));
            std::string_view& owner = m_owner[static_cast<std::size_t>(id)];
            if (!owner.empty()) {
                throw item().error(
                    fmt::format("has the id {}, which {} has already", id, inQuotes(owner)));
            }
            owner = text;
            m_ids.emplace(text, id);
            m_result.tokens.push_back({id, fromByteLetters(text).value_or(text)});
        }
    }

    void readAddedTokens() {
        const auto added = m_root.find("added_tokens");
        if (!added) return;
        std::unordered_map<std::string, TokenId> seen;
        added->forEachElement([&](std::size_t, const JsonValue& value) {
            AddedToken token = readAddedToken(value);
            if (!seen.emplace(token.content, token.id).second) {
                throw value.error("the token " + inQuotes(token.content) + " is added twice");
            }
            checkAddedId(value, token);
            m_result.added.push_back(std::move(token));
        });
    }

    AddedToken readAddedToken(const JsonValue& value) const {
        AddedToken token;
        token.id = static_cast<TokenId>(
            value.at("id").integer(0, static_cast<std::int64_t>(m_owner.size()) - 1));
        const JsonValue content = value.at("content");
        token.content = content.string();
        if (token.content.empty()) throw content.error("is empty");
        if (token.content.size() > maxAddedTokenBytes) {
            throw content.error(fmt::format("is longer than {} bytes", maxAddedTokenBytes));
        }
        token.special = flag(value, "special", false);
        token.singleWord = flag(value, "single_word", false);
        token.lstrip = flag(value, "lstrip", false);
        token.rstrip = flag(value, "rstrip", false);
        token.normalized = flag(value, "normalized", !token.special);
        return token;
    }

    /// An added token may repeat one of the vocabulary, but must agree with it.
    void checkAddedId(const JsonValue& value, const AddedToken& token) {
        std::string_view& owner = m_owner[static_cast<std::size_t>(token.id)];
        const auto inVocab = m_ids.find(token.content);
        if (inVocab != m_ids.end() && inVocab->second != token.id) {
            throw value.error(fmt::format("{} has the id {} here and {} in the vocabulary",
                                          inQuotes(token.content), token.id, inVocab->second));
        }
        if (inVocab == m_ids.end() && !owner.empty()) {
            throw value.error(fmt::format("{} has the id {}, which {} has already",
                                          inQuotes(token.content), token.id, inQuotes(owner)));
        }
        owner = value.at("content").string();
    }

    void readMerges() {
        const JsonValue merges = m_model.at("merges");
        if (!merges.isArray()) throw merges.error("expected an array");
        m_result.bpe.merges.reserve(merges.size());
        const nlohmann::json& list = merges.raw();
        for (std::size_t i = 0; i < list.size(); ++i) {
            // The first line of an old merges.txt may have come along.
            const bool header = i == 0 && list[i].is_string() &&
                                list[i].get_ref<const std::string&>().starts_with("#version");
            if (!header) m_result.bpe.merges.push_back(readMerge(merges, i, list[i]));
        }
    }

    Bpe::Merge readMerge(const JsonValue& merges, std::size_t index,
                         const nlohmann::json& value) const {
        const auto item = [&] { return merges.at(index); };
        std::string_view left, right;
        if (value.is_string()) {
            const std::string_view text = value.get_ref<const std::string&>();
            const std::size_t space = text.find(' ');
            if (space == std::string_view::npos || text.find(' ', space + 1) != text.npos) {
                throw item().error("the merge " + inQuotes(text) + " does not have two parts");
            }
            left = text.substr(0, space);
            right = text.substr(space + 1);
        } else {
            if (!value.is_array() || value.size() != 2) {
                throw item().error("the merge does not have two parts");
            }
            for (const std::size_t i : {0, 1}) {
                if (!value[i].is_string()) item().at(i).string();  // throws, naming the part
            }
            left = value[0].get_ref<const std::string&>();
            right = value[1].get_ref<const std::string&>();
        }
        const auto idOf = [&](std::string_view token, const char* what) {
            const auto place = m_ids.find(token);
            if (place == m_ids.end()) {
                throw item().error(
                    fmt::format("the merge {} {}: its {} {} is not in the vocabulary",
                                printable(left, 80), printable(right, 80), what, inQuotes(token)));
            }
            return place->second;
        };
        std::string joined(left);
        const TokenId leftId = idOf(left, "part");
        const TokenId rightId = idOf(right, "part");
        return {leftId, rightId, idOf(joined.append(right), "result")};
    }

    void readOptions() {
        refuseText("continuing_subword_prefix");
        refuseText("end_of_word_suffix");
        const auto dropout = m_model.find("dropout");
        if (dropout && dropout->number() != 0) {
            throw dropout->error("dropout would make the ids random; it is not supported");
        }
        Bpe::Model& bpe = m_result.bpe;
        bool complete = true;
        for (int byte = 0; byte < 256; ++byte) {
            const auto token = m_ids.find(byteLetter(static_cast<unsigned char>(byte)));
            bpe.byteTokens[static_cast<std::size_t>(byte)] =
                token == m_ids.end() ? -1 : token->second;
            if (token == m_ids.end() && occursInUtf8(byte)) complete = false;
        }
        if (flag(m_model, "byte_fallback", false) && !complete) {
            throw m_model.at("byte_fallback")
                .error("is not supported without a token for each byte");
        }
        if (const auto unknown = m_model.find("unk_token")) {
            const auto token = m_ids.find(unknown->string());
            if (token != m_ids.end()) bpe.unknown = token->second;
        }
        bpe.fuseUnknown = flag(m_model, "fuse_unk", false);
        bpe.ignoreMerges = flag(m_model, "ignore_merges", false);
        if (!bpe.ignoreMerges) return;
        for (const auto& token : m_result.tokens) bpe.tokens.emplace(token.bytes, token.id);
    }

    void refuseText(const char* name) const {
        const auto value = m_model.find(name);
        if (value && !value->string().empty()) {
            throw value->error(inQuotes(value->string()) + " is not supported");
        }
    }

    JsonValue m_root;
    JsonValue m_model;
    TokenizerModel m_result;
    std::unordered_map<std::string_view, TokenId> m_ids;  ///< texts are those of the document
    std::vector<std::string_view> m_owner;  ///< by id; the text of its token, or empty
};

}  // namespace

TokenizerModel loadTokenizerModel(const std::filesystem::path& file) {
    const JsonDocument document = JsonDocument::read(file, maxTokenizerBytes);
    return Reader(document.root()).read();
}

}  // namespace gatescope
