// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/best_matching.h"

#include <limits>
#include <utility>

namespace gatescope {

namespace {

/// Rows are matched one after the other. With potentials u, v every reduced cost
/// -gain - u - v is >= 0 and 0 on the matching, so that the shortest path to a free column keeps it
/// optimal.
class Matching {
  public:
    Matching(std::span<const double> gains, std::size_t n)
        : m_gains(gains), m_n(n), m_u(n), m_v(n + 1), m_rowOf(n + 1, n) {}

    std::vector<std::size_t> solve() {
        for (std::size_t row = 0; row < m_n; ++row) add(row);
        std::vector<std::size_t> columns(m_n);
        for (std::size_t column = 0; column < m_n; ++column) columns[m_rowOf[column]] = column;
        return columns;
    }

  private:
    /// Column n stands for the row that is being added.
    void add(std::size_t row) {
        m_rowOf[m_n] = row;
        std::vector<double> distance(m_n, std::numeric_limits<double>::infinity());
        std::vector<std::size_t> before(m_n, m_n);
        std::vector<char> reached(m_n + 1, 0);
        std::size_t column = m_n;
        while (m_rowOf[column] != m_n) {
            reached[column] = 1;
            column = nearest(column, reached, distance, before);
        }
        while (column != m_n) {
            m_rowOf[column] = m_rowOf[before[column]];
            column = before[column];
        }
    }

    std::size_t nearest(std::size_t from, const std::vector<char>& reached,
                        std::vector<double>& distance, std::vector<std::size_t>& before) {
        const std::size_t row = m_rowOf[from];
        std::size_t next = m_n;
        for (std::size_t j = 0; j < m_n; ++j) {
            if (reached[j] != 0) continue;
            const double reduced = -m_gains[row * m_n + j] - m_u[row] - m_v[j];
            if (reduced < distance[j]) {
                distance[j] = reduced;
                before[j] = from;
            }
            if (next == m_n || distance[j] < distance[next]) next = j;
        }
        const double step = distance[next];
        for (std::size_t j = 0; j <= m_n; ++j) {
            if (reached[j] != 0) {
                m_u[m_rowOf[j]] += step;
                m_v[j] -= step;
            } else if (j < m_n) {
                distance[j] -= step;
            }
        }
        return next;
    }

    std::span<const double> m_gains;
    std::size_t m_n;
    std::vector<double> m_u;           // [n] of rows
    std::vector<double> m_v;           // [n + 1] of columns
    std::vector<std::size_t> m_rowOf;  // [n + 1] the row that has the column, n: none
};

}  // namespace

std::vector<std::size_t> bestMatching(std::span<const double> gains, std::size_t n) {
    return Matching(gains, n).solve();
}

}  // namespace gatescope
