// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "app/cli/bench.h"
#include "app/cli/bench_speeds.h"
#include "engine/model/step_cost.h"
#include "kernels/timed_device.h"

namespace gatescope::cli {

/// What a device reaches at best, measured on it.
struct DeviceRates {
    /// Bytes read and written each second while a large buffer is copied.
    double copyBytesPerSecond = 0;
    /// Of a large dense product with a BF16 weight, in the device's precision.
    double multiplyAddsPerSecond = 0;
};

/// Takes up to 2 GiB of the device's memory while it runs.
DeviceRates measureRates(Device& device);

/// Measured speeds beside what the memory and the arithmetic allow.
struct Limits {
    DeviceRates rates;
    std::int64_t contextRows = 0;  ///< cache rows a decode step read, on average
    DecodeBytes decode;
    std::uint64_t prefillMultiplyAdds = 0;
    /// Shares of what is possible, recorder off; nothing where experts run on the host, whose
    /// memory is another.
    std::optional<double> memoryShare;
    std::optional<double> denseShare;
};

Limits compareWithLimits(Decoder& decoder, const WeightSource& source, const DeviceRates& rates,
                         const SpeedMeasurement& speeds, const BenchOptions& options);

/// One prefill pass and the decode step after it, operation by operation.
struct OperationProfile {
    std::int64_t prefillTokens = 0;
    TimedPass prefill;
    std::int64_t contextRows = 0;  ///< of the decode step
    TimedPass decode;
    std::uint64_t attentionBytes = 0;  ///< what latent attention has to move in the decode step
    /// Share of the copy rate that latent attention reached.
    double attentionShare = 0;
};

/// `device` is the decoder's; its cache holds at least --depth positions.
OperationProfile profileOperations(Decoder& decoder, TimedDevice& device,
                                   const WeightSource& source, const DeviceRates& rates,
                                   const BenchOptions& options);

}  // namespace gatescope::cli
