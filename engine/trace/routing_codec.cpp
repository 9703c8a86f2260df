// SPDX-License-Identifier: Apache-2.0
#include "engine/trace/routing_codec.h"

#include <algorithm>
#include <cstddef>

#include "engine/error.h"
#include "engine/trace/little_endian.h"

namespace gatescope {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kWideIds = 1;
constexpr std::size_t kHeaderBytes = 5;
constexpr std::size_t kMaxTopK = 32;
constexpr std::size_t kMaxRows = 65535;

struct Layout {
    std::size_t rows = 0;
    std::size_t topK = 0;
    bool wideIds = false;

    std::size_t choices() const { return rows * topK; }
    std::size_t maskBytes() const { return (topK + 7) / 8; }
    std::size_t blobBytes() const {  // at most 65535 * (32 * 6 + 8) + 5: no overflow
        return kHeaderBytes + choices() * (wideIds ? 2 : 1) + choices() * 4 + rows * 4 +
               rows * maskBytes();
    }
};

bool bitsBeyond(std::uint32_t bits, std::size_t topK) {
    return topK < 32 && (bits >> topK) != 0;
}

Layout layoutOf(const TokenRouting& routing) {
    Layout layout;
    layout.rows = routing.margins.size();
    layout.topK = layout.rows == 0 ? 0 : routing.experts.size() / layout.rows;
    if (layout.rows > kMaxRows || layout.topK > kMaxTopK ||
        routing.experts.size() != layout.choices() || routing.weights.size() != layout.choices() ||
        routing.biasDecided.size() != layout.rows) {
        throw Error(
            fmt::format("routing: arrays of {} experts, {} weights, {} margins and {} bit rows do "
                        "not fit together",
                        routing.experts.size(), routing.weights.size(), routing.margins.size(),
                        routing.biasDecided.size()));
    }
    for (const std::uint32_t bits : routing.biasDecided) {
        if (bitsBeyond(bits, layout.topK)) {
            throw Error(fmt::format("routing: bias-decided bits {:#x} beyond choice {}", bits,
                                    layout.topK));
        }
    }
    layout.wideIds = std::any_of(routing.experts.begin(), routing.experts.end(),
                                 [](std::uint16_t id) { return id > 255; });
    return layout;
}

Layout readLayout(LittleEndianReader& reader, std::size_t blobBytes) {
    if (blobBytes < kHeaderBytes) {
        throw Error(fmt::format("routing blob: {} bytes are too few", blobBytes));
    }
    const int version = reader.u8();
    const int flags = reader.u8();
    Layout layout;
    layout.topK = reader.u8();
    layout.rows = reader.u16();
    layout.wideIds = flags == kWideIds;
    if (version != kVersion) {
        throw Error(fmt::format("routing blob: version {} is not known", version));
    }
    if (flags != 0 && flags != kWideIds) {
        throw Error(fmt::format("routing blob: flags {:#x} are not known", flags));
    }
    if (layout.topK > kMaxTopK) {
        throw Error(
            fmt::format("routing blob: {} choices are more than {}", layout.topK, kMaxTopK));
    }
    if (blobBytes != layout.blobBytes()) {
        throw Error(fmt::format("routing blob: {} bytes, but {} rows of {} choices take {}",
                                blobBytes, layout.rows, layout.topK, layout.blobBytes()));
    }
    return layout;
}

}  // namespace

std::vector<std::uint8_t> encodeRouting(const TokenRouting& routing) {
    const Layout layout = layoutOf(routing);
    LittleEndianWriter writer;
    writer.reserve(layout.blobBytes());
    writer.u8(kVersion);
    writer.u8(layout.wideIds ? kWideIds : 0);
    writer.u8(static_cast<std::uint8_t>(layout.topK));
    writer.u16(static_cast<std::uint16_t>(layout.rows));
    for (const std::uint16_t id : routing.experts) {
        writer.unsignedBytes(id, layout.wideIds ? 2 : 1);
    }
    for (const float weight : routing.weights) {
        writer.f32(weight);
    }
    for (const float margin : routing.margins) {
        writer.f32(margin);
    }
    for (const std::uint32_t bits : routing.biasDecided) {
        writer.unsignedBytes(bits, static_cast<int>(layout.maskBytes()));
    }
    return writer.take();
}

TokenRouting decodeRouting(std::string_view blob) {
    LittleEndianReader reader(blob);
    const Layout layout = readLayout(reader, blob.size());
    TokenRouting routing;
    routing.experts.resize(layout.choices());
    routing.weights.resize(layout.choices());
    routing.margins.resize(layout.rows);
    routing.biasDecided.resize(layout.rows);
    for (std::uint16_t& id : routing.experts) {
        id = layout.wideIds ? reader.u16() : reader.u8();
    }
    for (float& weight : routing.weights) {
        weight = reader.f32();
    }
    for (float& margin : routing.margins) {
        margin = reader.f32();
    }
    for (std::uint32_t& bits : routing.biasDecided) {
        bits = reader.unsignedBytes(layout.maskBytes());
        if (bitsBeyond(bits, layout.topK)) {
            throw Error(fmt::format("routing blob: bias-decided bits {:#x} beyond choice {}", bits,
                                    layout.topK));
        }
    }
    return routing;
}

}  // namespace gatescope
