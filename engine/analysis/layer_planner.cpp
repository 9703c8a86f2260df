// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/layer_planner.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/analysis/best_matching.h"
#include "engine/analysis/eplb.h"
#include "engine/analysis/placement_start.h"

namespace gatescope {

namespace {

// The sums of exponentials stay far from the ends of double precision.
constexpr double kLargestExponent = 300;
constexpr double kGiB = 1024.0 * 1024 * 1024;
// Starts other than EPLB's plan have to promise more than it by this part of the mean GPU load:
// less is lost again to what the model of chance leaves out.
constexpr double kMargin = 1e-3;
// Copies above this part of the mean GPU load are split further before variance is looked at; with
// 0 the copies are EPLB's.
constexpr double kPeaks[] = {0, 0.35, 0.6, 0.9};

/// Mean and variance of the traffic to come, in units of the GPUs' mean load.
void predict(std::span<const double> loads, const PlannerOptions& options, LayerProblem& problem) {
    const double total = std::accumulate(loads.begin(), loads.end(), 0.0);
    const auto experts = static_cast<double>(loads.size());
    const auto gpus = static_cast<double>(problem.gpus);
    problem.mean.assign(loads.size(), gpus / experts);
    problem.variance.assign(loads.size(), 0);
    if (total <= 0) return;
    const double mean = total / experts;
    double spread = 0;
    for (const double load : loads) spread += (load - mean) * (load - mean) / experts;
    const double kept = spread > 0 ? std::max(0.0, 1 - options.dispersion * mean / spread) : 0;
    const double unit = gpus / total;
    for (std::size_t e = 0; e < loads.size(); ++e) {
        const double expected = mean + kept * (loads[e] - mean);
        const double drift = options.drift * expected;
        problem.mean[e] = unit * expected;
        problem.variance[e] =
            unit * unit * ((1 + kept) * options.dispersion * expected + drift * drift);
    }
}

void setHeld(std::span<const std::int32_t> current, LayerProblem& problem) {
    problem.held.assign(problem.gpus * problem.experts(), 0);
    const std::size_t places = current.size() / problem.gpus;
    for (std::size_t slot = 0; slot < current.size(); ++slot) {
        problem.held[slot / places * problem.experts() + static_cast<std::size_t>(current[slot])] =
            1;
    }
}

/// The tilt that makes the bound least for GPUs of even means and the mean variance.
void setTilt(const std::vector<std::size_t>& homes, LayerProblem& problem) {
    const std::vector<std::size_t> copies = copyCounts(problem, homes, 0);
    double variance = 0;
    for (std::size_t e = 0; e < copies.size(); ++e) {
        variance += problem.variance[e] / static_cast<double>(copies[e] * problem.gpus);
    }
    const LayerPlan plan = packedPlan(problem, homes, copies);
    double peak = 1;
    for (std::size_t gpu = 0; gpu < problem.gpus; ++gpu) {
        double load = 0;
        for (std::size_t place = 0; place < problem.places; ++place) {
            const std::uint32_t expert = plan[gpu * problem.places + place];
            load += problem.mean[expert] / static_cast<double>(copies[expert]);
        }
        peak = std::max(peak, load);
    }
    const double most = kLargestExponent / peak;
    const double chance = std::log(static_cast<double>(std::max<std::size_t>(problem.gpus, 2)));
    problem.tilt = std::min(most, variance > 0 ? std::sqrt(2 * chance / variance) : most);
    // No single copy may leave the range of the exponential either.
    for (std::size_t e = 0; e < copies.size(); ++e) {
        while (problem.weight(e, 1) > kLargestExponent) problem.tilt *= 0.9;
    }
}

/// The current plan, if the search can start there; otherwise empty.
LayerPlan currentPlan(const LayerProblem& problem, std::span<const std::int32_t> current,
                      std::size_t groups) {
    LayerPlan plan(current.begin(), current.end());
    if (plan.size() != problem.slots()) return {};
    const auto held = std::count(problem.held.begin(), problem.held.end(), 1);
    if (static_cast<std::size_t>(held) != plan.size()) return {};  // two copies on a GPU
    if (problem.nodes == 1) return plan;
    const std::size_t groupSize = problem.experts() / groups;
    std::vector<std::size_t> node(groups, problem.nodes);
    for (std::size_t slot = 0; slot < plan.size(); ++slot) {
        std::size_t& home = node[plan[slot] / groupSize];
        if (home != problem.nodes && home != slot / problem.nodeSlots()) return {};
        home = slot / problem.nodeSlots();
    }
    return plan;
}

std::vector<std::vector<std::size_t>> possibleHomes(const LayerProblem& problem,
                                                    std::size_t groups) {
    if (problem.nodes == 1) return {std::vector<std::size_t>(problem.experts(), 0)};
    std::vector<std::vector<std::size_t>> out{groupHomes(problem, groups, false)};
    std::vector<std::size_t> improved = groupHomes(problem, groups, true);
    if (improved != out.front()) out.push_back(std::move(improved));
    return out;
}

/// EPLB's plan for the layer without its second copies on a GPU.
LayerPlan eplbPlan(const LayerProblem& problem, std::span<const double> loads,
                   const PlacementShape& shape) {
    const ExpertLoads layer{1, static_cast<int>(loads.size()), {loads.begin(), loads.end()}};
    const Placement placement = problem.nodes > 1 ? eplb(layer, shape) : eplbGlobal(layer, shape);
    const std::vector<std::int32_t>& slots = placement.physicalToLogical;
    return repairedPlan(problem, LayerPlan(slots.begin(), slots.end()));
}

LayerPlan searched(const LayerProblem& problem, std::vector<LayerPlan> starts,
                   const PlannerOptions& options, std::uint64_t stream) {
    std::vector<LayerSearch> searches;
    for (LayerPlan& start : starts) {
        searches.emplace_back(problem, std::move(start)).descend();
    }
    auto best = searches.begin();
    for (auto other = best + 1; other != searches.end(); ++other) {
        const double margin = best == searches.begin() ? kMargin : 0;
        if (other->cost() < best->cost() - margin) best = other;
    }
    best->escape(options.effort, options.seed, stream);
    return best->plan();
}

/// How many of the experts of the plan's GPU `from` are on GPU `to` already.
double overlap(const LayerProblem& problem, const LayerPlan& plan, std::size_t from,
               std::size_t to) {
    double sum = 0;
    for (std::size_t slot = from * problem.places; slot < (from + 1) * problem.places; ++slot) {
        sum += problem.held[to * problem.experts() + plan[slot]];
    }
    return sum;
}

/// The best matching of the GPUs of node `from` of the plan to those of node `to`, and its overlap.
std::pair<std::vector<std::size_t>, double> matchedGpus(const LayerProblem& problem,
                                                        const LayerPlan& plan, std::size_t from,
                                                        std::size_t to) {
    const std::size_t gpus = problem.nodeGpus();
    std::vector<double> gains(gpus * gpus);
    for (std::size_t i = 0; i < gains.size(); ++i) {
        gains[i] = overlap(problem, plan, from * gpus + i / gpus, to * gpus + i % gpus);
    }
    std::vector<std::size_t> matching = bestMatching(gains, gpus);
    double sum = 0;
    for (std::size_t i = 0; i < gpus; ++i) sum += gains[i * gpus + matching[i]];
    return {std::move(matching), sum};
}

}  // namespace

LayerPlan matchedPlan(const LayerProblem& problem, const LayerPlan& plan) {
    const std::size_t nodes = problem.nodes;
    const std::size_t gpus = problem.nodeGpus();
    std::vector<std::vector<std::size_t>> matchings(nodes * nodes);
    std::vector<double> gains(nodes * nodes);
    for (std::size_t i = 0; i < gains.size(); ++i) {
        std::tie(matchings[i], gains[i]) = matchedGpus(problem, plan, i / nodes, i % nodes);
    }
    const std::vector<std::size_t> nodeOf = bestMatching(gains, nodes);
    LayerPlan out(plan.size());
    for (std::size_t slot = 0; slot < plan.size(); ++slot) {
        const std::size_t gpu = slot / problem.places;
        const std::size_t node = nodeOf[gpu / gpus];
        const std::size_t to = node * gpus + matchings[gpu / gpus * nodes + node][gpu % gpus];
        out[to * problem.places + slot % problem.places] = plan[slot];
    }
    return out;
}

LayerPlan planLayer(std::span<const double> loads, const PlacementShape& shape,
                    const PlannerOptions& options, std::span<const std::int32_t> current,
                    std::uint64_t stream) {
    LayerProblem problem;
    problem.gpus = static_cast<std::size_t>(shape.gpus);
    problem.places = static_cast<std::size_t>(shape.slots / shape.gpus);
    problem.nodes = options.nodeLimit ? static_cast<std::size_t>(shape.nodes) : 1;
    const auto groups = static_cast<std::size_t>(shape.groups);
    predict(loads, options, problem);
    if (!current.empty()) setHeld(current, problem);
    setTilt(possibleHomes(problem, groups).front(), problem);
    if (options.current) {
        problem.movePrice = options.current->pricePerGiB / kGiB *
                            static_cast<double>(options.current->bytesPerExpert);
    }
    std::vector<LayerPlan> starts{eplbPlan(problem, loads, shape)};
    if (!current.empty()) starts.front() = matchedPlan(problem, starts.front());
    for (const std::vector<std::size_t>& homes : possibleHomes(problem, groups)) {
        for (const double peak : kPeaks) {
            LayerPlan plan = packedPlan(problem, homes, copyCounts(problem, homes, peak));
            starts.push_back(current.empty() ? std::move(plan) : matchedPlan(problem, plan));
        }
    }
    LayerPlan present = currentPlan(problem, current, groups);
    if (!present.empty()) starts.push_back(std::move(present));
    LayerPlan plan = searched(problem, std::move(starts), options, stream);
    return current.empty() ? plan : matchedPlan(problem, plan);
}

}  // namespace gatescope
