// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "engine/report/recorded_loads.h"

namespace gatescope {

// More than any model has; without a bound a few bytes could ask for all memory.
inline constexpr std::int64_t kMostLoadLayers = 4096;
inline constexpr std::int64_t kMostLoadExperts = 65536;

/// A number as binary files hold it, little endian.
enum class NumberType { kInt32, kInt64, kUint32, kUint64, kFloat32, kFloat64 };

std::size_t bytesOf(NumberType type);
/// Number `index` of an array that has it. Whole numbers beyond 2^53 are rounded.
double numberAt(std::span<const std::byte> bytes, NumberType type, std::size_t index);

/// `value` if it can be how often something was chosen: finite, not negative, and single precision
/// can hold it. Throws Error otherwise.
double checkedCount(double value, const std::string& file, const std::string& item);

/// Throws Error unless there are steps, layers and experts, and not too many of them.
void checkLoadExtents(std::int64_t steps, std::int64_t layers, std::int64_t experts,
                      const std::string& file, const std::string& item);

/// Numbers [steps, L, E] that are still where a file has them; nothing but the shape is checked.
struct StepArray {
    std::string file;      ///< for messages
    std::string item;      ///< for messages: "logical_count"; may be empty
    bool hasSteps = true;  ///< false: the file has [L, E], one step
    std::int64_t steps = 1;
    int layers = 0;
    int experts = 0;
    std::function<double(std::int64_t step, int layer, int expert)> at;

    /// Sets the shape from that of the file, [L, E] or [steps, L, E]. Throws Error for any other
    /// and beyond the limits.
    void setShape(std::span<const std::int64_t> shape);
    /// The count at a place. Throws Error naming the place if it is none.
    double count(std::int64_t step, int layer, int expert) const;
};

/// Every step is a block, and rows have no number. Throws Error for what is no count.
RecordedLoads loadsOfSteps(const StepArray& array);

/// What SGLang records: a row for each layer of the model, of which those without experts (the
/// first ones) are zero and dropped, and a ring buffer of steps, of which unused ones are zero and
/// skipped. The other steps follow each other in at most 64 blocks. Throws Error for what is no
/// count, and if all are zero.
RecordedLoads loadsOfSglang(const StepArray& array);

}  // namespace gatescope
