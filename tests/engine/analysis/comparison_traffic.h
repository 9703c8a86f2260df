// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/analysis/comparison.h"
#include "tests/engine/analysis/relation_traffic.h"

namespace gatescope {

/// Traffic as a text makes it: uneven load, and a token often chooses what the token before it
/// chose (each row by itself).
class StickyTraffic {
  public:
    StickyTraffic(RoutingShape shape, std::uint32_t seed, double stay = 0.4)
        : m_shape(std::move(shape)), m_random(seed), m_stay(stay) {}

    /// From now on a token of this main row chooses the expert with this probability more.
    void prefer(std::size_t row, std::uint16_t expert, double probability) {
        m_row = row;
        m_expert = expert;
        m_probability = probability;
    }
    /// Every expert id is moved up by so many: another distribution altogether.
    void shift(int by) { m_shift = by; }

    /// The next token has nothing before it.
    void restart() {
        m_last.clear();
        m_lastDraft.clear();
    }

    RoutedToken token(std::int32_t position, Phase phase, bool special = false) {
        const auto topK = static_cast<std::size_t>(m_shape.topK);
        const std::size_t rows = phase == Phase::Draft ? 1 : m_shape.layers.size();
        std::vector<std::uint16_t>& last = phase == Phase::Draft ? m_lastDraft : m_last;
        const auto fresh =
            unevenChoices(m_random, static_cast<int>(rows), m_shape.experts, m_shape.topK);
        last.resize(fresh.size(), kNoExpert);
        std::bernoulli_distribution stays(m_stay);
        for (std::size_t row = 0; row < rows; ++row) {
            if (last[row * topK] != kNoExpert && stays(m_random)) continue;
            std::copy_n(fresh.begin() + static_cast<std::ptrdiff_t>(row * topK), topK,
                        last.begin() + static_cast<std::ptrdiff_t>(row * topK));
        }
        RoutedToken out = routedToken(last, m_shape.topK, phase, special);
        out.position = position;
        out.tokenId = position;
        for (std::uint16_t& expert : out.routing.experts) {
            expert = static_cast<std::uint16_t>((expert + m_shift) % m_shape.experts);
        }
        if (m_probability > 0 && rows > m_row) plant(out, m_row * topK, topK);
        return out;
    }

  private:
    void plant(RoutedToken& token, std::size_t first, std::size_t topK) {
        const auto begin = token.routing.experts.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = begin + static_cast<std::ptrdiff_t>(topK);
        const bool there = std::find(begin, end, m_expert) != end;
        if (!there && std::bernoulli_distribution(m_probability)(m_random)) *begin = m_expert;
    }

    RoutingShape m_shape;
    std::mt19937 m_random;
    double m_stay;
    std::size_t m_row = 0;
    std::uint16_t m_expert = 0;
    double m_probability = 0;
    int m_shift = 0;
    std::vector<std::uint16_t> m_last;
    std::vector<std::uint16_t> m_lastDraft;
};

/// One answer: a step for each position, with an MTP position if the model has that layer.
inline ComparedAnswer stickyAnswer(StickyTraffic& traffic, const RoutingShape& shape, int prompt,
                                   int generated) {
    ComparedAnswer out;
    traffic.restart();
    for (std::int32_t i = 0; i < prompt + generated; ++i) {
        StepTrace step;
        step.step = i;
        step.tokens.push_back(traffic.token(i, i < prompt ? Phase::Prefill : Phase::Decode));
        if (shape.mtpLayer >= 0) step.mtp.push_back(traffic.token(i, Phase::Draft));
        out.steps.push_back(std::move(step));
        if (i < prompt) out.promptIds.push_back(i);
    }
    return out;
}

inline ComparedRun stickyRun(const RoutingShape& shape, std::uint32_t seed, int answers, int prompt,
                             int generated, double stay = 0.4) {
    StickyTraffic traffic(shape, seed, stay);
    ComparedRun out;
    out.label = "run " + std::to_string(seed);
    out.shape = shape;
    for (int i = 0; i < answers; ++i) {
        out.answers.push_back(stickyAnswer(traffic, shape, prompt, generated));
    }
    return out;
}

}  // namespace gatescope
