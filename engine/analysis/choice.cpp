// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/error.h"

namespace gatescope {

namespace {

void check(const RoutingShape& shape, std::size_t scores, std::size_t bias) {
    const auto fail = [](const std::string& cause) {
        throw Error(fmt::format("routing: {}", cause));
    };
    if (shape.experts < 1 || shape.topK < 1 || shape.topK > shape.experts) {
        fail(fmt::format("cannot choose {} of {} experts", shape.topK, shape.experts));
    }
    if (shape.groups < 1 || shape.experts % shape.groups != 0) {
        fail(fmt::format("{} experts do not divide into {} groups", shape.experts, shape.groups));
    }
    if (shape.topkGroups < 1 || shape.topkGroups > shape.groups) {
        fail(fmt::format("cannot keep {} of {} groups", shape.topkGroups, shape.groups));
    }
    if (shape.topK > shape.topkGroups * (shape.experts / shape.groups)) {
        fail(
            fmt::format("{} kept groups hold fewer than {} experts", shape.topkGroups, shape.topK));
    }
    if (scores != static_cast<std::size_t>(shape.experts)) {
        fail(fmt::format("{} affinities for {} experts", scores, shape.experts));
    }
    if (bias != 0 && bias != scores) {
        fail(fmt::format("{} bias values for {} experts", bias, shape.experts));
    }
}

/// Indices 0..n-1, largest value first; the lower index wins a tie.
std::vector<int> descending(std::span<const float> values) {
    std::vector<int> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
    });
    return order;
}

float groupScore(std::span<const float> choice, bool sumOfTopTwo) {
    float first = -std::numeric_limits<float>::infinity();
    float second = first;
    for (const float value : choice) {
        if (value > first) {
            second = first;
            first = value;
        } else if (value > second) {
            second = value;
        }
    }
    return sumOfTopTwo && choice.size() > 1 ? first + second : first;
}

struct Order {
    std::vector<int> experts;  ///< of kept groups, best first
    std::vector<float> groupScores;
    std::vector<int> keptGroups;
    float groupMargin = std::numeric_limits<float>::quiet_NaN();
};

/// Experts of these groups (ascending), best first.
std::vector<int> orderWithin(const std::vector<int>& groups, std::size_t groupSize,
                             std::span<const float> choice) {
    std::vector<int> out;
    for (const int expert : descending(choice)) {
        const int group = expert / static_cast<int>(groupSize);
        if (std::binary_search(groups.begin(), groups.end(), group)) {
            out.push_back(expert);
        }
    }
    return out;
}

Order chooseOrder(const RoutingShape& shape, std::span<const float> choice) {
    const auto size = static_cast<std::size_t>(shape.experts / shape.groups);
    const auto kept = static_cast<std::size_t>(shape.topkGroups);
    Order out;
    for (std::size_t g = 0; g < static_cast<std::size_t>(shape.groups); ++g) {
        out.groupScores.push_back(groupScore(choice.subspan(g * size, size), shape.hasBias));
    }
    out.keptGroups = descending(out.groupScores);
    if (kept < out.keptGroups.size()) {
        const auto scoreAt = [&out](std::size_t i) {
            return out.groupScores[static_cast<std::size_t>(out.keptGroups[i])];
        };
        out.groupMargin = scoreAt(kept - 1) - scoreAt(kept);
    }
    out.keptGroups.resize(kept);
    std::sort(out.keptGroups.begin(), out.keptGroups.end());
    out.experts = orderWithin(out.keptGroups, size, choice);
    return out;
}

std::vector<ExpertRank> unranked(std::span<const float> scores, std::span<const float> bias,
                                 std::span<const float> choice, int groupSize) {
    std::vector<ExpertRank> out(scores.size());
    for (std::size_t e = 0; e < scores.size(); ++e) {
        ExpertRank& x = out[e];
        x.expert = static_cast<int>(e);
        x.group = x.expert / groupSize;
        x.score = scores[e];
        x.bias = bias.empty() ? 0.0F : bias[e];
        x.choice = choice[e];
    }
    return out;
}

void setRanks(std::vector<ExpertRank>& experts, const std::vector<int>& order,
              int ExpertRank::*rank) {
    for (std::size_t i = 0; i < order.size(); ++i) {
        experts[static_cast<std::size_t>(order[i])].*rank = static_cast<int>(i) + 1;
    }
}

/// S_b, S_0 and S_0g of every expert from its three ranks.
void decide(ChoiceRanking& out, int k) {
    const auto among = [k](int rank) { return rank > 0 && rank <= k; };
    for (ExpertRank& x : out.experts) {
        x.kept = x.rank > 0;
        x.chosen = among(x.rank);
        const bool inFixedGroups = among(x.rankWithoutBiasFixedGroups);
        x.biasDecided = x.chosen && !among(x.rankWithoutBias);
        if (x.biasDecided) {
            x.biasPart = inFixedGroups ? BiasPart::GroupFlip : BiasPart::InGroup;
        }
        out.biasDecided += x.biasDecided ? 1 : 0;
        out.biasDecidedFixedGroups += x.chosen && !inFixedGroups ? 1 : 0;
    }
}

}  // namespace

ChoiceRanking rankChoices(const RoutingShape& shape, std::span<const float> scores,
                          std::span<const float> bias) {
    check(shape, scores.size(), bias.size());
    const auto k = static_cast<std::size_t>(shape.topK);
    const int groupSize = shape.experts / shape.groups;

    std::vector<float> choice(scores.begin(), scores.end());
    for (std::size_t e = 0; e < bias.size(); ++e) {
        choice[e] += bias[e];
    }
    Order with = chooseOrder(shape, choice);
    Order without = bias.empty() ? with : chooseOrder(shape, scores);

    ChoiceRanking out;
    out.experts = unranked(scores, bias, choice, groupSize);
    setRanks(out.experts, with.experts, &ExpertRank::rank);
    setRanks(out.experts, without.experts, &ExpertRank::rankWithoutBias);
    setRanks(out.experts, orderWithin(with.keptGroups, static_cast<std::size_t>(groupSize), scores),
             &ExpertRank::rankWithoutBiasFixedGroups);
    decide(out, shape.topK);
    const auto choiceAt = [&](std::size_t i) {
        return choice[static_cast<std::size_t>(with.experts[i])];
    };
    out.margin = with.experts.size() > k ? choiceAt(k - 1) - choiceAt(k)
                                         : std::numeric_limits<float>::quiet_NaN();
    out.tie = with.experts.size() > k && choiceAt(k - 1) == choiceAt(k);
    out.groupMargin = with.groupMargin;
    out.groupTie = with.groupMargin == 0;
    out.order = std::move(with.experts);
    out.groupScores = std::move(with.groupScores);
    out.keptGroups = std::move(with.keptGroups);
    out.keptGroupsWithoutBias = std::move(without.keptGroups);
    return out;
}

double weightPerAffinity(std::span<const float> scores, std::span<const std::uint16_t> experts,
                         std::span<const float> weights) {
    // Weights are float32 and may come from the log, which keeps them as they are.
    constexpr double kRounding = 1e-4;
    constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
    double affinity = 0;
    double mass = 0;
    for (std::size_t j = 0; j < experts.size(); ++j) {
        if (experts[j] >= scores.size() || j >= weights.size()) {
            return kUndefined;
        }
        affinity += static_cast<double>(scores[experts[j]]);
        mass += static_cast<double>(weights[j]);
    }
    const double factor = affinity > 0 ? mass / affinity : kUndefined;
    for (std::size_t j = 0; j < experts.size(); ++j) {
        const double expected = factor * static_cast<double>(scores[experts[j]]);
        const double weight = static_cast<double>(weights[j]);
        if (!(std::abs(weight - expected) <= kRounding * std::max(expected, mass * kRounding))) {
            return kUndefined;
        }
    }
    return factor;
}

}  // namespace gatescope
