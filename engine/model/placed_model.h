// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "engine/model/decoder.h"
#include "engine/model/loaded_model.h"

namespace gatescope {

/// Where a model's parts go on a device, decided before anything is copied.
struct PlacedModel {
    DecoderOptions options;
    std::unique_ptr<Device> host;  ///< for experts that stay in host memory; may be null
};

/// Throws Error when the device has not enough memory or no such cache type.
PlacedModel placeModel(const WeightSource& source, const Device& device,
                       const LoadOptions& options);

/// "NVIDIA H100 80GB HBM3 (cuda:0), experts of 12 layers on the cpu".
std::string describePlacement(Decoder& decoder);

}  // namespace gatescope
