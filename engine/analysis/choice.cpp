// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/choice.h"

#include <algorithm>
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
};

Order chooseOrder(const RoutingShape& shape, std::span<const float> choice) {
    const auto size = static_cast<std::size_t>(shape.experts / shape.groups);
    Order out;
    for (std::size_t g = 0; g < static_cast<std::size_t>(shape.groups); ++g) {
        out.groupScores.push_back(groupScore(choice.subspan(g * size, size), shape.hasBias));
    }
    out.keptGroups = descending(out.groupScores);
    out.keptGroups.resize(static_cast<std::size_t>(shape.topkGroups));
    std::sort(out.keptGroups.begin(), out.keptGroups.end());
    for (const int expert : descending(choice)) {
        const int group = expert / static_cast<int>(size);
        if (std::binary_search(out.keptGroups.begin(), out.keptGroups.end(), group)) {
            out.experts.push_back(expert);
        }
    }
    return out;
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
    const Order without = bias.empty() ? with : chooseOrder(shape, scores);

    ChoiceRanking out;
    out.experts.resize(scores.size());
    for (std::size_t e = 0; e < scores.size(); ++e) {
        ExpertRank& x = out.experts[e];
        x.expert = static_cast<int>(e);
        x.group = x.expert / groupSize;
        x.score = scores[e];
        x.bias = bias.empty() ? 0.0F : bias[e];
        x.choice = choice[e];
    }
    for (std::size_t i = 0; i < without.experts.size(); ++i) {
        out.experts[static_cast<std::size_t>(without.experts[i])].rankWithoutBias =
            static_cast<int>(i) + 1;
    }
    for (std::size_t i = 0; i < with.experts.size(); ++i) {
        ExpertRank& x = out.experts[static_cast<std::size_t>(with.experts[i])];
        x.kept = true;
        x.rank = static_cast<int>(i) + 1;
        x.chosen = i < k;
        const bool chosenWithout = x.rankWithoutBias > 0 && x.rankWithoutBias <= shape.topK;
        x.biasDecided = x.chosen && !chosenWithout;
        out.biasDecided += x.biasDecided ? 1 : 0;
    }
    const auto choiceAt = [&](std::size_t i) {
        return choice[static_cast<std::size_t>(with.experts[i])];
    };
    out.margin = with.experts.size() > k ? choiceAt(k - 1) - choiceAt(k)
                                         : std::numeric_limits<float>::quiet_NaN();
    out.order = std::move(with.experts);
    out.groupScores = std::move(with.groupScores);
    out.keptGroups = std::move(with.keptGroups);
    return out;
}

}  // namespace gatescope
