// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/device.h"
#include "kernels/device_buffer.h"

namespace gatescope {

/// Which positions of a pass need logits.
enum class LogitsOf : std::uint8_t { None, Last, All };

/// Asks for the largest logits only: a vocabulary of 10^5 entries is then not copied to the host.
struct TopRequest {
    int k = 0;               ///< 0: whole rows of logits; at most kMaxTopLogits
    std::int64_t limit = 0;  ///< only ids below this compete; 0: all
};

/// The largest logits of one row, in host memory.
struct TopRow {
    std::span<const std::int32_t> ids;  ///< [k] largest logit first, ties to the lower id
    std::span<const float> values;      ///< [k] their logits
    float logSum = 0;                   ///< ln sum exp over the whole row

    float probability(std::size_t i) const { return std::exp(values[i] - logSum); }
};

/// Makes the logits of a pass and brings to the host what was asked for.
class LogitsReader {
  public:
    explicit LogitsReader(Device& device)
        : m_device(&device), m_logits(device), m_ids(device), m_floats(device), m_finite(device) {}

    /// Issues logits of the last or all rows of `normed` [T, h] through `head` [V, h].
    void project(ConstMatrix normed, const Weight& head, LogitsOf which, const TopRequest& top);
    /// Waits for them and copies. Returns whether all are finite.
    bool fetch(std::int64_t tokens, std::int64_t vocabSize, LogitsOf which, const TopRequest& top);

    /// [rows, vocab_size]; empty where the largest were asked for.
    std::span<const float> whole() const { return m_host; }
    std::span<const float> row(std::int64_t row) const;
    TopRow top(std::int64_t row) const;

  private:
    TopLogits onDevice(std::int64_t rows, std::int64_t vocabSize, const TopRequest& top);
    bool fetchTop(std::int64_t rows, int k);

    Device* m_device;
    DeviceBuffer<float> m_logits;         ///< [rows, V]
    DeviceBuffer<std::int32_t> m_ids;     ///< [rows, k]
    DeviceBuffer<float> m_floats;         ///< [rows, k] values, [rows] log sums
    DeviceBuffer<std::int32_t> m_finite;  ///< [rows]
    std::int64_t m_vocabSize = 0;
    std::vector<float> m_host;
    std::size_t m_k = 0;
    std::size_t m_rows = 0;
    std::vector<std::int32_t> m_hostIds;
    std::vector<float> m_hostFloats;
    std::vector<std::int32_t> m_hostFinite;
};

}  // namespace gatescope
