// SPDX-License-Identifier: Apache-2.0
#include "engine/text/bpe.h"

#include <cmath>
#include <map>

#include "tests/engine/text/text_fixture.h"

namespace gatescope {
namespace {

using namespace test;

using Ids = std::vector<TokenId>;

/// Bytes are their own ids; merge i makes 256 + i.
Bpe::Model byteModel(const std::vector<std::pair<TokenId, TokenId>>& merges) {
    Bpe::Model model{};
    for (int i = 0; i < 256; ++i) model.byteTokens[static_cast<std::size_t>(i)] = i;
    TokenId next = 256;
    for (const auto& [left, right] : merges) model.merges.push_back({left, right, next++});
    return model;
}

/// Random merges over the letters a to d, longer tokens from shorter ones.
std::vector<std::pair<TokenId, TokenId>> randomMerges(std::mt19937& random, int count) {
    std::vector<TokenId> tokens = {'a', 'b', 'c', 'd'};
    std::vector<std::pair<TokenId, TokenId>> merges;
    std::map<std::pair<TokenId, TokenId>, bool> seen;
    while (static_cast<int>(merges.size()) < count) {
        const std::pair<TokenId, TokenId> pair{tokens[random() % tokens.size()],
                                               tokens[random() % tokens.size()]};
        if (!seen.emplace(pair, true).second) continue;
        tokens.push_back(256 + static_cast<TokenId>(merges.size()));
        merges.push_back(pair);
    }
    return merges;
}

/// The definition: merge the leftmost pair of lowest rank until there is none.
Ids mergedByDefinition(std::string_view text,
                       const std::vector<std::pair<TokenId, TokenId>>& merges) {
    Ids ids(text.begin(), text.end());
    while (true) {
        std::size_t bestRank = merges.size(), at = 0;
        for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
            for (std::size_t rank = 0; rank < bestRank; ++rank) {
                if (merges[rank] == std::pair{ids[i], ids[i + 1]}) {
                    bestRank = rank;
                    at = i;
                }
            }
        }
        if (bestRank == merges.size()) return ids;
        ids[at] = 256 + static_cast<TokenId>(bestRank);
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
}

Ids encoded(const Bpe& bpe, std::string_view text) {
    BpeScratch scratch;
    Ids ids;
    bpe.encode(text, scratch, ids);
    return ids;
}

TEST(Bpe, MergesAsDefinedShortAndLong) {
    std::mt19937 random(5);
    for (int round = 0; round < 300; ++round) {
        const auto merges = randomMerges(random, 1 + round % 30);
        const Bpe bpe(byteModel(merges));
        // Around the lengths where the cache and the heap take over.
        for (const std::size_t length : {1, 2, 3, 10, 47, 48, 49, 50, 120}) {
            std::string text;
            while (text.size() < length) text += static_cast<char>('a' + random() % 4);
            ASSERT_EQ(encoded(bpe, text), mergedByDefinition(text, merges)) << text;
        }
    }
}

TEST(Bpe, EqualPairsMergeFromTheLeft) {
    const Bpe bpe(byteModel({{'a', 'a'}}));
    EXPECT_EQ(encoded(bpe, "aaa"), (Ids{256, 'a'}));
    EXPECT_EQ(encoded(bpe, std::string(101, 'a')).back(), 'a');
}

TEST(Bpe, TheLastOfEqualMergesCounts) {
    // (a,b) is listed first and third: its rank is the third, so (b,c) goes before.
    Bpe::Model model = byteModel({{'a', 'b'}, {'b', 'c'}});
    model.merges.push_back({'a', 'b', 256});
    EXPECT_EQ(encoded(Bpe(model), "abc"), (Ids{'a', 257}));
}

TEST(Bpe, RepeatedPiecesGiveTheSameIds) {
    std::mt19937 random(9);
    const auto merges = randomMerges(random, 20);
    const Bpe bpe(byteModel(merges));
    BpeScratch scratch;
    // More different pieces than the cache holds, each met again.
    for (int round = 0; round < 2; ++round) {
        std::mt19937 text(1);
        for (int i = 0; i < 40000; ++i) {
            std::string piece;
            for (int k = 0; k < 9; ++k) piece += static_cast<char>('a' + text() % 4);
            Ids ids;
            bpe.encode(piece, scratch, ids);
            if (i % 100 == 0) {
                ASSERT_EQ(ids, mergedByDefinition(piece, merges));
            }
        }
    }
}

TEST(Bpe, LackingBytes) {
    Bpe::Model model = byteModel({});
    model.byteTokens['x'] = -1;
    EXPECT_EQ(errorOf([&] { encoded(Bpe(model), "axb"); }),
              "the vocabulary lacks the byte 0x78 of the text");
    model.unknown = 999;
    EXPECT_EQ(encoded(Bpe(model), "axxb"), (Ids{'a', 999, 999, 'b'}));
    EXPECT_EQ(encoded(Bpe(model), "x"), (Ids{999}));
    model.fuseUnknown = true;
    EXPECT_EQ(encoded(Bpe(model), "axxbx"), (Ids{'a', 999, 'b', 999}));
}

TEST(Bpe, WorkGrowsInProportionToALongPiece) {
    std::mt19937 random(13);
    const Bpe bpe(byteModel(randomMerges(random, 40)));
    const auto work = [&](std::size_t length) {
        std::string text;
        std::mt19937 letters(2);
        while (text.size() < length) text += static_cast<char>('a' + letters() % 4);
        BpeScratch scratch;
        Ids ids;
        bpe.encode(text, scratch, ids);
        return static_cast<double>(scratch.pairsSeen) / static_cast<double>(length);
    };
    // Each merge looks up two pairs and there are fewer merges than bytes.
    EXPECT_LE(work(1000), 3.0);
    EXPECT_LE(work(300000), 3.0);
}

}  // namespace
}  // namespace gatescope
