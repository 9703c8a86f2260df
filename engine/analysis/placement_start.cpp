// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement_start.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace gatescope {

namespace {

using Indices = std::vector<std::size_t>;

Indices heaviestFirst(const std::vector<double>& weights) {
    Indices order(weights.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
    return order;
}

/// Groups on nodes, each group with the exponent that it adds to every GPU of its node.
class GroupPacking {
  public:
    GroupPacking(const LayerProblem& problem, std::size_t groups)
        : m_weights(groups), m_nodeOf(groups), m_sums(problem.nodes), m_taken(problem.nodes) {
        const double share = problem.tilt / static_cast<double>(problem.nodeGpus());
        const std::size_t size = problem.experts() / groups;
        for (std::size_t e = 0; e < problem.experts(); ++e) {
            m_weights[e / size] +=
                share * problem.mean[e] + share * share * problem.variance[e] / 2;
        }
        for (const std::size_t group : heaviestFirst(m_weights)) {
            std::size_t node = m_sums.size();
            for (std::size_t candidate = 0; candidate < m_sums.size(); ++candidate) {
                if (m_taken[candidate] * m_sums.size() == groups) continue;
                if (node == m_sums.size() || m_sums[candidate] < m_sums[node]) node = candidate;
            }
            m_nodeOf[group] = node;
            m_sums[node] += m_weights[group];
            ++m_taken[node];
        }
    }

    void improve() {
        while (swapOnce()) {
        }
    }
    std::size_t nodeOf(std::size_t group) const { return m_nodeOf[group]; }

  private:
    /// The larger of two nodes' sums falls: the sum of exponentials then falls as well, as their
    /// total stays.
    bool swapOnce() {
        for (std::size_t a = 0; a < m_nodeOf.size(); ++a) {
            for (std::size_t b = 0; b < a; ++b) {
                double& sumA = m_sums[m_nodeOf[a]];
                double& sumB = m_sums[m_nodeOf[b]];
                if (m_nodeOf[a] == m_nodeOf[b]) continue;
                const double moved = m_weights[a] - m_weights[b];
                const double peak = std::max(sumA, sumB);
                if (std::max(sumA - moved, sumB + moved) >= peak - 1e-9 * std::abs(peak)) continue;
                sumA -= moved;
                sumB += moved;
                std::swap(m_nodeOf[a], m_nodeOf[b]);
                return true;
            }
        }
        return false;
    }

    std::vector<double> m_weights;
    Indices m_nodeOf;
    std::vector<double> m_sums;
    Indices m_taken;
};

/// Which of the node's experts gets the next copy; `problem.experts()` if none can have one.
std::size_t nextCopy(const LayerProblem& problem, const Indices& homes, const Indices& copies,
                     std::size_t node, double peak) {
    const std::size_t none = problem.experts();
    std::size_t heaviest = none;
    std::size_t shakiest = none;
    double mostLoad = -1;
    double mostVariance = -1;
    for (std::size_t e = 0; e < none; ++e) {
        if (homes[e] != node || copies[e] == problem.nodeGpus()) continue;
        const auto count = static_cast<double>(copies[e]);
        const double load = problem.mean[e] / count;
        const double variance = problem.variance[e] / (count * (count + 1));
        if (load > mostLoad) {
            mostLoad = load;
            heaviest = e;
        }
        if (variance > mostVariance) {
            mostVariance = variance;
            shakiest = e;
        }
    }
    return mostLoad > peak ? heaviest : shakiest;
}

/// The node's GPU with the smallest sum among those with a place left and without the expert;
/// `problem.gpus` if there is none.
std::size_t lightestGpu(const LayerProblem& problem, std::size_t node, std::uint32_t expert,
                        const std::vector<LayerPlan>& gpus, const std::vector<double>& sums) {
    std::size_t best = problem.gpus;
    for (std::size_t g = node * problem.nodeGpus(); g < (node + 1) * problem.nodeGpus(); ++g) {
        if (gpus[g].size() == problem.places ||
            std::count(gpus[g].begin(), gpus[g].end(), expert)) {
            continue;
        }
        if (best == problem.gpus || sums[g] < sums[best]) best = g;
    }
    return best;
}

/// Every GPU with a place left has the expert already: a full one that has not gives up an expert
/// that one of those lacks. Both exist, as an expert has at most as many copies as the node GPUs.
void makeRoom(const LayerProblem& problem, std::size_t node, std::uint32_t expert,
              std::vector<LayerPlan>& gpus) {
    const auto has = [&](const LayerPlan& gpu, std::uint32_t e) {
        return std::find(gpu.begin(), gpu.end(), e) != gpu.end();
    };
    const auto first = gpus.begin() + static_cast<std::ptrdiff_t>(node * problem.nodeGpus());
    const auto last = first + static_cast<std::ptrdiff_t>(problem.nodeGpus());
    const auto open =
        std::find_if(first, last, [&](const auto& g) { return g.size() < problem.places; });
    const auto full = std::find_if(first, last, [&](const auto& g) { return !has(g, expert); });
    const auto given =
        std::find_if(full->begin(), full->end(), [&](std::uint32_t e) { return !has(*open, e); });
    open->push_back(*given);
    *given = expert;
}

/// A plan whose second copies on a GPU are taken away one by one.
class Repair {
  public:
    Repair(const LayerProblem& problem, LayerPlan plan)
        : m_problem(problem), m_plan(std::move(plan)), m_copies(problem.experts()) {
        for (const std::uint32_t expert : m_plan) ++m_copies[expert];
    }

    LayerPlan repaired() {
        for (std::size_t slot = 0; slot < m_plan.size(); ++slot) {
            if (on(slot / m_problem.places, m_plan[slot]) > 1) repair(slot);
        }
        return std::move(m_plan);
    }

  private:
    std::ptrdiff_t on(std::size_t gpu, std::uint32_t expert) const {
        const auto first = m_plan.begin() + static_cast<std::ptrdiff_t>(gpu * m_problem.places);
        return std::count(first, first + static_cast<std::ptrdiff_t>(m_problem.places), expert);
    }
    double weight(std::uint32_t expert) const { return m_problem.weight(expert, m_copies[expert]); }
    double sum(std::size_t gpu) const {
        double out = 0;
        for (std::size_t place = 0; place < m_problem.places; ++place) {
            out += weight(m_plan[gpu * m_problem.places + place]);
        }
        return out;
    }
    void repair(std::size_t slot) {
        const std::size_t gpu = slot / m_problem.places;
        const std::size_t first = slot / m_problem.nodeSlots() * m_problem.nodeSlots();
        std::size_t best = m_plan.size();
        double least = 0;
        for (std::size_t other = first; other < first + m_problem.nodeSlots(); ++other) {
            const std::size_t otherGpu = other / m_problem.places;
            if (on(otherGpu, m_plan[slot]) > 0 || on(gpu, m_plan[other]) > 0) continue;
            const double moved = weight(m_plan[slot]) - weight(m_plan[other]);
            const double peak = std::max(sum(gpu) - moved, sum(otherGpu) + moved);
            if (best == m_plan.size() || peak < least) {
                best = other;
                least = peak;
            }
        }
        if (best == m_plan.size()) {
            replace(slot, first);
        } else {
            std::swap(m_plan[slot], m_plan[best]);
        }
    }
    void replace(std::size_t slot, std::size_t first) {
        std::uint32_t best = m_plan[slot];
        double most = -1;
        for (std::size_t other = first; other < first + m_problem.nodeSlots(); ++other) {
            const std::uint32_t expert = m_plan[other];
            const double share = m_problem.mean[expert] / static_cast<double>(m_copies[expert]);
            if (on(slot / m_problem.places, expert) > 0 || share <= most) continue;
            best = expert;
            most = share;
        }
        --m_copies[m_plan[slot]];
        ++m_copies[best];
        m_plan[slot] = best;
    }

    const LayerProblem& m_problem;
    LayerPlan m_plan;
    Indices m_copies;
};

}  // namespace

LayerPlan repairedPlan(const LayerProblem& problem, LayerPlan plan) {
    return Repair(problem, std::move(plan)).repaired();
}

std::vector<std::size_t> groupHomes(const LayerProblem& problem, std::size_t groups,
                                    bool improved) {
    GroupPacking packing(problem, groups);
    if (improved) packing.improve();
    std::vector<std::size_t> homes(problem.experts());
    for (std::size_t e = 0; e < homes.size(); ++e) {
        homes[e] = packing.nodeOf(e / (homes.size() / groups));
    }
    return homes;
}

std::vector<std::size_t> copyCounts(const LayerProblem& problem, const Indices& homes,
                                    double peak) {
    Indices copies(problem.experts(), 1);
    const std::size_t further = problem.slots() - problem.experts();
    for (std::size_t i = 0; i < further; ++i) {
        ++copies[nextCopy(problem, homes, copies, i * problem.nodes / further, peak)];
    }
    return copies;
}

LayerPlan packedPlan(const LayerProblem& problem, const Indices& homes, const Indices& copies) {
    std::vector<double> weights(problem.experts());
    for (std::size_t e = 0; e < weights.size(); ++e) weights[e] = problem.weight(e, copies[e]);
    std::vector<LayerPlan> gpus(problem.gpus);
    std::vector<double> sums(problem.gpus);
    for (const std::size_t e : heaviestFirst(weights)) {
        const auto expert = static_cast<std::uint32_t>(e);
        for (std::size_t copy = 0; copy < copies[e]; ++copy) {
            const std::size_t gpu = lightestGpu(problem, homes[e], expert, gpus, sums);
            if (gpu == problem.gpus) {
                makeRoom(problem, homes[e], expert, gpus);
                continue;
            }
            gpus[gpu].push_back(expert);
            sums[gpu] += weights[e];
        }
    }
    LayerPlan plan;
    for (const LayerPlan& gpu : gpus) plan.insert(plan.end(), gpu.begin(), gpu.end());
    return plan;
}

}  // namespace gatescope
