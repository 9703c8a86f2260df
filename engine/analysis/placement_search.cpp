// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/analysis/split_random.h"

namespace gatescope {

namespace {

// An improving move has to lower the sum by this part of it. The tilt makes that much of the cost
// where loads are chancy: moves worth less there only fit the plan to the sample.
constexpr double kLeastPart = 0.004;
constexpr double kHopeless = 1e6;
constexpr int kSwapsOfADisturbance = 3;

}  // namespace

double LayerProblem::weight(std::size_t expert, std::size_t copies) const {
    const double share = tilt / static_cast<double>(copies);
    return share * mean[expert] + share * share * variance[expert] / 2;
}

LayerSearch::LayerSearch(const LayerProblem& problem, LayerPlan start)
    : m_problem(problem),
      m_home(problem.experts()),
      m_weight(problem.experts()),
      m_factor(problem.experts()),
      m_further(problem.experts()),
      m_term(problem.gpus),
      m_sumOf(problem.gpus) {
    for (std::size_t slot = 0; slot < start.size(); ++slot) m_home[start[slot]] = nodeOf(slot);
    load(std::move(start));
}

void LayerSearch::load(LayerPlan plan) {
    m_plan = std::move(plan);
    m_on.assign(m_problem.gpus * m_problem.experts(), 0);
    m_slots.assign(m_problem.experts(), {});
    m_sent = 0;
    for (std::size_t slot = 0; slot < m_plan.size(); ++slot) {
        on(gpuOf(slot), m_plan[slot]) = 1;
        m_slots[m_plan[slot]].push_back(slot);
        m_sent += sent(gpuOf(slot), m_plan[slot]);
    }
    for (std::size_t expert = 0; expert < m_problem.experts(); ++expert) weigh(expert);
    for (std::size_t gpu = 0; gpu < m_problem.gpus; ++gpu) sumUp(gpu);
    sumUp();
}

double LayerSearch::cost() const {
    return 1 + std::log(m_sum) / m_problem.tilt + m_problem.movePrice * m_sent;
}

double LayerSearch::priceInSum() const {
    return m_problem.movePrice * m_problem.tilt * m_sum;
}

int LayerSearch::sent(std::size_t gpu, std::size_t expert) const {
    return !m_problem.held.empty() && m_problem.held[gpu * m_problem.experts() + expert] == 0;
}

void LayerSearch::weigh(std::size_t expert) {
    const std::size_t copies = m_slots[expert].size();
    m_weight[expert] = m_problem.weight(expert, copies);
    m_factor[expert] = std::exp(m_weight[expert]);
    m_further[expert] = std::exp(m_problem.weight(expert, copies + 1));
}

void LayerSearch::sumUp(std::size_t gpu) {
    double sum = 0;
    for (std::size_t place = 0; place < m_problem.places; ++place) {
        sum += m_weight[m_plan[gpu * m_problem.places + place]];
    }
    m_sumOf[gpu] = sum;
    m_term[gpu] = std::exp(sum - m_problem.tilt);
}

void LayerSearch::sumUp() {
    m_sum = std::accumulate(m_term.begin(), m_term.end(), 0.0);
}

void LayerSearch::bestSwapWith(std::size_t slotA, std::size_t gpuB, Swap& best,
                               double price) const {
    const std::size_t gpuA = gpuOf(slotA);
    const std::uint32_t a = m_plan[slotA];
    if (isOn(gpuB, a)) return;
    const std::size_t first = gpuB * m_problem.places;
    for (std::size_t slotB = first; slotB < first + m_problem.places; ++slotB) {
        const std::uint32_t b = m_plan[slotB];
        if (isOn(gpuA, b)) continue;
        double change = m_term[gpuA] * (m_factor[b] / m_factor[a] - 1) +
                        m_term[gpuB] * (m_factor[a] / m_factor[b] - 1);
        if (price > 0) {
            change += price * (sent(gpuA, b) + sent(gpuB, a) - sent(gpuA, a) - sent(gpuB, b));
        }
        if (change < best.change) best = {slotA, slotB, change};
    }
}

LayerSearch::Swap LayerSearch::bestSwap(std::size_t gpu) const {
    Swap best;
    const double price = priceInSum();
    const std::size_t first = gpu / m_problem.nodeGpus() * m_problem.nodeGpus();
    for (std::size_t place = 0; place < m_problem.places; ++place) {
        for (std::size_t other = first; other < first + m_problem.nodeGpus(); ++other) {
            // Without a price nothing is gained by a swap that a less busy GPU asks for.
            if (other == gpu || (price <= 0 && m_term[other] > m_term[gpu])) continue;
            bestSwapWith(gpu * m_problem.places + place, other, best, price);
        }
    }
    return best;
}

void LayerSearch::apply(const Swap& swap) {
    const std::size_t gpuA = gpuOf(swap.slotA);
    const std::size_t gpuB = gpuOf(swap.slotB);
    const std::uint32_t a = m_plan[swap.slotA];
    const std::uint32_t b = m_plan[swap.slotB];
    m_sent += sent(gpuA, b) + sent(gpuB, a) - sent(gpuA, a) - sent(gpuB, b);
    on(gpuA, a) = on(gpuB, b) = 0;
    on(gpuA, b) = on(gpuB, a) = 1;
    std::replace(m_slots[a].begin(), m_slots[a].end(), swap.slotA, swap.slotB);
    std::replace(m_slots[b].begin(), m_slots[b].end(), swap.slotB, swap.slotA);
    std::swap(m_plan[swap.slotA], m_plan[swap.slotB]);
    sumUp(gpuA);
    sumUp(gpuB);
    sumUp();
}

/// Takes the copy in `slot` away and tries every other expert in its place.
void LayerSearch::bestExchangeAt(std::size_t slot, Exchange& best) {
    const std::uint32_t a = m_plan[slot];
    const std::size_t gpu = gpuOf(slot);
    const double price = priceInSum();
    const double fewer =
        std::exp(m_problem.weight(a, m_slots[a].size() - 1) - m_weight[a]);  // of a's other GPUs
    double removal = 0;
    for (const std::size_t other : m_slots[a]) {
        if (other != slot) removal += m_term[gpuOf(other)] * (fewer - 1);
    }
    // Hopeless, and so large that what further copies take off again would be lost in rounding.
    if (removal > kHopeless * m_sum) return;
    const double without = m_term[gpu] / m_factor[a];
    for (std::uint32_t b = 0; b < m_problem.experts(); ++b) {
        if (m_home[b] != nodeOf(slot) || isOn(gpu, b)) continue;
        double change = removal + without * m_further[b] - m_term[gpu];
        const double relief = m_further[b] / m_factor[b] - 1;
        for (const std::size_t other : m_slots[b]) {
            const std::size_t otherGpu = gpuOf(other);
            change += m_term[otherGpu] * (isOn(otherGpu, a) ? fewer : 1) * relief;
        }
        if (price > 0) change += price * (sent(gpu, b) - sent(gpu, a));
        if (change < best.change) best = {slot, b, change};
    }
}

LayerSearch::Exchange LayerSearch::bestExchange() {
    Exchange best;
    for (std::size_t slot = 0; slot < m_plan.size(); ++slot) {
        if (m_slots[m_plan[slot]].size() > 1) bestExchangeAt(slot, best);
    }
    return best;
}

void LayerSearch::apply(const Exchange& exchange) {
    const std::size_t gpu = gpuOf(exchange.slot);
    const std::uint32_t a = m_plan[exchange.slot];
    const std::uint32_t b = exchange.expert;
    m_sent += sent(gpu, b) - sent(gpu, a);
    on(gpu, a) = 0;
    on(gpu, b) = 1;
    std::erase(m_slots[a], exchange.slot);
    m_slots[b].push_back(exchange.slot);
    m_plan[exchange.slot] = b;
    weigh(a);
    weigh(b);
    for (const std::size_t slot : m_slots[a]) sumUp(gpuOf(slot));
    for (const std::size_t slot : m_slots[b]) sumUp(gpuOf(slot));
    sumUp();
}

/// One swap for each GPU that gains by it, the busiest first.
bool LayerSearch::swapAll() {
    std::vector<std::size_t> order(m_problem.gpus);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return m_term[a] > m_term[b]; });
    bool improved = false;
    for (const std::size_t gpu : order) {
        const Swap best = bestSwap(gpu);
        if (!(best.change < -kLeastPart * m_sum)) continue;
        apply(best);
        improved = true;
    }
    return improved;
}

bool LayerSearch::exchangeOnce() {
    const Exchange best = bestExchange();
    if (!(best.change < -kLeastPart * m_sum)) return false;
    apply(best);
    return true;
}

void LayerSearch::descend() {
    do {
        while (swapAll()) {
        }
    } while (exchangeOnce());
}

/// An exchange and some swaps that need not be good ones.
void LayerSearch::disturb(SplitRandom& random) {
    const auto drawn = [&] { return random.below(static_cast<std::uint32_t>(m_plan.size())); };
    const std::size_t slot = drawn();
    const std::uint32_t expert = m_plan[drawn()];
    if (m_slots[m_plan[slot]].size() > 1 && m_home[expert] == nodeOf(slot) &&
        !isOn(gpuOf(slot), expert)) {
        apply(Exchange{slot, expert, 0});
    }
    for (int i = 0; i < kSwapsOfADisturbance; ++i) {
        const std::size_t a = drawn();
        const std::size_t b = drawn();
        if (nodeOf(a) != nodeOf(b) || gpuOf(a) == gpuOf(b)) continue;
        if (!isOn(gpuOf(a), m_plan[b]) && !isOn(gpuOf(b), m_plan[a])) apply(Swap{a, b, 0});
    }
}

void LayerSearch::escape(int count, std::uint64_t seed, std::uint64_t stream) {
    SplitRandom random(seed, stream);
    LayerPlan best = m_plan;
    double bestCost = cost();
    for (int i = 0; i < count; ++i) {
        disturb(random);
        descend();
        if (cost() < bestCost - kLeastPart / m_problem.tilt) {
            bestCost = cost();
            best = m_plan;
        } else {
            load(best);
        }
    }
}

}  // namespace gatescope
