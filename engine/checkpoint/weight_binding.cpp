// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/weight_binding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/error.h"

namespace gatescope {
namespace {

constexpr float largestE4m3 = 448;

[[noreturn]] void refuse(const TensorView& tensor, const std::string& cause) {
    throw fileError(tensor.file, tensor.name, cause);
}

std::optional<DType> dtypeNamed(std::string_view text) {
    for (const DType dtype : {DType::F32, DType::BF16, DType::F16, DType::F8E4M3}) {
        if (text == name(dtype)) return dtype;
    }
    return std::nullopt;
}

const TensorView& require(const WeightSource& source, const std::string& tensorName) {
    const TensorView* tensor = source.find(tensorName);
    if (!tensor) throw fileError(source.describe(), tensorName, "missing");
    return *tensor;
}

void requireShape(const TensorView& tensor, const std::vector<std::int64_t>& expected) {
    if (tensor.shape == expected) return;
    refuse(tensor, fmt::format("shape [{}] found, [{}] expected", fmt::join(tensor.shape, ", "),
                               fmt::join(expected, ", ")));
}

/// Index of the first element whose masked bits are all set (the exponent bits: NaN or infinity),
/// or count. data may have any alignment; a block is copied so that the test over it vectorises.
template <typename Word>
std::size_t firstWithBits(const void* data, std::size_t count, Word mask) {
    constexpr std::size_t blockSize = 4096 / sizeof(Word);
    std::array<Word, blockSize> block;
    for (std::size_t start = 0; start < count; start += blockSize) {
        const std::size_t size = std::min(blockSize, count - start);
        std::memcpy(block.data(), static_cast<const char*>(data) + start * sizeof(Word),
                    size * sizeof(Word));
        Word any = 0;
        for (std::size_t i = 0; i < size; ++i) any |= static_cast<Word>((block[i] & mask) == mask);
        if (!any) continue;
        const auto found = std::find_if(block.begin(), block.begin() + size,
                                        [mask](Word word) { return (word & mask) == mask; });
        return start + static_cast<std::size_t>(found - block.begin());
    }
    return count;
}

std::size_t firstNonFinite(DType dtype, const void* data, std::size_t count) {
    switch (dtype) {
        case DType::F32:
            return firstWithBits<std::uint32_t>(data, count, 0x7F800000);
        case DType::BF16:
            return firstWithBits<std::uint16_t>(data, count, 0x7F80);
        case DType::F16:
            return firstWithBits<std::uint16_t>(data, count, 0x7C00);
        case DType::F8E4M3:
            return firstWithBits<std::uint8_t>(data, count, 0x7F);
    }
    return count;
}

template <typename Word>
Word wordAt(const void* data, std::size_t index) {
    Word word;
    std::memcpy(&word, static_cast<const char*>(data) + index * sizeof(Word), sizeof(Word));
    return word;
}

float elementAt(DType dtype, const void* data, std::size_t index) {
    switch (dtype) {
        case DType::F32:
            return wordAt<float>(data, index);
        case DType::BF16:
            return bf16ToFloat(wordAt<std::uint16_t>(data, index));
        case DType::F16:
            return f16ToFloat(wordAt<std::uint16_t>(data, index));
        case DType::F8E4M3:
            return f8e4m3ToFloat(wordAt<std::uint8_t>(data, index));
    }
    return 0;
}

const char* kindOf(float value) {
    return std::isnan(value) ? "NaN" : "infinity";
}

std::optional<std::string> badScale(const float* scales, std::int64_t rows, std::int64_t cols) {
    for (std::int64_t i = 0; i < rows * cols; ++i) {
        const float scale = scales[i];
        if (std::abs(scale) <= std::numeric_limits<float>::max() / largestE4m3) continue;
        const std::string what = std::isfinite(scale)
                                     ? fmt::format("{} is too large and gives infinity", scale)
                                     : kindOf(scale);
        return fmt::format("{} at row {}, column {}", what, i / cols, i % cols);
    }
    return std::nullopt;
}

std::int64_t scaleRows(const Weight& weight) {
    return (weight.rows + weight.blockRows - 1) / weight.blockRows;
}

std::optional<std::string> badElement(const Weight& weight) {
    const auto count = static_cast<std::size_t>(weight.rows * weight.cols);
    const std::size_t found = firstNonFinite(weight.dtype, weight.data, count);
    if (found == count) return std::nullopt;
    const auto index = static_cast<std::int64_t>(found);
    return fmt::format("{} at row {}, column {}",
                       kindOf(elementAt(weight.dtype, weight.data, found)), index / weight.cols,
                       index % weight.cols);
}

void report(const Progress& progress, std::string_view what, int done, int total) {
    if (progress &&
        !progress(what, static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total))) {
        throw Cancelled();
    }
}

/// forEachTensor with a progress report before every layer and now and then within one.
bool forEachReported(const ModelConfig& config, std::string_view what, const Progress& progress,
                     const TensorVisitor& visit) {
    constexpr int tensorsPerReport = 64;
    const int layers = tensorLayers(config);
    int layer = 0;
    int visited = 0;
    const auto reported = [&](const TensorSpec& spec) {
        if (visited++ % tensorsPerReport == 0) report(progress, what, layer, layers);
        return visit(spec);
    };
    if (!forEachOuterTensor(config, reported)) return false;
    for (; layer < layers; ++layer) {
        visited = 0;
        if (!forEachLayerTensor(config, layer, reported)) return false;
    }
    report(progress, what, layers, layers);
    return true;
}

}  // namespace

Weight WeightBinder::matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
    const Weight weight = matrixUnscanned(name, rows, cols);
    const TensorView& tensor = require(m_source, name);
    if (tensor.bytes.size() <= scannedBytes) {
        if (const auto bad = badElement(weight)) refuse(tensor, *bad);
    }
    return weight;
}

Weight WeightBinder::matrixUnscanned(const std::string& name, std::int64_t rows,
                                     std::int64_t cols) {
    const TensorView& tensor = require(m_source, name);
    const auto dtype = dtypeNamed(tensor.dtype);
    if (!dtype) {
        refuse(tensor,
               fmt::format("dtype {} found, BF16, F16, F32 or F8_E4M3 expected", tensor.dtype));
    }
    requireShape(tensor, {rows, cols});
    Weight weight;
    weight.dtype = *dtype;
    weight.rows = rows;
    weight.cols = cols;
    weight.data = tensor.bytes.data();
    if (*dtype == DType::F8E4M3) {
        if (!m_source.config().fp8) {
            refuse(tensor, "dtype F8_E4M3 found, but config.json has no quantization_config");
        }
        bindScales(name + "_scale_inv", weight);
    }
    return weight;
}

void WeightBinder::bindScales(const std::string& name, Weight& weight) {
    weight.blockRows = m_source.config().fp8BlockRows;
    weight.blockCols = m_source.config().fp8BlockCols;
    const TensorView& tensor = require(m_source, name);
    if (tensor.dtype != "F32") {
        refuse(tensor, fmt::format("dtype {} found, F32 expected", tensor.dtype));
    }
    requireShape(tensor, {scaleRows(weight), weight.scaleCols()});
    const std::byte* data = tensor.bytes.data();
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0) {
        weight.scales = reinterpret_cast<const float*>(data);
    } else {
        auto& copy = m_alignedScales.emplace_back(tensor.bytes.size() / sizeof(float));
        std::memcpy(copy.data(), data, tensor.bytes.size());
        weight.scales = copy.data();
    }
    if (const auto bad = badScale(weight.scales, scaleRows(weight), weight.scaleCols())) {
        refuse(tensor, *bad);
    }
}

std::vector<float> WeightBinder::vector(const std::string& name, std::int64_t length) const {
    const TensorView& tensor = require(m_source, name);
    const auto dtype = dtypeNamed(tensor.dtype);
    if (!dtype || *dtype == DType::F8E4M3) {
        refuse(tensor, fmt::format("dtype {} found, BF16, F16 or F32 expected", tensor.dtype));
    }
    requireShape(tensor, {length});
    std::vector<float> values(static_cast<std::size_t>(length));
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = elementAt(*dtype, tensor.bytes.data(), i);
        if (!std::isfinite(values[i])) {
            refuse(tensor, fmt::format("{} at element {}", kindOf(values[i]), i));
        }
    }
    return values;
}

std::optional<std::string> findNonFinite(const Weight& weight) {
    if (weight.empty()) return std::nullopt;
    if (weight.scales) {
        if (auto bad = badScale(weight.scales, scaleRows(weight), weight.scaleCols())) {
            return "scale " + *bad;
        }
    }
    return badElement(weight);
}

std::optional<std::string> findNonFinite(const WeightSource& source, const Progress& progress) {
    WeightBinder binder(source);
    std::optional<std::string> sentence;
    forEachReported(source.config(), "Looking for NaN", progress, [&](const TensorSpec& spec) {
        if (spec.rank == TensorRank::One || (spec.optional && !binder.has(spec))) return true;
        const Weight weight = binder.matrixUnscanned(spec.name, spec.rows, spec.cols);
        if (const auto bad = badElement(weight)) {
            sentence = fileError(source.find(spec.name)->file, spec.name, *bad).what();
        }
        return !sentence.has_value();
    });
    return sentence;
}

void validateWeights(const WeightSource& source, const Progress& progress) {
    WeightBinder binder(source);
    forEachReported(source.config(), "Checking weights", progress, [&](const TensorSpec& spec) {
        if (spec.optional && !binder.has(spec)) return true;
        if (spec.rank == TensorRank::One) {
            binder.vector(spec);
        } else {
            binder.matrix(spec);
        }
        return true;
    });
}

}  // namespace gatescope
