// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/shift_baseline.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <random>
#include <span>

#include "engine/trace/step_trace.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// Sums of the same numbers in another order differ by less (nats).
constexpr double kRounding = 1e-9;

double timesLog(double x) {
    return x > 0 ? x * std::log(x) : 0;
}

/// What each token chose in one layer, without the empty slots.
class Chosen {
  public:
    Chosen(const std::vector<std::uint16_t>& slots, int topK) {
        for (std::size_t i = 0; i < slots.size(); ++i) {
            if (slots[i] != kNoExpert) m_experts.push_back(slots[i]);
            if ((i + 1) % static_cast<std::size_t>(topK) == 0) m_ends.push_back(m_experts.size());
        }
    }
    std::size_t size() const { return m_experts.size(); }
    std::span<const std::uint16_t> of(std::size_t token) const {
        return {m_experts.data() + m_ends[token], m_experts.data() + m_ends[token + 1]};
    }

  private:
    std::vector<std::uint16_t> m_experts;
    std::vector<std::size_t> m_ends{0};  ///< [n + 1]
};

/// Mutual information of the pair table at any shift:
/// I = ln N + (sum c ln c - sum r ln r - sum q ln q) / N, c its cells, r and q its margins.
class ShiftedInformation {
  public:
    explicit ShiftedInformation(const PairedChoices& choices)
        : m_from(choices.from, choices.topK),
          m_to(choices.to, choices.topK),
          m_experts(static_cast<std::size_t>(choices.experts)),
          m_tokens(static_cast<std::size_t>(choices.n())),
          m_cells(m_experts * m_experts, 0) {
        // No cell exceeds n: a token chooses an expert once.
        for (std::size_t count = 0; count <= m_tokens; ++count) {
            m_timesLog.push_back(timesLog(static_cast<double>(count)));
        }
    }

    double at(std::size_t shift) {
        const bool dense = m_cells.size() <= m_from.size() * m_to.size() / m_tokens;
        const double sum = dense ? sumOfTable(shift) : sumOfFew(shift);
        const Margins margins = marginsAt(shift);
        return margins.pairs > 0 ? std::log(margins.pairs) + (sum - margins.sum) / margins.pairs
                                 : 0;
    }

  private:
    struct Margins {
        double pairs = 0;  ///< N
        double sum = 0;    ///< of r ln r and of q ln q
    };

    /// sum c ln c, cell by cell.
    double sumOfTable(std::size_t shift) {
        forEachCell(shift, [](std::uint32_t& cell) { ++cell; });
        // Several sums at a time: one alone waits for each addition.
        std::array<double, 8> sums{};
        std::size_t i = 0;
        for (; i + sums.size() <= m_cells.size(); i += sums.size()) {
            for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += m_timesLog[m_cells[i + j]];
        }
        for (; i < m_cells.size(); ++i) sums[0] += m_timesLog[m_cells[i]];
        std::fill(m_cells.begin(), m_cells.end(), 0);
        return std::accumulate(sums.begin(), sums.end(), 0.0);
    }

    /// The same where the table is large and nearly empty.
    double sumOfFew(std::size_t shift) {
        double sum = 0;
        forEachCell(shift, [&](std::uint32_t& cell) {
            sum += m_timesLog[cell + 1] - m_timesLog[cell];
            ++cell;
        });
        forEachCell(shift, [](std::uint32_t& cell) { cell = 0; });
        return sum;
    }

    std::size_t shifted(std::size_t token, std::size_t shift) const {
        return token + shift < m_tokens ? token + shift : token + shift - m_tokens;
    }

    template <typename Function>
    void forEachCell(std::size_t shift, Function function) {
        for (std::size_t token = 0; token < m_tokens; ++token) {
            const auto to = m_to.of(shifted(token, shift));
            for (const std::uint16_t from : m_from.of(token)) {
                std::uint32_t* row = m_cells.data() + from * m_experts;
                for (const std::uint16_t next : to) function(row[next]);
            }
        }
    }

    Margins marginsAt(std::size_t shift) const {
        std::vector<std::uint64_t> rows(m_experts, 0);
        std::vector<std::uint64_t> columns(m_experts, 0);
        for (std::size_t token = 0; token < m_tokens; ++token) {
            const auto from = m_from.of(token);
            const auto to = m_to.of(shifted(token, shift));
            for (const std::uint16_t expert : from) rows[expert] += to.size();
            for (const std::uint16_t expert : to) columns[expert] += from.size();
        }
        Margins out;
        for (std::size_t expert = 0; expert < m_experts; ++expert) {
            out.pairs += static_cast<double>(rows[expert]);
            out.sum += timesLog(static_cast<double>(rows[expert])) +
                       timesLog(static_cast<double>(columns[expert]));
        }
        return out;
    }

    Chosen m_from;
    Chosen m_to;
    std::size_t m_experts;
    std::size_t m_tokens;
    std::vector<std::uint32_t> m_cells;  ///< [E * E], all 0 between calls
    std::vector<double> m_timesLog;      ///< [n + 1] c ln c
};

/// `count` different shifts, or all there are.
std::vector<std::size_t> drawShifts(std::int64_t tokens, int count, std::uint64_t seed) {
    std::vector<std::size_t> all(
        static_cast<std::size_t>(std::max<std::int64_t>(0, tokens - 2 * kLeastShift + 1)));
    std::iota(all.begin(), all.end(), std::size_t{kLeastShift});
    std::mt19937_64 random(seed);  // used as it is: the distributions of the library vary
    const std::size_t drawn = std::min(all.size(), static_cast<std::size_t>(std::max(0, count)));
    for (std::size_t i = 0; i < drawn; ++i) {
        std::swap(all[i], all[i + random() % (all.size() - i)]);
    }
    all.resize(drawn);
    return all;
}

}  // namespace

ShiftBaseline shiftBaseline(const PairedChoices& choices, int shifts, std::uint64_t seed) {
    assert(choices.from.size() == choices.to.size());
    ShiftBaseline out;
    out.n = choices.n();
    const std::vector<std::size_t> drawn = drawShifts(out.n, shifts, seed);
    if (drawn.size() < kFewestShifts) {
        out.observed = out.mean = out.p95 = out.pValue = kNaN;
        return out;
    }
    ShiftedInformation information(choices);
    out.observed = information.at(0);
    std::vector<double> values;
    for (const std::size_t shift : drawn) {
        values.push_back(information.at(shift));
    }
    const auto count = static_cast<double>(values.size());
    const auto reached = std::count_if(values.begin(), values.end(), [&out](double value) {
        return value >= out.observed - kRounding;
    });
    std::sort(values.begin(), values.end());
    const auto rank = static_cast<std::size_t>(std::ceil(0.95 * (count + 1) - kRounding));
    out.shifts = static_cast<int>(values.size());
    out.mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    out.p95 = values[std::min(rank, values.size()) - 1];
    out.pValue = (1 + static_cast<double>(reached)) / (count + 1);
    return out;
}

}  // namespace gatescope
