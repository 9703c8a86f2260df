// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/checkpoint/tensor_schema.h"
#include "engine/checkpoint/weight_source.h"
#include "engine/progress.h"
#include "kernels/weight.h"

namespace gatescope {

/// Turns tensors of a source into weights the kernels take, checking presence, dtype and shape; the
/// errors name file, tensor, expected and found. Nothing is copied but vectors and those block
/// scales that are not aligned for float. The weights live as long as source and binder both do.
class WeightBinder {
  public:
    /// Larger tensors are not scanned for NaN and infinity when bound, because that would read
    /// a big model whole; findNonFinite names the culprit should a forward pass meet one.
    static constexpr std::size_t scannedBytes = 4 << 20;

    explicit WeightBinder(const WeightSource& source) : m_source(source) {}
    WeightBinder(const WeightBinder&) = delete;
    WeightBinder& operator=(const WeightBinder&) = delete;

    /// A [rows, cols] matrix of dtype BF16, F16, F32, or F8_E4M3 with its block scales
    /// NAME_scale_inv F32 [ceil(rows / blockRows), ceil(cols / blockCols)], from any file.
    Weight matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
    Weight matrix(const TensorSpec& spec) { return matrix(spec.name, spec.rows, spec.cols); }

    /// A [length] vector (norm weight, bias) of dtype BF16, F16 or F32, as float.
    std::vector<float> vector(const std::string& name, std::int64_t length) const;
    std::vector<float> vector(const TensorSpec& spec) const { return vector(spec.name, spec.rows); }

    bool has(const TensorSpec& spec) const { return m_source.find(spec.name) != nullptr; }

  private:
    Weight matrixUnscanned(const std::string& name, std::int64_t rows, std::int64_t cols);
    void bindScales(const std::string& name, Weight& weight);
    friend std::optional<std::string> findNonFinite(const WeightSource&, const Progress&);

    const WeightSource& m_source;
    std::deque<std::vector<float>> m_alignedScales;
};

/// Where a weight first holds NaN or infinity: "NaN at row 3, column 17". A block scale that is not
/// finite, or so large that its products are not, counts too. Nothing if all is finite.
std::optional<std::string> findNonFinite(const Weight& weight);

/// Scans all matrices of a model, whatever their size, and gives one sentence about the first that
/// holds NaN or infinity: "model.safetensors: lm_head.weight: NaN at row 0, column 1". Throws Error
/// like the binder, or Cancelled.
std::optional<std::string> findNonFinite(const WeightSource& source, const Progress& progress = {});

/// Binds every tensor the configuration asks for, so that a later run cannot meet a bad one.
/// Throws Error or Cancelled.
void validateWeights(const WeightSource& source, const Progress& progress = {});

}  // namespace gatescope
