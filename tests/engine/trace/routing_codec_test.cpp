// SPDX-License-Identifier: Apache-2.0
#include "engine/trace/routing_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "engine/error.h"

namespace gatescope {
namespace {

std::string_view view(const std::vector<std::uint8_t>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TokenRouting randomRouting(std::mt19937& random, int rows, int topK, int experts) {
    TokenRouting routing;
    for (int i = 0; i < rows * topK; ++i) {
        routing.experts.push_back(
            static_cast<std::uint16_t>(random() % static_cast<unsigned>(experts)));
        routing.weights.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    }
    for (int i = 0; i < rows; ++i) {
        routing.margins.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
        const auto bits = static_cast<std::uint32_t>(random());
        routing.biasDecided.push_back(topK == 32 ? bits : bits & ((1U << topK) - 1));
    }
    return routing;
}

bool sameBits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

TEST(RoutingCodec, RandomShapesComeBackBitForBit) {
    std::mt19937 random(11);
    for (int i = 0; i < 500; ++i) {
        const int rows = static_cast<int>(random() % 70);
        const int topK = static_cast<int>(random() % 33);
        const int experts = 1 + static_cast<int>(random() % (i % 2 == 0 ? 256 : 65536));
        const TokenRouting routing = randomRouting(random, rows, topK, experts);
        const auto blob = encodeRouting(routing);
        const TokenRouting back = decodeRouting(view(blob));
        EXPECT_EQ(back.experts, routing.experts);
        EXPECT_TRUE(sameBits(back.weights, routing.weights));
        EXPECT_TRUE(sameBits(back.margins, routing.margins));
        EXPECT_EQ(back.biasDecided, routing.biasDecided);
        EXPECT_EQ(back.scores, nullptr);
        EXPECT_EQ(encodeRouting(back), blob);
    }
}

TEST(RoutingCodec, TheBytesAreThePublishedOnes) {
    TokenRouting routing;
    routing.experts = {7, 255};
    routing.weights = {1.0F, -2.0F};
    routing.margins = {0.5F};
    routing.biasDecided = {2};
    const std::vector<std::uint8_t> narrow = {1,    0, 2, 1, 0,    7, 255, 0, 0,    0x80,
                                              0x3F, 0, 0, 0, 0xC0, 0, 0,   0, 0x3F, 2};
    EXPECT_EQ(encodeRouting(routing), narrow);
    routing.experts[1] = 256;
    const std::vector<std::uint8_t> wide = {1,    1,    2, 1, 0, 7,    0, 0, 1, 0,    0,
                                            0x80, 0x3F, 0, 0, 0, 0xC0, 0, 0, 0, 0x3F, 2};
    EXPECT_EQ(encodeRouting(routing), wide);
}

TEST(RoutingCodec, EveryTruncationAndExtensionIsAnError) {
    std::mt19937 random(5);
    const auto blob = encodeRouting(randomRouting(random, 3, 4, 300));
    for (std::size_t size = 0; size < blob.size(); ++size) {
        // An exact heap copy, so that an over-read shows under AddressSanitizer.
        const auto exact = std::make_unique<char[]>(size + 1);
        std::memcpy(exact.get(), blob.data(), size);
        EXPECT_THROW(decodeRouting({exact.get(), size}), Error) << size;
    }
    auto longer = blob;
    longer.push_back(0);
    EXPECT_THROW(decodeRouting(view(longer)), Error);
}

TEST(RoutingCodec, DamagedBytesNeverReadBeyondTheEnd) {
    std::mt19937 random(6);
    for (int i = 0; i < 3000; ++i) {
        auto blob = encodeRouting(randomRouting(random, static_cast<int>(random() % 6),
                                                static_cast<int>(random() % 9), 300));
        for (int flips = 0; flips < 3; ++flips) {
            blob[random() % std::min<std::size_t>(blob.size(), 12)] ^=
                static_cast<std::uint8_t>(1U << random() % 8);
        }
        try {
            const TokenRouting back = decodeRouting(view(blob));
            EXPECT_LE(back.experts.size(), blob.size());
        } catch (const Error&) {
        }
    }
}

TEST(RoutingCodec, RefusesBadHeaders) {
    const auto blobWith = [](std::size_t at, std::uint8_t value) {
        TokenRouting routing;
        routing.experts = {1};
        routing.weights = {1};
        routing.margins = {1};
        routing.biasDecided = {1};
        auto blob = encodeRouting(routing);
        blob[at] = value;
        return blob;
    };
    EXPECT_THROW(decodeRouting(view(blobWith(0, 2))), Error);    // version
    EXPECT_THROW(decodeRouting(view(blobWith(1, 2))), Error);    // flags
    EXPECT_THROW(decodeRouting(view(blobWith(2, 33))), Error);   // k
    EXPECT_THROW(decodeRouting(view(blobWith(4, 255))), Error);  // rows
    EXPECT_THROW(decodeRouting(view(blobWith(14, 2))), Error);   // a bit beyond k
}

TEST(RoutingCodec, RefusesArraysThatDoNotFit) {
    std::mt19937 random(3);
    const TokenRouting good = randomRouting(random, 2, 3, 10);
    TokenRouting bad = good;
    bad.experts.pop_back();
    EXPECT_THROW(encodeRouting(bad), Error);
    bad = good;
    bad.weights.push_back(0);
    EXPECT_THROW(encodeRouting(bad), Error);
    bad = good;
    bad.biasDecided.pop_back();
    EXPECT_THROW(encodeRouting(bad), Error);
    bad = good;
    bad.biasDecided[0] = 8;
    EXPECT_THROW(encodeRouting(bad), Error);
    EXPECT_THROW(encodeRouting(randomRouting(random, 0, 0, 10).rows() == 0
                                   ? TokenRouting{{1}, {1}, {}, {}, nullptr}
                                   : good),
                 Error);
}

}  // namespace
}  // namespace gatescope
