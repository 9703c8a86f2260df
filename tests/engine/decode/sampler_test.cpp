// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace gatescope {
namespace {

const std::vector<float> kLogits{1.0f, 3.0f, 2.0f, 3.0f, -1.0f};

TEST(Sampler, GreedyTakesTheLargestAndTheLowerIdOfATie) {
    Sampler sampler({}, 0, 0);
    EXPECT_EQ(sampler.choose(kLogits).id, 1);
}

TEST(Sampler, IdsBeyondTheLimitAreNeverChosen) {
    Sampler sampler({}, 1, 0);
    EXPECT_EQ(sampler.choose(kLogits).id, 0);
}

TEST(Sampler, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
    Sampler sampler({.repetitionPenalty = 2}, 0, 0);
    sampler.see(1);
    sampler.see(3);
    EXPECT_EQ(sampler.choose(kLogits).id, 2);
    const std::vector<float> negative{-1.0f, -1.5f};
    Sampler other({.repetitionPenalty = 2}, 0, 0);
    other.see(0);
    EXPECT_EQ(other.choose(negative).id, 1);
}

TEST(Sampler, ReportsRawProbabilitiesAndAlternativesInOrder) {
    Sampler sampler({.temperature = 0.5f}, 0, 3);
    const auto choice = sampler.choose(kLogits);
    double sum = 0;
    for (const float v : kLogits) sum += std::exp(v);
    ASSERT_EQ(choice.alternatives.size(), 3u);
    EXPECT_EQ(choice.alternatives[0].id, 1);
    EXPECT_EQ(choice.alternatives[1].id, 3);
    EXPECT_EQ(choice.alternatives[2].id, 2);
    EXPECT_NEAR(choice.alternatives[2].rawProbability, std::exp(2.0) / sum, 1e-6);
}

std::map<std::int32_t, int> draw(SamplingParams params, int count) {
    std::map<std::int32_t, int> counts;
    Sampler sampler(params, 0, 0);
    for (int i = 0; i < count; ++i) ++counts[sampler.choose(kLogits).id];
    return counts;
}

// Chi-square against the probabilities the definition gives; 27.9 is the 1e-5 point of 4 degrees.
TEST(Sampler, FrequenciesFollowTheTemperature) {
    for (const float temperature : {0.7f, 1.0f, 1.9f}) {
        constexpr int kDraws = 100000;
        const auto counts = draw({.temperature = temperature, .seed = 3}, kDraws);
        double sum = 0;
        for (const float v : kLogits) sum += std::exp(v / temperature);
        double chi = 0;
        for (std::size_t i = 0; i < kLogits.size(); ++i) {
            const double expected = kDraws * std::exp(kLogits[i] / temperature) / sum;
            const auto it = counts.find(static_cast<std::int32_t>(i));
            const double got = it == counts.end() ? 0 : it->second;
            chi += (got - expected) * (got - expected) / expected;
        }
        EXPECT_LT(chi, 27.9) << temperature;
    }
}

TEST(Sampler, TopKKeepsTheKMostProbable) {
    const auto counts = draw({.temperature = 1, .topK = 2}, 2000);
    EXPECT_EQ(counts.size(), 2u);
    EXPECT_TRUE(counts.contains(1) && counts.contains(3));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesP) {
    // Probabilities in order: 0.386, 0.386, 0.142, 0.052, 0.007... of ids 1, 3, 2, 0, 4.
    EXPECT_EQ(draw({.temperature = 1, .topP = 0.3f}, 2000).size(), 1u);
    EXPECT_EQ(draw({.temperature = 1, .topP = 0.7f}, 2000).size(), 2u);
    EXPECT_EQ(draw({.temperature = 1, .topP = 0.8f}, 2000).size(), 3u);
}

TEST(Sampler, MinPDropsWhatIsFarBelowTheBest) {
    EXPECT_EQ(draw({.temperature = 1, .minP = 0.3f}, 2000).size(), 3u);
    EXPECT_EQ(draw({.temperature = 1, .minP = 0.9f}, 2000).size(), 2u);
}

TEST(Sampler, TheSeedDecidesTheDraws) {
    const SamplingParams params{.temperature = 1, .seed = 11};
    Sampler a(params, 0, 0), b(params, 0, 0), c({.temperature = 1, .seed = 12}, 0, 0);
    int different = 0;
    for (int i = 0; i < 100; ++i) {
        const auto id = a.choose(kLogits).id;
        EXPECT_EQ(id, b.choose(kLogits).id);
        different += id != c.choose(kLogits).id;
    }
    EXPECT_GT(different, 10);
}

// Sorting goes only as far as the nucleus reaches; the result must be that of sorting everything.
TEST(Sampler, LargeVocabulariesGiveTheDefinedNucleus) {
    std::vector<float> logits(5000);
    for (std::size_t i = 0; i < logits.size(); ++i)
        logits[i] = std::sin(static_cast<float>(i) * 12.9898f) * 3;
    std::vector<double> p;
    double sum = 0;
    for (const float v : logits) sum += std::exp(static_cast<double>(v));
    for (const float v : logits) p.push_back(std::exp(static_cast<double>(v)) / sum);
    auto sorted = p;
    std::sort(sorted.rbegin(), sorted.rend());
    double mass = 0;
    double smallest = 0;
    for (const double v : sorted) {
        if (mass >= 0.5) break;
        mass += v;
        smallest = v;
    }
    Sampler sampler({.temperature = 1, .topP = 0.5f, .seed = 5}, 0, 0);
    for (int i = 0; i < 200; ++i)
        EXPECT_GE(p[static_cast<std::size_t>(sampler.choose(logits).id)], smallest * 0.999);
}

// --- drafting by the same race ------------------------------------------------------------------

const std::vector<float> kDrafterLogits{2.0f, 2.5f, 2.0f, 1.0f, 0.0f};

double chiSquare(const std::map<std::int32_t, int>& counts, std::span<const float> logits, int n) {
    double sum = 0;
    for (const float v : logits) sum += std::exp(v);
    double chi = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const double expected = n * std::exp(logits[i]) / sum;
        const auto it = counts.find(static_cast<std::int32_t>(i));
        const double got = it == counts.end() ? 0 : it->second;
        chi += (got - expected) * (got - expected) / expected;
    }
    return chi;
}

// What is drafted follows the drafter's distribution, what is chosen the model's, and the two agree
// at least as often as Daliri, Musco & Suresh (2024) prove.
TEST(Sampler, DraftsAgreeWithChoicesAsOftenAsTheDistributionsAllow) {
    constexpr int kDraws = 100000;
    Sampler sampler({.temperature = 1, .seed = 9}, 0, 0);
    std::map<std::int32_t, int> drafted, chosen;
    int agreed = 0;
    for (int i = 0; i < kDraws; ++i) {
        const auto draft = sampler.draft(kDrafterLogits, {}).id;
        const auto choice = sampler.choose(kLogits).id;
        ++drafted[draft];
        ++chosen[choice];
        agreed += draft == choice;
    }
    EXPECT_LT(chiSquare(drafted, kDrafterLogits, kDraws), 27.9);
    EXPECT_LT(chiSquare(chosen, kLogits, kDraws), 27.9);
    double sumP = 0, sumQ = 0, distance = 0;
    for (std::size_t i = 0; i < kLogits.size(); ++i) {
        sumP += std::exp(kLogits[i]);
        sumQ += std::exp(kDrafterLogits[i]);
    }
    for (std::size_t i = 0; i < kLogits.size(); ++i)
        distance += std::abs(std::exp(kLogits[i]) / sumP - std::exp(kDrafterLogits[i]) / sumQ) / 2;
    const double rate = static_cast<double>(agreed) / kDraws;
    EXPECT_GT(rate, (1 - distance) / (1 + distance) - 0.005);
    EXPECT_LT(rate, 1 - distance + 0.005) << "no coupling agrees more often";
}

// Of the same logits the draft is the choice, token by token, whatever the parameters.
TEST(Sampler, ADrafterThatIsTheModelIsAlwaysRight) {
    for (const SamplingParams& params :
         {SamplingParams{}, SamplingParams{.temperature = 0.8f, .topP = 0.9f, .seed = 4},
          SamplingParams{.temperature = 1.3f,
          .topK = 4,
          .minP = 0.05f,
          .repetitionPenalty = 1.5f,
          .seed = 4}}) {
        Sampler sampler(params, 0, 0);
        for (int step = 0; step < 50; ++step) {
            std::vector<std::int32_t> ahead;
            for (int i = 0; i < 3; ++i) ahead.push_back(sampler.draft(kLogits, ahead).id);
            for (const auto id : ahead) EXPECT_EQ(sampler.choose(kLogits).id, id);
        }
    }
}

TEST(Sampler, DraftingUsesUpNothing) {
    const SamplingParams params{.temperature = 1, .repetitionPenalty = 1.3f, .seed = 2};
    Sampler with(params, 0, 0), without(params, 0, 0);
    for (int i = 0; i < 50; ++i) {
        const std::vector<std::int32_t> drafted{1, 3};
        (void)with.draft(kLogits, drafted);
        EXPECT_EQ(with.choose(kLogits).id, without.choose(kLogits).id);
    }
}

}  // namespace
}  // namespace gatescope
