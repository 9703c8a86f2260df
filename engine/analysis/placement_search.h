// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gatescope {

/// One layer to be placed, its loads known only up to chance. Loads are in units of the GPUs' mean
/// load.
///
/// The cost is a bound on the expected load of the busiest GPU: for independent loads of mean m_g
/// and variance v_g and any tilt t > 0,
///   E[max L_g] <= 1/t ln sum_g E[exp(t L_g)], which is 1/t ln sum_g exp(t m_g + t^2 v_g / 2)
/// for normal loads. A copy of expert e adds w_e = t m_e / r_e + t^2 v_e / (2 r_e^2) to its GPU's
/// exponent, so that uneven means and uneven chances are weighed in one number. With a large t it
/// is the largest mean.
struct LayerProblem {
    std::vector<double> mean;      ///< [E] m_e
    std::vector<double> variance;  ///< [E] v_e
    std::size_t gpus = 1;
    std::size_t places = 1;  ///< slots of a GPU
    std::size_t nodes = 1;   ///< more than one: experts stay on the node they start on
    double tilt = 1;         ///< t
    double movePrice = 0;    ///< added to the cost for each copy that has to be sent
    std::vector<char> held;  ///< [R * E] 1 where the GPU has the expert's weights, or empty

    std::size_t experts() const { return mean.size(); }
    std::size_t slots() const { return gpus * places; }
    std::size_t nodeSlots() const { return slots() / nodes; }
    std::size_t nodeGpus() const { return gpus / nodes; }
    /// w of one of `copies` copies
    double weight(std::size_t expert, std::size_t copies) const;
};

/// [P] the expert in each slot; GPU g has the slots g * places and following.
using LayerPlan = std::vector<std::uint32_t>;

/// Local search from a plan in which every expert has a copy and no GPU has two of one expert. Both
/// stay true. Moves: two copies change places (within a node); one of several copies of an expert
/// makes room for a further copy of another. Each of them costs a few multiplications, as every GPU
/// has its own term in the sum.
class LayerSearch {
  public:
    LayerSearch(const LayerProblem& problem, LayerPlan start);

    double cost() const;
    const LayerPlan& plan() const { return m_plan; }
    /// Makes improving moves until there are none worth it.
    void descend();
    /// Descends from `count` disturbed versions of the best plan so far and keeps what is better.
    void escape(int count, std::uint64_t seed, std::uint64_t stream);

  private:
    struct Swap {
        std::size_t slotA = 0;
        std::size_t slotB = 0;
        double change = 0;  ///< of the sum
    };
    struct Exchange {
        std::size_t slot = 0;
        std::uint32_t expert = 0;
        double change = 0;
    };

    std::size_t gpuOf(std::size_t slot) const { return slot / m_problem.places; }
    std::size_t nodeOf(std::size_t slot) const { return slot / m_problem.nodeSlots(); }
    char& on(std::size_t gpu, std::size_t expert) {
        return m_on[gpu * m_problem.experts() + expert];
    }
    bool isOn(std::size_t gpu, std::size_t expert) const {
        return m_on[gpu * m_problem.experts() + expert] != 0;
    }
    /// What a change of the number of sent copies is worth in the sum, at its present value.
    double priceInSum() const;
    int sent(std::size_t gpu, std::size_t expert) const;
    void load(LayerPlan plan);
    void weigh(std::size_t expert);
    void sumUp();
    void sumUp(std::size_t gpu);
    Swap bestSwap(std::size_t gpu) const;
    void bestSwapWith(std::size_t slotA, std::size_t gpuB, Swap& best, double price) const;
    void apply(const Swap& swap);
    Exchange bestExchange();
    void bestExchangeAt(std::size_t slot, Exchange& best);
    void apply(const Exchange& exchange);
    bool swapAll();
    bool exchangeOnce();
    void disturb(class SplitRandom& random);

    const LayerProblem& m_problem;
    LayerPlan m_plan;
    std::vector<char> m_on;                         ///< [R * E]
    std::vector<std::vector<std::size_t>> m_slots;  ///< [E] where its copies are
    std::vector<std::size_t> m_home;                ///< [E] node
    std::vector<double> m_weight;                   ///< [E] w at the present number of copies
    std::vector<double> m_factor;                   ///< [E] exp(w)
    std::vector<double> m_further;                  ///< [E] exp(w) with one copy more
    std::vector<double> m_term;                     ///< [R] exp(sum of w - t)
    std::vector<double> m_sumOf;                    ///< [R] sum of w
    double m_sum = 0;                               ///< of the terms
    int m_sent = 0;
};

}  // namespace gatescope
