// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "engine/report/recorded_loads.h"

namespace gatescope {

// One reader for each format of recorded loads. All distrust what they read, give every row the
// same experts, and throw Error "FILE: ITEM: CAUSE". `file` is what messages call the bytes.

/// [L][E] or [steps][L][E] without layer numbers; SGLang's {"logical_count": ...}; or Gatescope's
/// {"format": "gatescope-loads/1", "layers": [L], "counts": [L][E]}, with "blocks": [B][L][E] in
/// place of "counts" for traffic in pieces. "layers" may be absent.
RecordedLoads readJsonLoads(const std::filesystem::path& path);

/// A header that names the columns layer, expert and count, and block if there is one, in any
/// order, then a line for every expert of every layer in every block (RFC 4180). Layers are
/// absolute; blocks are numbers in the order of time.
RecordedLoads readCsvLoads(std::span<const std::byte> bytes, const std::string& file);

/// NumPy's array file, [L, E] or [steps, L, E], without layer numbers.
RecordedLoads readNpyLoads(std::span<const std::byte> bytes, const std::string& file);

/// SGLang's recorder dump: a zip archive that PyTorch wrote with a dict whose "logical_count" is a
/// tensor [steps, L, E] or [L, E], or, in the modes per_pass and per_token, whose "records" hold a
/// "global_physical_count" [L, P] each, of the experts that "last_physical_to_logical_map" [L, P]
/// names. Nothing in it is executed.
RecordedLoads readTorchLoads(std::span<const std::byte> bytes, const std::string& file);

/// Such records of all ranks, a file for each or several. Ranks are added up, as the recorder does
/// in its other modes.
RecordedLoads readTorchFolder(const std::filesystem::path& folder);
bool hasTorchDumps(const std::filesystem::path& folder);

/// TensorRT-LLM's statistics folder: meta_info.json and a rank<r>.safetensors for every rank with a
/// tensor [E] "<iteration>_<layer>" for every iteration and layer. Ranks are added up, iterations
/// are blocks, layers are absolute.
RecordedLoads readTensorRtLoads(const std::filesystem::path& folder);

}  // namespace gatescope
