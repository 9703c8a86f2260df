// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/expert_reads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/error.h"
#include "relation_traffic.h"

namespace gatescope {
namespace {

constexpr std::uint16_t kEmpty = 0xFFFF;

StepTrace stepOf(std::vector<std::vector<std::uint16_t>> tokens, int topK) {
    StepTrace step;
    for (auto& choices : tokens) {
        step.tokens.push_back(routedToken(std::move(choices), topK));
    }
    return step;
}

/// A cache simulated for one size. `frequency`: the fewest reads go first, else the oldest read.
std::int64_t simulatedHits(const std::vector<int>& reads, std::size_t size, bool frequency) {
    std::vector<int> counts(1024, 0);
    std::vector<int> last(1024, 0);
    std::set<int> cached;
    std::int64_t hits = 0;
    int now = 0;
    for (const int expert : reads) {
        if (cached.count(expert) > 0) {
            ++hits;
        } else if (size > 0) {
            if (cached.size() == size) {
                cached.erase(*std::min_element(cached.begin(), cached.end(), [&](int a, int b) {
                    return frequency ? std::pair(counts[static_cast<std::size_t>(a)],
                                                 last[static_cast<std::size_t>(a)]) <
                                           std::pair(counts[static_cast<std::size_t>(b)],
                                                     last[static_cast<std::size_t>(b)])
                                     : last[static_cast<std::size_t>(a)] <
                                           last[static_cast<std::size_t>(b)];
                }));
            }
            cached.insert(expert);
        }
        ++counts[static_cast<std::size_t>(expert)];
        last[static_cast<std::size_t>(expert)] = ++now;
    }
    return hits;
}

/// Steps of one to four positions over two layers, and the reads of each layer written out.
struct Traffic {
    ExpertReads counter;
    std::vector<std::vector<int>> reads{{}, {}};
    std::vector<std::vector<std::set<int>>> readsByStep{{}, {}};  ///< [row][step]

    Traffic(int experts, int topK, int steps) : counter(relationShape(2, experts, topK)) {
        std::mt19937 random(17);
        for (int s = 0; s < steps; ++s) {
            std::vector<std::vector<std::uint16_t>> tokens;
            std::vector<std::set<int>> needed(2);
            for (int t = 0; t <= s % 4; ++t) {
                const auto choices = unevenChoices(random, 2, experts, topK);
                for (std::size_t i = 0; i < choices.size(); ++i) {
                    needed[i / static_cast<std::size_t>(topK)].insert(choices[i]);
                }
                tokens.push_back(choices);
            }
            counter.add(stepOf(std::move(tokens), topK));
            for (std::size_t row = 0; row < 2; ++row) {
                reads[row].insert(reads[row].end(), needed[row].begin(), needed[row].end());
                readsByStep[row].push_back(needed[row]);
            }
        }
    }
};

TEST(ExpertReads, CountsByHand) {
    ExpertReads counter(relationShape(1, 4, 1));
    for (const std::uint16_t expert : std::vector<std::uint16_t>{0, 1, 0, 2, 1, 0}) {
        counter.add(stepOf({{expert}}, 1));
    }
    const ExpertReadsValue value = counter.value(0);
    EXPECT_EQ(value.layer, 1);
    EXPECT_EQ(value.n, 6);
    EXPECT_EQ(value.steps, 6);
    EXPECT_EQ(value.counts, (std::vector<std::int64_t>{3, 2, 1, 0}));
    EXPECT_EQ(value.coldReads, 3);
    // 0 again after {1}: 1; 1 again after {0, 2}: 2; 0 again after {2, 1}: 2.
    EXPECT_EQ(value.reuse, (std::vector<std::int64_t>{0, 1, 2, 0}));
    EXPECT_EQ(value.lruHits, (std::vector<std::int64_t>{0, 0, 1, 3, 3}));
    EXPECT_EQ(value.pinnedHits, (std::vector<std::int64_t>{0, 3, 5, 6, 6}));
    EXPECT_DOUBLE_EQ(value.lruHitRate(3), 0.5);
    EXPECT_DOUBLE_EQ(value.lruHitRate(-1), 0);
    EXPECT_DOUBLE_EQ(value.lruHitRate(99), 0.5);
    EXPECT_DOUBLE_EQ(value.pinnedHitRate(1), 0.5);
    EXPECT_DOUBLE_EQ(value.medianReuseDistance(), 2);
    // Two places: 2 displaces 1 (fewer reads than 0), 1 displaces 2, and 0 is still there.
    EXPECT_EQ(value.lfuHits, (std::vector<std::int64_t>{0, 0, 2, 3, 3}));
    EXPECT_DOUBLE_EQ(value.lfuHitRate(2), 2.0 / 6);
}

TEST(ExpertReads, AStepReadsEachExpertOnce) {
    ExpertReads counter(relationShape(1, 8, 2));
    StepTrace step = stepOf({{5, 2}, {2, 7}, {5, 7}}, 2);
    step.tokens[1].phase = Phase::Rejected;
    step.tokens[2].special = true;
    counter.add(step);
    EXPECT_EQ(counter.value(0).n, 3);
    EXPECT_EQ(counter.value(0).steps, 1);
    // In ascending order, so 7 was the latest read and 2 the earliest.
    counter.add(stepOf({{7, 2}}, 2));
    EXPECT_EQ(counter.value(0).reuse[2], 1);  // 2 first: 5 and 7 since
    EXPECT_EQ(counter.value(0).reuse[1], 1);  // then 7: 2 since
    EXPECT_DOUBLE_EQ(counter.value(0).medianReuseDistance(), 1.5);
}

TEST(ExpertReads, RejectedAndSpecialPositionsCost) {
    ExpertReads counter(relationShape(1, 8, 2));
    StepTrace step;
    step.tokens.push_back(routedToken({0, 1}, 2, Phase::Rejected));
    step.tokens.push_back(routedToken({2, 3}, 2, Phase::Prefill, true));
    step.tokens.push_back(RoutedToken{});
    counter.add(step);
    EXPECT_EQ(counter.value(0).n, 4);
    counter.add(StepTrace{});
    EXPECT_EQ(counter.value(0).steps, 1);
}

TEST(ExpertReads, LruEqualsASimulationOfEverySize) {
    const Traffic traffic(23, 3, 200);
    for (int row = 0; row < 2; ++row) {
        const ExpertReadsValue value = traffic.counter.value(row);
        const auto& reads = traffic.reads[static_cast<std::size_t>(row)];
        ASSERT_EQ(value.n, static_cast<std::int64_t>(reads.size()));
        for (std::size_t size = 0; size <= 23; ++size) {
            EXPECT_EQ(value.lruHits[size], simulatedHits(reads, size, false)) << size;
        }
    }
}

TEST(ExpertReads, LfuEqualsASimulationOfEverySize) {
    const Traffic traffic(23, 3, 200);
    for (int row = 0; row < 2; ++row) {
        const ExpertReadsValue value = traffic.counter.value(row);
        const auto& reads = traffic.reads[static_cast<std::size_t>(row)];
        for (std::size_t size = 0; size <= 23; ++size) {
            EXPECT_EQ(value.lfuHits[size], simulatedHits(reads, size, true)) << size;
        }
    }
}

TEST(ExpertReads, HitsRiseWithTheCache) {
    const Traffic traffic(40, 4, 300);
    const ExpertReadsValue value = traffic.counter.value(1);
    for (const auto* hits : {&value.lruHits, &value.lfuHits, &value.pinnedHits}) {
        ASSERT_EQ(hits->size(), 41U);
        EXPECT_EQ(hits->front(), 0);
        EXPECT_TRUE(std::is_sorted(hits->begin(), hits->end()));
    }
    EXPECT_EQ(value.lruHits.back(), value.n - value.coldReads);
    EXPECT_EQ(value.lfuHits.back(), value.n - value.coldReads);
    EXPECT_EQ(value.pinnedHits.back(), value.n);
    EXPECT_EQ(std::accumulate(value.reuse.begin(), value.reuse.end(), value.coldReads), value.n);
}

TEST(ExpertReads, ForecastByHand) {
    ExpertReads counter(relationShape(1, 4, 1));
    for (const std::uint16_t expert : std::vector<std::uint16_t>{0, 1, 0, 2, 1, 0}) {
        counter.add(stepOf({{expert}}, 1));
    }
    // Learns 0, 1, 0 (so 0 before 1, then 2 and 3 by id) and is scored on 2, 1, 0.
    const PinnedForecast six = counter.value(0).forecast;
    EXPECT_EQ(six.stepsLearned, 3);
    EXPECT_EQ(six.readsLearned, 3);
    EXPECT_EQ(six.stepsScored, 3);
    EXPECT_EQ(six.n, 3);
    EXPECT_EQ(six.hits, (std::vector<std::int64_t>{0, 1, 2, 3, 3}));
    EXPECT_DOUBLE_EQ(six.hitRate(1), 1.0 / 3);
    EXPECT_DOUBLE_EQ(six.hitRate(-1), 0);
    EXPECT_DOUBLE_EQ(six.hitRate(99), 1);
    // The odd step is scored: learns 0, 1, 0 still.
    counter.add(stepOf({{3}}, 1));
    EXPECT_EQ(counter.value(0).forecast.stepsLearned, 3);
    EXPECT_EQ(counter.value(0).forecast.hits, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
    // One step has no half to learn from.
    ExpertReads one(relationShape(1, 4, 1));
    one.add(stepOf({{0}}, 1));
    EXPECT_EQ(one.value(0).forecast.n, 0);
    EXPECT_TRUE(std::isnan(one.value(0).forecast.hitRate(2)));
    EXPECT_TRUE(std::isnan(one.total(2).forecastHitRate()));
}

/// Hits of the `size` experts most read in the first steps, in the steps after them.
std::int64_t forecastHits(const std::vector<std::set<int>>& steps, std::size_t learned,
                          std::size_t size, int experts) {
    std::vector<std::pair<int, int>> order;  // reads, negative; expert
    for (int expert = 0; expert < experts; ++expert) {
        int reads = 0;
        for (std::size_t s = 0; s < learned; ++s) reads += static_cast<int>(steps[s].count(expert));
        order.emplace_back(-reads, expert);
    }
    std::sort(order.begin(), order.end());
    std::int64_t hits = 0;
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t s = learned; s < steps.size(); ++s) {
            hits += static_cast<std::int64_t>(steps[s].count(order[i].second));
        }
    }
    return hits;
}

TEST(ExpertReads, ForecastEqualsANaiveOneOfEverySize) {
    for (const int steps : {2, 3, 37, 62, 64, 65, 200, 777}) {
        const Traffic traffic(23, 3, steps);
        for (std::size_t row = 0; row < 2; ++row) {
            const PinnedForecast got = traffic.counter.value(static_cast<int>(row)).forecast;
            EXPECT_LE(got.stepsLearned, steps / 2);
            EXPECT_GE(got.stepsLearned, steps < 63 ? steps / 2 : steps / 2 - steps / 32) << steps;
            ASSERT_EQ(got.stepsLearned + got.stepsScored, steps);
            for (std::size_t size = 0; size <= 23; ++size) {
                EXPECT_EQ(got.hits[size],
                          forecastHits(traffic.readsByStep[row],
                                       static_cast<std::size_t>(got.stepsLearned), size, 23))
                    << steps << " steps, cache of " << size;
            }
            EXPECT_EQ(got.hits.back(), got.n);
            EXPECT_EQ(got.readsLearned + got.n,
                      static_cast<std::int64_t>(traffic.reads[row].size()));
        }
    }
}

TEST(ExpertReads, TheMiddleIsNeverFarFromTheHalf) {
    ExpertReads counter(relationShape(1, 2, 1));
    for (std::int64_t steps = 1; steps <= 5000; ++steps) {
        counter.add(stepOf({{static_cast<std::uint16_t>(steps % 2)}}, 1));
        const PinnedForecast got = counter.value(0).forecast;
        ASSERT_LE(got.stepsLearned, steps / 2);
        ASSERT_LE(steps / 2 - got.stepsLearned, steps / 32) << steps;
    }
}

TEST(ExpertReads, AForecastDoesNotKnowWhatComes) {
    // The halves read other experts: hindsight would hit half of the reads, the forecast none.
    ExpertReads counter(relationShape(1, 8, 1));
    for (int step = 0; step < 40; ++step) {
        counter.add(stepOf({{static_cast<std::uint16_t>(step % 2 + (step < 20 ? 0 : 4))}}, 1));
    }
    const ExpertReadsValue value = counter.value(0);
    EXPECT_DOUBLE_EQ(value.pinnedHitRate(2), 0.5);
    EXPECT_DOUBLE_EQ(value.forecast.hitRate(2), 0);
    EXPECT_EQ(value.forecast.n, 20);
}

TEST(ExpertReads, FrequencyKeepsTheRegularsThroughAScan) {
    // Experts 0 and 1 in every round, each time followed by two that come up rarely: with three
    // places recency has lost both by the next round, frequency keeps both.
    ExpertReads counter(relationShape(1, 64, 1));
    for (int round = 0; round < 100; ++round) {
        for (const int expert : {0, 1, 2 + round % 62, 2 + (round + 31) % 62}) {
            counter.add(stepOf({{static_cast<std::uint16_t>(expert)}}, 1));
        }
    }
    const ExpertReadsValue value = counter.value(0);
    EXPECT_LT(value.lruHitRate(3), 0.01);
    EXPECT_GT(value.lfuHitRate(3), 0.48);
    EXPECT_GE(value.pinnedHitRate(3), value.lfuHitRate(3));
}

TEST(ExpertReads, TotalsAreOfTheMainLayers) {
    ExpertReads counter(relationShape(2, 8, 1, true));
    StepTrace step = stepOf({{1, 2}}, 1);
    step.mtp.push_back(routedToken({3}, 1, Phase::Draft));
    counter.add(step);
    counter.add(step);
    ASSERT_EQ(counter.rows(), 3);
    EXPECT_EQ(counter.value(2).n, 2);
    EXPECT_EQ(counter.value(2).layer, 5);
    EXPECT_EQ(counter.value(2).lruHits[1], 1);
    const ExpertReadsTotal total = counter.total(1);
    EXPECT_EQ(total.n, 4);
    EXPECT_EQ(total.lruHits, 2);
    EXPECT_EQ(total.lfuHits, 2);
    EXPECT_EQ(total.pinnedHits, 4);
    EXPECT_EQ(total.forecastN, 2);  // the second step of both layers, not the MTP layer's
    EXPECT_EQ(total.forecastHits, 2);
    EXPECT_DOUBLE_EQ(total.forecastHitRate(), 1);
    EXPECT_DOUBLE_EQ(total.lruHitRate(), 0.5);
    EXPECT_EQ(counter.totals().size(), 9U);
    EXPECT_EQ(counter.totals()[8].n, 4);
    EXPECT_EQ(counter.total(100).cacheExpertsPerLayer, 8);
    EXPECT_EQ(counter.total(-3).lruHits, 0);
}

TEST(ExpertReads, NothingReadIsUndefined) {
    const ExpertReads counter(relationShape(1, 4, 2));
    const ExpertReadsValue value = counter.value(0);
    EXPECT_TRUE(std::isnan(value.lruHitRate(2)));
    EXPECT_TRUE(std::isnan(value.medianReuseDistance()));
    EXPECT_TRUE(std::isnan(counter.total(2).lfuHitRate()));
}

TEST(ExpertReads, EmptySlotsReadNothing) {
    ExpertReads counter(relationShape(1, 4, 2));
    counter.add(stepOf({{kEmpty, 3}, {kEmpty, kEmpty}}, 2));
    counter.add(stepOf({{kEmpty, kEmpty}}, 2));
    EXPECT_EQ(counter.value(0).n, 1);
    EXPECT_EQ(counter.value(0).steps, 1);
}

TEST(ExpertReads, ABadPositionLeavesTheWholeStepOut) {
    ExpertReads counter(relationShape(1, 4, 2));
    EXPECT_THROW(counter.add(stepOf({{0, 1}, {2, 4}}, 2)), Error);
    EXPECT_THROW(counter.add(stepOf({{0, 1}, {2, 2}}, 2)), Error);
    StepTrace step = stepOf({{0, 1}}, 2);
    step.mtp.push_back(routedToken({0, 1}, 2, Phase::Draft));
    EXPECT_THROW(counter.add(step), Error);
    EXPECT_EQ(counter.value(0).n, 0);
    EXPECT_THROW(ExpertReads(relationShape(1, 0, 1)), Error);
    EXPECT_EQ(ExpertReads(RoutingShape{}).total(3).n, 0);
}

TEST(ExpertReads, ACopyGoesItsOwnWay) {
    ExpertReads counter(relationShape(1, 4, 1));
    counter.add(stepOf({{0}}, 1));
    ExpertReads copy = counter;
    copy.add(stepOf({{1}}, 1));
    counter.add(stepOf({{0}}, 1));
    EXPECT_EQ(counter.value(0).lruHits[1], 1);
    EXPECT_EQ(copy.value(0).lruHits[1], 0);
}

}  // namespace
}  // namespace gatescope
