// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/ngram_lookup.h"

#include <gtest/gtest.h>

#include <random>

namespace gatescope {
namespace {

using Tokens = std::vector<std::int32_t>;

NgramLookup lookupOf(const Tokens& text) {
    NgramLookup lookup;
    for (const auto id : text) lookup.push(id);
    return lookup;
}

/// The definition, by comparing every suffix with every place.
NgramLookup::Match naive(const Tokens& text) {
    NgramLookup::Match best;
    for (std::size_t end = 1; end < text.size(); ++end) {
        int length = 0;
        while (length < NgramLookup::kLongest && static_cast<std::size_t>(length) < end &&
               text[end - 1 - static_cast<std::size_t>(length)] ==
                   text[text.size() - 1 - static_cast<std::size_t>(length)])
            ++length;
        if (length >= NgramLookup::kShortest && length >= best.length) best = {length, end};
    }
    return best;
}

TEST(NgramLookup, FindsTheLongestAndOfEqualsTheLatest) {
    std::mt19937 random(1);
    for (const int alphabet : {1, 2, 3, 10}) {
        Tokens text;
        NgramLookup lookup;
        for (int i = 0; i < 300; ++i) {
            const auto expected = naive(text);
            const auto found = lookup.longest();
            ASSERT_EQ(found.length, expected.length) << alphabet << " " << i;
            // A run longer than what is told apart may be found anywhere in it.
            if (found.length > 0 && found.length < NgramLookup::kLongest) {
                ASSERT_EQ(found.following, expected.following) << alphabet << " " << i;
            }
            text.push_back(static_cast<std::int32_t>(random() % static_cast<unsigned>(alphabet)));
            lookup.push(text.back());
        }
    }
}

TEST(NgramLookup, OneTokenIsNoEvidence) {
    EXPECT_EQ(lookupOf({5, 1, 6, 1}).longest().length, 0);
    EXPECT_EQ(lookupOf({}).longest().length, 0);
    EXPECT_EQ(lookupOf({7}).longest().length, 0);
}

TEST(NgramLookup, GoesOnAsTheTextDidAndThenWithItself) {
    const auto lookup = lookupOf({1, 2, 3, 4, 9, 1, 2});
    const auto match = lookup.longest();
    EXPECT_EQ(match.length, 2);
    EXPECT_EQ(lookup.continuation(match, 3), (Tokens{3, 4, 9}));
    EXPECT_EQ(lookup.continuation(match, 8), (Tokens{3, 4, 9, 1, 2, 3, 4, 9}));
    EXPECT_EQ(lookup.continuation({}, 3), Tokens{});
}

}  // namespace
}  // namespace gatescope
