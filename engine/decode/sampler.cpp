// SPDX-License-Identifier: Apache-2.0
#include "engine/decode/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gatescope {

namespace {

// SplitMix64 (Steele, Lea & Flood 2014) as a function of seed and index: no state to carry, so a
// number depends on nothing but where it stands.
std::uint64_t splitMix(std::uint64_t seed, std::uint64_t index) {
    std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// In (0, 1), never an end.
double uniform(std::uint64_t bits) {
    return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

double sumOfExp(std::span<const float> logits, float largest) {
    double sum = 0;
    for (const float v : logits) sum += std::exp(v - largest);
    return sum;
}

}  // namespace

std::int32_t argMax(std::span<const float> values) {
    return static_cast<std::int32_t>(std::max_element(values.begin(), values.end()) -
                                     values.begin());
}

Sampler::Sampler(const SamplingParams& params, int vocabLimit, int alternatives)
    : m_params(params),
      m_vocabLimit(static_cast<std::size_t>(std::max(0, vocabLimit))),
      m_alternatives(alternatives) {}

// The repetition penalty (Keskar et al. 2019, CTRL) divides positive and multiplies negative
// logits.
std::vector<Sampler::Candidate> Sampler::candidates(std::span<const float> logits,
                                                    std::span<const std::int32_t> drafted) const {
    const auto count = m_vocabLimit ? std::min(m_vocabLimit, logits.size()) : logits.size();
    std::vector<Candidate> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = {logits[i], static_cast<std::int32_t>(i)};
    if (m_params.repetitionPenalty == 1) return all;
    const auto penalise = [&](std::int32_t id) {
        if (static_cast<std::size_t>(id) >= count) return;
        auto& value = all[static_cast<std::size_t>(id)].value;
        value = value > 0 ? value / m_params.repetitionPenalty : value * m_params.repetitionPenalty;
    };
    for (const auto id : m_seen) penalise(id);
    for (auto it = drafted.begin(); it != drafted.end(); ++it)
        if (!m_seen.contains(*it) && std::find(drafted.begin(), it, *it) == it) penalise(*it);
    return all;
}

void Sampler::filter(std::vector<Candidate>& all) const {
    const auto better = [](const Candidate& a, const Candidate& b) {
        return a.value > b.value || (a.value == b.value && a.id < b.id);
    };
    const auto largest = std::min_element(all.begin(), all.end(), better)->value;
    double sum = 0;
    for (auto& c : all) {
        c.value = std::exp((c.value - largest) / m_params.temperature);
        sum += c.value;
    }

    const bool filtered = m_params.topK > 0 || m_params.topP < 1 || m_params.minP > 0;
    if (!filtered) {
        for (auto& c : all) c.value = static_cast<float>(c.value / sum);
        return;
    }

    // Sorts only as far as the filters look: a vocabulary has 10^5 entries, a nucleus a few.
    std::size_t sorted = 0;
    std::size_t kept = 0;
    double mass = 0;
    double limitedSum = sum;
    const auto limit = m_params.topK > 0
                           ? std::min(all.size(), static_cast<std::size_t>(m_params.topK))
                           : all.size();
    const auto sortTo = [&](std::size_t to) {
        to = std::min(to, limit);
        std::partial_sort(all.begin() + static_cast<std::ptrdiff_t>(sorted),
                          all.begin() + static_cast<std::ptrdiff_t>(to), all.end(), better);
        sorted = to;
    };
    if (limit < all.size()) {
        sortTo(limit);
        limitedSum = 0;
        for (std::size_t i = 0; i < limit; ++i) limitedSum += all[i].value;
    }
    while (kept < limit) {
        if (kept == sorted) sortTo(std::max<std::size_t>(64, 4 * sorted));
        // Top-p keeps the smallest set whose mass reaches p: the one that crosses is in it.
        if (kept > 0 && mass >= m_params.topP * limitedSum) break;
        if (kept > 0 && all[kept].value < m_params.minP * all[0].value) break;
        mass += all[kept++].value;
    }
    all.resize(kept);
    for (auto& c : all) c.value = static_cast<float>(c.value / mass);
}

const Sampler::Candidate& Sampler::race(const std::vector<Candidate>& all,
                                        std::uint64_t draw) const {
    const auto numbers = splitMix(m_params.seed, draw);
    const Candidate* winner = &all.front();
    double least = std::numeric_limits<double>::infinity();
    for (const auto& c : all) {
        const double u = uniform(splitMix(numbers, static_cast<std::uint64_t>(c.id)));
        // -ln u >= 1 - u: most candidates of a large vocabulary need no logarithm.
        if (1 - u >= least * c.value) continue;
        const double time = -std::log(u) / c.value;
        if (time < least) {
            least = time;
            winner = &c;
        }
    }
    return *winner;
}

void Sampler::pick(Choice& choice, std::vector<Candidate>& all, std::int32_t ofInterest,
                   std::uint64_t draw) const {
    if (m_params.temperature <= 0) {
        const auto best = std::max_element(
            all.begin(), all.end(),
            [](const Candidate& a, const Candidate& b) { return a.value < b.value; });
        choice.id = best->id;
        choice.probability = 1;
        choice.probabilityOfInterest = ofInterest == choice.id ? 1.0f : 0.0f;
        return;
    }
    filter(all);
    const Candidate& chosen = race(all, draw);
    choice.id = chosen.id;
    choice.probability = chosen.value;
    for (const auto& c : all)
        if (c.id == ofInterest) choice.probabilityOfInterest = c.value;
}

Sampler::Choice Sampler::choose(std::span<const float> logits, std::int32_t ofInterest) {
    auto all = candidates(logits, {});
    Choice choice;
    pick(choice, all, ofInterest, m_draws++);
    describe(choice, logits, m_alternatives);
    see(choice.id);
    return choice;
}

Sampler::Choice Sampler::draft(std::span<const float> logits,
                               std::span<const std::int32_t> drafted) const {
    auto all = candidates(logits, drafted);
    Choice choice;
    pick(choice, all, -1, m_draws + drafted.size());
    describe(choice, logits, 0);
    return choice;
}

TopRequest Sampler::enough() const {
    TopRequest request{.limit = static_cast<std::int64_t>(m_vocabLimit)};
    // A penalty may bring any token to the top, and only top-k bounds how far sampling looks.
    const bool sampling = m_params.temperature > 0;
    if (m_params.repetitionPenalty != 1 || (sampling && m_params.topK == 0)) return request;
    const int k = std::max({1, m_alternatives, sampling ? m_params.topK : 1});
    if (k <= kMaxTopLogits) request.k = k;
    return request;
}

Sampler::Choice Sampler::choose(const TopRow& top, std::int32_t ofInterest) {
    auto all = candidates(top);
    Choice choice;
    pick(choice, all, ofInterest, m_draws++);
    describe(choice, top, m_alternatives);
    see(choice.id);
    return choice;
}

Sampler::Choice Sampler::draft(const TopRow& top, std::span<const std::int32_t> drafted) const {
    auto all = candidates(top);
    Choice choice;
    pick(choice, all, -1, m_draws + drafted.size());
    describe(choice, top, 0);
    return choice;
}

std::vector<Sampler::Candidate> Sampler::candidates(const TopRow& top) {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < top.ids.size(); ++i) all.push_back({top.values[i], top.ids[i]});
    return all;
}

void Sampler::describe(Choice& choice, const TopRow& top, int alternatives) {
    for (std::size_t i = 0; i < top.ids.size(); ++i) {
        if (top.ids[i] == choice.id) choice.rawProbability = top.probability(i);
        if (i < static_cast<std::size_t>(alternatives))
            choice.alternatives.push_back({top.ids[i], top.probability(i)});
    }
}

void Sampler::describe(Choice& choice, std::span<const float> logits, int alternatives) {
    const float largest = *std::max_element(logits.begin(), logits.end());
    const double sum = sumOfExp(logits, largest);
    const auto probability = [&](std::int32_t id) {
        return static_cast<float>(std::exp(logits[static_cast<std::size_t>(id)] - largest) / sum);
    };
    choice.rawProbability = probability(choice.id);
    const auto count = std::min(static_cast<std::size_t>(alternatives), logits.size());
    if (count == 0) return;
    std::vector<std::int32_t> order(logits.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [&](std::int32_t a, std::int32_t b) {
                          const float va = logits[static_cast<std::size_t>(a)];
                          const float vb = logits[static_cast<std::size_t>(b)];
                          return va > vb || (va == vb && a < b);
                      });
    for (std::size_t i = 0; i < count; ++i)
        choice.alternatives.push_back({order[i], probability(order[i])});
}

}  // namespace gatescope
