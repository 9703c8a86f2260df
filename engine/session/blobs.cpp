// SPDX-License-Identifier: Apache-2.0
#include "engine/session/blobs.h"

#include "engine/error.h"
#include "engine/trace/little_endian.h"

namespace gatescope {

namespace {
constexpr std::uint8_t kAlternativesVersion = 1;
}

std::vector<std::uint8_t> encodeIds(const std::vector<std::int32_t>& ids) {
    LittleEndianWriter writer;
    writer.reserve(ids.size() * 4);
    for (const std::int32_t id : ids) {
        writer.i32(id);
    }
    return writer.take();
}

std::vector<std::int32_t> decodeIds(std::string_view blob) {
    if (blob.size() % 4 != 0) {
        throw Error(fmt::format("token ids: {} bytes are no whole number of ids", blob.size()));
    }
    LittleEndianReader reader(blob);
    std::vector<std::int32_t> ids(blob.size() / 4);
    for (std::int32_t& id : ids) {
        id = reader.i32();
    }
    return ids;
}

std::vector<std::uint8_t> encodeAlternatives(const std::vector<TokenEvent::Alternative>& list) {
    LittleEndianWriter writer;
    if (!list.empty()) {
        writer.reserve(1 + list.size() * 8);
        writer.u8(kAlternativesVersion);
    }
    for (const TokenEvent::Alternative& alternative : list) {
        writer.i32(alternative.id);
        writer.f32(alternative.rawProbability);
    }
    return writer.take();
}

std::vector<TokenEvent::Alternative> decodeAlternatives(std::string_view blob) {
    if (blob.empty()) {
        return {};
    }
    LittleEndianReader reader(blob);
    const int version = reader.u8();
    if (version != kAlternativesVersion || blob.size() % 8 != 1) {
        throw Error(
            fmt::format("alternatives: version {} in {} bytes is not known", version, blob.size()));
    }
    std::vector<TokenEvent::Alternative> list(blob.size() / 8);
    for (TokenEvent::Alternative& alternative : list) {
        alternative.id = reader.i32();
        alternative.rawProbability = reader.f32();
    }
    return list;
}

std::vector<std::uint8_t> encodeLayerCounts(const std::vector<std::uint16_t>& counts) {
    LittleEndianWriter writer;
    writer.reserve(counts.size() * 2);
    for (const std::uint16_t count : counts) {
        writer.u16(count);
    }
    return writer.take();
}

std::vector<std::uint16_t> decodeLayerCounts(std::string_view blob) {
    if (blob.size() % 2 != 0) {
        throw Error(
            fmt::format("experts by layer: {} bytes are no whole number of layers", blob.size()));
    }
    LittleEndianReader reader(blob);
    std::vector<std::uint16_t> counts(blob.size() / 2);
    for (std::uint16_t& count : counts) {
        count = reader.u16();
    }
    return counts;
}

}  // namespace gatescope
