// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/verify/check.h"

namespace gatescope {

/// Adds up how far float values lie from the golden ones.
class Deviation {
  public:
    /// The part of `actual` that `expected` covers, from its start; too few values count as
    /// infinite deviation, and so does a value that is not finite.
    void add(const std::string& where, std::span<const float> expected,
             std::span<const float> actual) {
        if (actual.size() < expected.size()) return note(where, kInfinity);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const double difference =
                static_cast<double>(actual[i]) - static_cast<double>(expected[i]);
            note(where, std::isfinite(difference) ? std::abs(difference) : kInfinity);
            m_expectedSquares +=
                static_cast<double>(expected[i]) * static_cast<double>(expected[i]);
        }
    }
    void note(const std::string& where, double deviation) {
        ++m_count;
        m_sum += deviation;
        m_squares += deviation * deviation;
        if (deviation > m_max || m_where.empty()) {
            m_max = deviation;
            m_where = where;
        }
    }

    bool empty() const { return m_count == 0; }
    double max() const { return m_max; }
    double rms() const { return m_count ? std::sqrt(m_squares / static_cast<double>(m_count)) : 0; }

    /// Relative to the rms of the expected values.
    double relativeRms() const {
        return m_squares > 0 ? std::sqrt(m_squares / m_expectedSquares) : 0;
    }
    double mean() const { return m_count ? m_sum / static_cast<double>(m_count) : 0; }

    Check maxCheck(std::string subject, std::string quantity, double limit) const {
        return {std::move(subject),
                std::move(quantity),
                m_max <= limit,
                m_max,
                limit,
                fmt::format("{} values, worst in {}", m_count, m_where)};
    }
    Check rmsCheck(std::string subject, std::string quantity, double limit) const {
        return check(std::move(subject), std::move(quantity), rms(), limit);
    }
    Check relativeRmsCheck(std::string subject, std::string quantity, double limit) const {
        return check(std::move(subject), std::move(quantity), relativeRms(), limit);
    }
    Check meanCheck(std::string subject, std::string quantity, double limit) const {
        return check(std::move(subject), std::move(quantity), mean(), limit);
    }

  private:
    static constexpr double kInfinity = std::numeric_limits<double>::infinity();

    Check check(std::string subject, std::string quantity, double measured, double limit) const {
        return {std::move(subject),
                std::move(quantity),
                measured <= limit,
                measured,
                limit,
                fmt::format("{} values", m_count)};
    }

    std::int64_t m_count = 0;
    double m_max = 0;
    double m_sum = 0;
    double m_squares = 0;
    double m_expectedSquares = 0;
    std::string m_where;
};

/// Counts values that have to be equal and are not.
class Mismatches {
  public:
    void add(const std::string& where, bool equal) {
        ++m_count;
        if (equal) return;
        if (m_different++ == 0) m_first = where;
    }
    /// Compares the part that `expected` covers; values missing from `actual` differ.
    template <typename T>
    void add(const std::string& where, std::span<const T> expected, std::span<const T> actual) {
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const bool equal = i < actual.size() && expected[i] == actual[i];
            if (equal) {
                ++m_count;
            } else {
                add(fmt::format("{}, value {}", where, i), false);
            }
        }
    }

    bool empty() const { return m_count == 0; }
    Check check(std::string subject, std::string quantity, std::string_view unit) const {
        std::string note = fmt::format("{} {}", m_count, unit);
        if (m_different > 0) note += ", first different: " + m_first;
        return {std::move(subject),
                std::move(quantity),
                m_different == 0,
                static_cast<double>(m_different),
                0,
                std::move(note)};
    }
    /// Up to a share of them may differ.
    Check shareCheck(std::string subject, std::string quantity, std::string_view unit,
                     double limit) const {
        const double share =
            m_count ? static_cast<double>(m_different) / static_cast<double>(m_count) : 0;
        return {std::move(subject),
                std::move(quantity),
                share <= limit,
                share,
                limit,
                fmt::format("{} of {} {}", m_different, m_count, unit)};
    }

  private:
    std::int64_t m_count = 0;
    std::int64_t m_different = 0;
    std::string m_first;
};

}  // namespace gatescope
