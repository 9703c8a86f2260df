// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/permutation_test.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

#include "engine/analysis/permutation_statistic.h"
#include "engine/error.h"

namespace gatescope {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kSlice = 1024;    // permutations of one row that a thread takes at a time
constexpr double kScoreRounding = 1e-4;  // scores are float; what is closer counts as reached

/// Every permutation's statistics, computed by several threads: a task is one row and a slice of
/// the permutations. What each writes does not depend on who computes it, or when.
class PermutationRun {
  public:
    PermutationRun(const PermutationStatistic& statistic, const UnitLabels& labels,
                   const PermutationOptions& options)
        : m_statistic(statistic),
          m_options(options),
          m_count(labels.count()),
          m_slices((m_count + kSlice - 1) / kSlice),
          m_tasks(m_slices * statistic.rows()) {
        divergence.resize(static_cast<std::size_t>(statistic.rows() * m_count));
        if (statistic.withExperts()) largest.resize(static_cast<std::size_t>(m_count), 0.0F);
        m_picked.resize(static_cast<std::size_t>(m_count));
        std::vector<std::uint8_t> drawn(statistic.units());
        for (std::int64_t i = 0; i < m_count; ++i) {
            labels.draw(i, drawn);
            statistic.pick(drawn, m_picked[static_cast<std::size_t>(i)]);
        }
    }

    /// The caller's thread works too, and reports.
    void run() {
        const int available = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
        const std::int64_t wanted = m_options.threads > 0 ? m_options.threads : available;
        {
            std::vector<std::jthread> threads;
            for (std::int64_t i = 1; i < std::min(wanted, m_tasks); ++i) {
                threads.emplace_back([this] { work(false); });
            }
            work(true);
        }
        if (m_failure) std::rethrow_exception(m_failure);
        if (m_stop || (m_options.progress && !m_options.progress(m_count))) throw Cancelled();
    }

    std::vector<std::int64_t> divergence;  ///< [rows][count]
    std::vector<float> largest;            ///< [count]

  private:
    void work(bool reporting) {
        try {
            std::vector<float> most(largest.size(), 0.0F);
            while (!m_stop) {
                const std::int64_t task = m_next++;
                if (task >= m_tasks) break;
                run(task, most);
                const std::int64_t done = ++m_done;
                if (reporting && m_options.progress &&
                    !m_options.progress(done * m_count / m_tasks)) {
                    m_stop = true;
                }
            }
            const std::lock_guard lock(m_mutex);
            for (std::size_t i = 0; i < most.size(); ++i) {
                largest[i] = std::max(largest[i], most[i]);
            }
        } catch (...) {
            const std::lock_guard lock(m_mutex);
            if (!m_failure) m_failure = std::current_exception();
            m_stop = true;
        }
    }
    void run(std::int64_t task, std::vector<float>& most) {
        const std::int64_t row = task / m_slices;
        const std::int64_t first = task % m_slices * kSlice;
        const std::int64_t end = std::min(first + kSlice, m_count);
        PermutationRow statistic(m_statistic, static_cast<int>(row));
        for (std::int64_t i = first; i < end; ++i) {
            const auto index = static_cast<std::size_t>(i);
            divergence[static_cast<std::size_t>(row * m_count + i)] =
                statistic.divergence(m_picked[index]);
            if (!most.empty()) most[index] = std::max(most[index], statistic.largestScore());
        }
    }

    const PermutationStatistic& m_statistic;
    const PermutationOptions& m_options;
    std::int64_t m_count;
    std::int64_t m_slices;
    std::int64_t m_tasks;
    std::vector<PickedPlaces> m_picked;  ///< [count]
    std::atomic<std::int64_t> m_next = 0;
    std::atomic<std::int64_t> m_done = 0;
    std::atomic<bool> m_stop = false;
    std::mutex m_mutex;
    std::exception_ptr m_failure;
};

double pValue(std::int64_t reached, const UnitLabels& labels) {
    if (std::isnan(labels.smallestP())) return kNaN;
    const auto count = static_cast<double>(labels.count());
    return labels.exact() ? static_cast<double>(reached) / count
                          : (1 + static_cast<double>(reached)) / (count + 1);
}

void addRow(PermutationTest& out, const PermutationStatistic& statistic, int row,
            std::int64_t observed, std::span<std::int64_t> permuted, const UnitLabels& labels) {
    if (!statistic.hasChoices(row)) {
        for (auto* values : {&out.observed, &out.nullMean, &out.nullP95, &out.pValue}) {
            values->push_back(kNaN);
        }
        return;
    }
    const auto reached = std::count_if(permuted.begin(), permuted.end(),
                                       [&](std::int64_t value) { return value >= observed; });
    double sum = 0;
    for (const std::int64_t value : permuted) sum += statistic.bits(row, value);
    const auto p95 = permuted.begin() + (std::ssize(permuted) * 95 + 99) / 100 - 1;
    std::nth_element(permuted.begin(), p95, permuted.end());
    out.observed.push_back(statistic.bits(row, observed));
    out.nullMean.push_back(sum / static_cast<double>(permuted.size()));
    out.nullP95.push_back(statistic.bits(row, *p95));
    out.pValue.push_back(pValue(reached, labels));
}

std::vector<double> adjusted(const std::vector<double>& scores, std::vector<float> largest,
                             const UnitLabels& labels) {
    std::sort(largest.begin(), largest.end());
    std::vector<double> out;
    out.reserve(scores.size());
    for (const double score : scores) {
        const auto reaching = static_cast<float>(std::abs(score) * (1 - kScoreRounding));
        const auto first = std::lower_bound(largest.begin(), largest.end(), reaching);
        out.push_back(pValue(largest.end() - first, labels));
    }
    return out;
}

}  // namespace

PermutationTest permutationTest(const ComparisonUnits& units, const UnitLabels& labels,
                                const PermutationOptions& options) {
    const PermutationStatistic statistic(units, labels, options.experts);
    PermutationRun run(statistic, labels, options);
    run.run();

    PermutationTest out;
    PickedPlaces picked;
    std::vector<std::uint8_t> observed(statistic.units());
    labels.observed(observed);
    statistic.pick(observed, picked);
    std::vector<float> scores(static_cast<std::size_t>(units.experts));
    const auto count = static_cast<std::size_t>(labels.count());
    for (int row = 0; row < units.rows; ++row) {
        PermutationRow statistics(statistic, row);
        const std::int64_t value = statistics.divergence(picked);
        addRow(out, statistic, row, value,
               std::span(run.divergence).subspan(static_cast<std::size_t>(row) * count, count),
               labels);
        if (!options.experts) continue;
        statistics.scores(scores);
        for (const float score : scores) {
            const auto firstSide = static_cast<double>(statistic.picksFirst() ? score : -score);
            out.scores.push_back(std::abs(firstSide) > kScoreRounding ? firstSide : 0);
        }
    }
    if (options.experts) out.adjusted = adjusted(out.scores, std::move(run.largest), labels);
    return out;
}

}  // namespace gatescope
