// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/specialisation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "engine/analysis/specialists.h"
#include "engine/error.h"

namespace gatescope {
namespace {

using testing::HasSubstr;

/// Two MoE layers (1 and 3) of 4 experts, 2 chosen; an MTP layer 5.
RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {1, 3};
    shape.mtpLayer = 5;
    shape.totalLayers = 5;
    shape.experts = 4;
    shape.topK = 2;
    return shape;
}

RoutedToken token(std::int32_t position, std::int32_t id, std::vector<std::uint16_t> experts,
                  Phase phase = Phase::Prefill) {
    RoutedToken token;
    token.position = position;
    token.tokenId = id;
    token.phase = phase;
    token.routing.margins.assign(experts.size() / 2, 0.5F);
    token.routing.biasDecided.assign(experts.size() / 2, 0);
    for (std::size_t i = 0; i < experts.size(); ++i) {
        token.routing.weights.push_back(i % 2 == 0 ? 0.75F : 0.25F);
    }
    token.routing.experts = std::move(experts);
    return token;
}

TEST(Specialisation, CountsByHand) {
    SpecialisationCounter counter(smallShape(), {"a", "b"});
    counter.add(token(0, 7, {0, 1, 2, 3}), false, 0, 0);
    counter.add(token(1, 8, {0, 2, 2, 1}), false, 0, 1);
    counter.add(token(2, 7, {0, 3, 1, 3}, Phase::Decode), false, 0, 1);
    counter.add(token(0, 9, {1, 3, 2, 0}), false, 1, 0);
    counter.add(token(0, 9, {1, 3}, Phase::Draft), true, 1, 0);
    const auto value = counter.value();

    EXPECT_EQ(value->rows(), 3);
    EXPECT_EQ(value->layerOfRow(1), 3);
    EXPECT_EQ(value->rowOfLayer(5), 2);
    EXPECT_EQ(value->rowOfLayer(2), -1);
    EXPECT_EQ(value->tokens(0, 0), 3);
    EXPECT_EQ(value->tokens(1, 0, 1), 2);
    EXPECT_EQ(value->tokens(2, 0), 0);
    EXPECT_EQ(value->tokens(2, 1), 1);
    EXPECT_EQ(value->count(0, 0, 0), 3);
    EXPECT_EQ(value->count(0, 0, 0, 0), 1);
    EXPECT_EQ(value->count(0, 0, 1), 0);
    EXPECT_EQ(value->count(2, 3, 1), 1);
    EXPECT_DOUBLE_EQ(value->chance(), 0.5);
    EXPECT_DOUBLE_EQ(value->affinity(0, 3, 0), 1.0 / 3);
    EXPECT_DOUBLE_EQ(value->lift(0, 3, 0), 2.0 / 3);
    EXPECT_DOUBLE_EQ(value->affinityShare(0, 3, 0), 0.25);  // 1/3 of 1/3 + 1
    EXPECT_DOUBLE_EQ(value->ratio(0, 3, 1), 3.0);
    EXPECT_TRUE(std::isinf(value->ratio(0, 0, 0)));
    EXPECT_EQ(value->ratio(0, 0, 1), 0.0);
    EXPECT_TRUE(std::isnan(value->affinity(2, 0, 0)));
    // Expert 0 had the larger weight each time: 3 x 0.75 of 3 x 1.
    EXPECT_DOUBLE_EQ(value->gateShare(0, 0, 0), 0.75);
    double sum = 0;
    for (int expert = 0; expert < 4; ++expert) sum += value->gateShare(1, expert, 0);
    EXPECT_DOUBLE_EQ(sum, 1.0);
}

TEST(Specialisation, SpecialAndRejectedTokensAreLeftOut) {
    SpecialisationCounter counter(smallShape(), {"a"});
    RoutedToken special = token(0, 0, {0, 1, 2, 3});
    special.special = true;
    counter.add(special, false, 0, 0);
    counter.add(token(1, 5, {0, 1, 2, 3}, Phase::Rejected), false, 0, 0);
    RoutedToken unrecorded;
    counter.add(unrecorded, false, 0, 0);
    const auto value = counter.value();
    EXPECT_EQ(value->tokens(0, 0), 0);
    EXPECT_EQ(value->vocabularyTokens[0], 0);
    EXPECT_TRUE(std::isnan(value->divergence[0].equal));
}

TEST(Specialisation, EveryTokenHasKChoicesInEveryLayer) {
    SpecialisationCounter counter(smallShape(), {"a", "b", "c"});
    std::mt19937 random(3);
    for (int i = 0; i < 300; ++i) {
        const auto e = static_cast<std::uint16_t>(random() % 4);
        const auto other = static_cast<std::uint16_t>((e + 1 + random() % 3) % 4);
        counter.add(token(i, 1, {e, other, other, e}), false, static_cast<int>(random() % 3),
                    static_cast<int>(random() % 2));
    }
    const auto value = counter.value();
    for (int row = 0; row < 2; ++row) {
        for (int domain = 0; domain < 3; ++domain) {
            for (int half = 0; half < 2; ++half) {
                std::int64_t sum = 0;
                for (int expert = 0; expert < 4; ++expert) {
                    sum += value->count(row, expert, domain, half);
                }
                EXPECT_EQ(sum, 2 * value->tokens(row, domain, half));
            }
        }
    }
}

TEST(Specialisation, NextTokenIsTheOneThatTrulyFollows) {
    SpecialisationCounter counter(smallShape(), {"a", "b"});
    const SpecialistRule rule{.leastVocabulary = 1, .shrinkage = 1};
    counter.add(token(0, 1, {0, 1, 0, 1}), false, 0, 0);
    counter.add(token(1, 2, {2, 3, 2, 3}), false, 0, 0);                    // next of 1
    counter.add(token(2, 66, {0, 1, 0, 1}, Phase::Rejected), false, 0, 0);  // a wrong draft
    counter.add(token(2, 3, {0, 2, 0, 2}, Phase::Decode), false, 0, 0);     // next of 2
    counter.add(token(0, 4, {0, 2, 0, 2}), false, 1, 0);                    // another prompt
    RoutedToken special = token(1, 99, {0, 1, 0, 1});
    special.special = true;
    counter.add(special, false, 1, 0);
    counter.add(token(2, 5, {0, 1, 0, 1}), false, 1, 0);  // after a special token: not counted
    const auto value = counter.value({}, rule);
    EXPECT_EQ(value->vocabularyTokens[0], 5);
    EXPECT_EQ(value->vocabularyTokens[1], 2);
    const auto& ofExpert1 = value->vocabulary[1][1];  // row 0, expert 1: token 1, before 2
    ASSERT_EQ(ofExpert1.size(), 1u);
    EXPECT_EQ(ofExpert1[0].id, 2);
    EXPECT_EQ(ofExpert1[0].tokens, 1);
    EXPECT_DOUBLE_EQ(ofExpert1[0].shrunk, (1 + 1 * 0.5) / 2);
    const auto& ofExpert3 = value->vocabulary[1][3];
    ASSERT_EQ(ofExpert3.size(), 1u);
    EXPECT_EQ(ofExpert3[0].id, 3);
}

TEST(Specialisation, VocabularyNeedsTenAndIsShrunk) {
    SpecialisationCounter counter(smallShape(), {"a"});
    for (int i = 0; i < 10; ++i) counter.add(token(2 * i, 1, {0, 1, 0, 1}), false, 0, 0);
    for (int i = 0; i < 9; ++i) counter.add(token(2 * i, 2, {0, 1, 0, 1}), false, 0, 0);
    for (int i = 0; i < 40; ++i) {
        const auto other = static_cast<std::uint16_t>(i < 10 ? 3 : 1);
        counter.add(token(2 * i, 3, {0, other, 0, other}), false, 0, 0);
    }
    const auto value =
        counter.value([](std::int32_t id) { return std::string(1, char('a' + id)); });
    const auto& entries = value->vocabulary[0][0];
    ASSERT_EQ(entries.size(), 2u);  // token 2 came only nine times
    EXPECT_EQ(entries[0].id, 3);    // 40 of 40 is pulled to chance less than 10 of 10
    EXPECT_EQ(entries[0].bytes, "d");
    EXPECT_DOUBLE_EQ(entries[0].shrunk, (40 + 10 * 0.5) / 50);
    EXPECT_DOUBLE_EQ(entries[1].shrunk, (10 + 10 * 0.5) / 20);
    EXPECT_DOUBLE_EQ(entries[1].share, 1.0);
    // Token 3 went to expert 3 in a quarter of the cases: below chance, not listed.
    EXPECT_TRUE(value->vocabulary[0][3].empty());
}

TEST(Specialisation, VocabularyMemoryIsBounded) {
    SpecialisationCounter counter(smallShape(), {"a"}, 40);
    for (int i = 0; i < 1000; ++i) counter.add(token(0, i, {0, 1, 2, 3}), false, 0, 0);
    const auto value = counter.value();
    EXPECT_TRUE(value->vocabularyFull);
    EXPECT_EQ(value->vocabularyTokens[0], 10);  // four cells each
    EXPECT_EQ(value->tokens(0, 0), 1000);       // domains are counted all the same
}

TEST(SparseCounts, AgreesWithAMap) {
    SparseCounts counts;
    std::map<std::uint64_t, std::uint32_t> expected;
    std::mt19937_64 random(11);
    for (int i = 0; i < 50000; ++i) {
        const std::uint64_t key = (random() % 2000) << 32 | random() % 7;
        counts.add(key);
        ++expected[key];
    }
    EXPECT_EQ(counts.size(), expected.size());
    for (const auto& [key, count] : expected) EXPECT_EQ(counts.count(key), count);
    EXPECT_EQ(counts.count(std::uint64_t{5000} << 32), 0u);
    std::size_t visited = 0;
    counts.forEach([&](std::uint64_t key, std::uint32_t count) {
        ++visited;
        EXPECT_EQ(expected[key], count);
    });
    EXPECT_EQ(visited, expected.size());
}

/// 3 domains x 2 halves x `tokens` tokens of 16 experts, 4 chosen in 3 layers: uniformly, but in
/// layer 1 (row 1) expert 5 is among the chosen in `share` of the tokens of domain 1 (if its half
/// is in `halves`).
std::shared_ptr<const SpecialisationValue> planted(int tokens, double share, unsigned halves,
                                                   unsigned seed) {
    RoutingShape shape;
    shape.layers = {0, 1, 2};
    shape.totalLayers = 3;
    shape.experts = 16;
    shape.topK = 4;
    SpecialisationCounter counter(shape, {"x", "sums", "z"});
    std::mt19937 random(seed);
    std::vector<std::uint16_t> all(16);
    for (std::uint16_t e = 0; e < 16; ++e) all[e] = e;
    std::uniform_real_distribution<double> real(0, 1);
    for (int i = 0; i < 6 * tokens; ++i) {
        const int domain = i % 3;
        const int half = i / 3 % 2;
        RoutedToken token;
        token.position = 2 * i;
        token.tokenId = domain * 10 + i % 5;
        for (int row = 0; row < 3; ++row) {
            std::shuffle(all.begin(), all.end(), random);
            if (row == 1 && domain == 1 && (halves >> half & 1U) != 0 && real(random) < share) {
                std::swap(all[0], *std::find(all.begin(), all.end(), std::uint16_t{5}));
            }
            token.routing.experts.insert(token.routing.experts.end(), all.begin(), all.begin() + 4);
            token.routing.margins.push_back(0.1F);
            for (int j = 0; j < 4; ++j) token.routing.weights.push_back(0.25F);
        }
        token.routing.biasDecided.assign(3, 0);
        counter.add(token, false, domain, half);
    }
    return counter.value([](std::int32_t id) { return "t" + std::to_string(id); });
}

TEST(Specialists, APlantedOneIsFoundNamedAndReplicated) {
    const auto value = planted(400, 0.8, 0b11, 1);
    ASSERT_EQ(value->specialists.size(), 1u);
    const Specialist& found = value->specialists[0];
    EXPECT_EQ(found.layer, 1);
    EXPECT_EQ(found.expert, 5);
    EXPECT_EQ(found.domain, 1);
    EXPECT_EQ(found.tokens, 800);
    EXPECT_NEAR(found.affinity, 0.85, 0.04);  // 0.8 + 0.2 x 0.25
    EXPECT_NEAR(found.lift, 3.4, 0.2);
    EXPECT_NEAR(found.ratio, 3.4, 0.4);
    EXPECT_LT(found.adjusted, 1e-20);
    EXPECT_TRUE(found.replicated);
    EXPECT_TRUE(found.halves[0].holds && found.halves[1].holds);
    EXPECT_EQ(found.halves[0].tokens, 400);
    EXPECT_EQ(found.halves[0].chosen + found.halves[1].chosen, found.chosen);
    EXPECT_THAT(found.name, HasSubstr("layer 1 expert 5: sums (3."));
    EXPECT_THAT(found.name, HasSubstr("tokens 't1"));
    // The planted layer is told from the others by both figures of replication.
    EXPECT_EQ(value->replication[1].cells, 48);
    EXPECT_GT(value->replication[1].pearson, 0.8);
    EXPECT_GT(value->replication[1].pearsonCentred, 0.8);
    EXPECT_LT(std::abs(value->replication[0].pearsonCentred), 0.5);
    EXPECT_GT(value->divergence[1].corrected, 0.005);
    EXPECT_NEAR(value->divergence[0].corrected, 0, 0.003);
}

TEST(Specialists, OneHalfAloneIsNotReplicated) {
    const auto value = planted(400, 0.9, 0b01, 2);
    ASSERT_EQ(value->specialists.size(), 1u);
    EXPECT_FALSE(value->specialists[0].replicated);
    EXPECT_TRUE(value->specialists[0].halves[0].holds);
    EXPECT_FALSE(value->specialists[0].halves[1].holds);
}

TEST(Specialists, UniformRoutingYieldsNone) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        EXPECT_TRUE(planted(150, 0, 0, seed)->specialists.empty()) << seed;
    }
}

/// P(X >= c) summed up term by term.
double naiveTail(std::int64_t c, std::int64_t n, double p) {
    double sum = 0;
    for (std::int64_t i = c; i <= n; ++i) {
        const auto k = static_cast<double>(i);
        const auto m = static_cast<double>(n);
        sum += std::exp(std::lgamma(m + 1) - std::lgamma(k + 1) - std::lgamma(m - k + 1) +
                        k * std::log(p) + (m - k) * std::log1p(-p));
    }
    return std::min(sum, 1.0);
}

TEST(Specialists, AgreeWithASecondImplementation) {
    const auto value = planted(120, 0.5, 0b11, 9);
    struct Cell {
        int row, expert, domain;
        double p;
    };
    std::vector<Cell> cells;
    for (int row = 0; row < 3; ++row) {
        for (int e = 0; e < 16; ++e) {
            std::int64_t chosen = 0;
            for (int d = 0; d < 3; ++d) chosen += value->count(row, e, d);
            for (int d = 0; d < 3; ++d) {
                cells.push_back({row, e, d, naiveTail(value->count(row, e, d), chosen, 1.0 / 3)});
            }
        }
    }
    std::sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) { return a.p < b.p; });
    // Step-up: the largest rank with p <= rank / m * q decides, and all before it.
    std::size_t discoveries = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const double limit = 0.05 * static_cast<double>(i + 1) / static_cast<double>(cells.size());
        if (cells[i].p <= limit) discoveries = i + 1;
    }
    std::vector<std::array<int, 3>> expected;
    for (std::size_t i = 0; i < discoveries; ++i) {
        const auto [row, e, d, p] = cells[i];
        const auto rate = [&](int domain) {
            return static_cast<double>(value->count(row, e, domain)) / 240;
        };
        const double others = (rate((d + 1) % 3) + rate((d + 2) % 3)) / 2;
        if (rate(d) >= 2 * others) expected.push_back({row, e, d});
    }
    ASSERT_EQ(value->specialists.size(), expected.size());
    ASSERT_FALSE(expected.empty());
    for (const Specialist& found : value->specialists) {
        EXPECT_THAT(expected,
                    testing::Contains(std::array<int, 3>{found.row, found.expert, found.domain}));
        std::int64_t chosen = 0;
        for (int d = 0; d < 3; ++d) chosen += value->count(found.row, found.expert, d);
        const double p = naiveTail(found.chosen, chosen, 1.0 / 3);
        EXPECT_NEAR(found.pValue, p, 1e-9 * p);
    }
}

TEST(Specialists, CorrelationsByHand) {
    const std::vector<double> a = {1, 2, 3, 4};
    EXPECT_DOUBLE_EQ(pearson(a, std::vector<double>{2, 4, 6, 8}), 1.0);
    EXPECT_DOUBLE_EQ(spearman(a, std::vector<double>{1, 10, 100, 1000}), 1.0);
    EXPECT_DOUBLE_EQ(spearman(a, std::vector<double>{9, 8, 7, 6}), -1.0);
    EXPECT_NEAR(spearman(a, std::vector<double>{1, 2, 2, 3}), 0.9486832980505138, 1e-12);
    EXPECT_TRUE(std::isnan(pearson(a, std::vector<double>{5, 5, 5, 5})));
}

TEST(Specialisation, EnoughTokens) {
    SpecialisationValue value;
    value.shape.experts = 256;
    value.shape.topK = 8;
    EXPECT_EQ(value.enoughTokens(), 270);
    value.shape.experts = 32;
    value.shape.topK = 4;
    EXPECT_EQ(value.enoughTokens(), 49);
    value.shape.topK = 32;
    EXPECT_EQ(value.enoughTokens(), 1);
}

TEST(Specialisation, WhatDoesNotFitIsRefused) {
    SpecialisationCounter counter(smallShape(), {"a"});
    EXPECT_THROW(counter.add(token(0, 1, {0, 1, 2, 3}), false, 1, 0), Error);
    EXPECT_THROW(counter.add(token(0, 1, {0, 1, 2, 3}), false, 0, 2), Error);
    EXPECT_THROW(counter.add(token(0, 1, {0, 1, 2, 4}), false, 0, 0), Error);
    EXPECT_THROW(counter.add(token(0, 1, {0, 1}), false, 0, 0), Error);
    EXPECT_THROW(counter.add(token(0, 1, {0, 1, 2, 3}), true, 0, 0), Error);
    RoutingShape noMtp = smallShape();
    noMtp.mtpLayer = -1;
    SpecialisationCounter other(noMtp, {"a"});
    EXPECT_THROW(other.add(token(0, 1, {0, 1}), true, 0, 0), Error);
}

}  // namespace
}  // namespace gatescope
