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
constexpr std::int64_t kChunk = 32;      // permutations a thread takes at a time
constexpr double kScoreRounding = 1e-4;  // scores are float; what is closer counts as reached

/// Every permutation's statistics, computed by several threads. Each writes its own places only.
class PermutationRun {
  public:
    PermutationRun(const PermutationStatistic& statistic, const UnitLabels& labels,
                   const PermutationOptions& options)
        : m_statistic(statistic), m_labels(labels), m_options(options), m_count(labels.count()) {
        divergence.resize(static_cast<std::size_t>(statistic.rows()) *
                          static_cast<std::size_t>(m_count));
        if (options.experts) largest.resize(static_cast<std::size_t>(m_count), 0.0F);
    }

    /// The caller's thread works too, and reports.
    void run() {
        const std::int64_t chunks = (m_count + kChunk - 1) / kChunk;
        const int available = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
        const std::int64_t wanted = m_options.threads > 0 ? m_options.threads : available;
        {
            std::vector<std::jthread> threads;
            for (std::int64_t i = 1; i < std::min(wanted, chunks); ++i) {
                threads.emplace_back([this] { work(false); });
            }
            work(true);
        }
        if (m_failure) std::rethrow_exception(m_failure);
        if (m_stop) throw Cancelled();
    }

    std::vector<std::int64_t> divergence;  ///< [rows][count]
    std::vector<float> largest;            ///< [count]

  private:
    void work(bool reporting) {
        try {
            PermutationStatistic::Scratch scratch;
            std::vector<PermutationStatistic::Picked> picked(kChunk);
            std::vector<std::uint8_t> labels(m_statistic.units());
            while (!m_stop) {
                const std::int64_t first = m_next.fetch_add(kChunk);
                if (first >= m_count) return;
                const std::int64_t end = std::min(first + kChunk, m_count);
                for (std::int64_t i = first; i < end; ++i) {
                    m_labels.draw(i, labels);
                    m_statistic.pick(labels, picked[static_cast<std::size_t>(i - first)]);
                }
                chunk(first, end, picked, scratch);
                const std::int64_t done = m_done += end - first;
                if (reporting && m_options.progress && !m_options.progress(done)) m_stop = true;
            }
        } catch (...) {
            const std::lock_guard lock(m_mutex);
            if (!m_failure) m_failure = std::current_exception();
            m_stop = true;
        }
    }
    void chunk(std::int64_t first, std::int64_t end,
               const std::vector<PermutationStatistic::Picked>& picked,
               PermutationStatistic::Scratch& scratch) {
        for (int row = 0; row < m_statistic.rows(); ++row) {  // a row's counts stay in the cache
            std::int64_t* out = divergence.data() + row * m_count;
            for (std::int64_t i = first; i < end; ++i) {
                out[i] = m_statistic.divergence(row, picked[static_cast<std::size_t>(i - first)],
                                                scratch);
                if (largest.empty()) continue;
                float& most = largest[static_cast<std::size_t>(i)];
                most = std::max(most, m_statistic.largestScore(row, scratch));
            }
        }
    }

    const PermutationStatistic& m_statistic;
    const UnitLabels& m_labels;
    const PermutationOptions& m_options;
    std::int64_t m_count;
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
    const auto p95 = permuted.begin() + (std::ssize(permuted) - 1) * 95 / 100;
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
    PermutationStatistic::Scratch scratch;
    PermutationStatistic::Picked picked;
    std::vector<std::uint8_t> observed(statistic.units());
    labels.observed(observed);
    statistic.pick(observed, picked);
    std::vector<float> scores(static_cast<std::size_t>(units.experts));
    const auto count = static_cast<std::size_t>(labels.count());
    for (int row = 0; row < units.rows; ++row) {
        const std::int64_t value = statistic.divergence(row, picked, scratch);
        addRow(out, statistic, row, value,
               std::span(run.divergence).subspan(static_cast<std::size_t>(row) * count, count),
               labels);
        if (!options.experts) continue;
        statistic.scores(row, scratch, scores);
        for (const float score : scores) {
            const auto firstSide = static_cast<double>(statistic.picksFirst() ? score : -score);
            out.scores.push_back(firstSide);
        }
    }
    if (options.experts) out.adjusted = adjusted(out.scores, std::move(run.largest), labels);
    return out;
}

}  // namespace gatescope
