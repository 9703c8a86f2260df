// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "kernels/latent_layout.h"
#include "kernels/precision.h"

namespace gatescope {

// Where a limit comes from: tests/golden/README.md ("Tolerances") unless its comment says
// otherwise.

/// How far a correct decoder may lie from the golden values, which were computed in float64.
enum class Tolerance : std::uint8_t {
    Float32,          ///< float32 arithmetic, F32 latent cache
    Bf16Cache,        ///< float32 arithmetic, BF16 latent cache
    Bf16Activations,  ///< 16-bit matrix products, each run choosing its own experts
    F8Cache,          ///< F8 latent cache, whatever the arithmetic
};

/// "float32", "bf16 cache", "bf16 activations", "f8 cache".
constexpr const char* name(Tolerance tolerance) {
    switch (tolerance) {
        case Tolerance::Float32:
            return "float32";
        case Tolerance::Bf16Cache:
            return "bf16 cache";
        case Tolerance::Bf16Activations:
            return "bf16 activations";
        case Tolerance::F8Cache:
            return "f8 cache";
    }
    return "?";
}

/// What a device and its cache can be held to. The weights do not matter: they are exact as stored.
constexpr Tolerance toleranceOf(Precision precision, CacheType cache) {
    if (cache == CacheType::F8) return Tolerance::F8Cache;
    if (precision == Precision::Fast) return Tolerance::Bf16Activations;
    return cache == CacheType::BF16 ? Tolerance::Bf16Cache : Tolerance::Float32;
}

/// Measured worst: a quarter of this and less.
struct Float32Class {
    static constexpr double logitsMax = 1e-4;
    static constexpr double logitsRms = 1.2e-5;
    static constexpr double hiddenMax = 1e-4;
    static constexpr double cacheMax = 5e-5;
    static constexpr double gateMax = 1e-5;  ///< scores and gate weights
    static constexpr double meanNll = 1e-5;
};

/// Limits of the other classes. There is no maximum among them: one expert chosen otherwise moves
/// single logits by 4 to 8.
struct ReducedLimits {
    double logitsRms = 0;
    std::optional<double> meanKl;            ///< nats, golden distribution to ours
    double argMaxDifferent = 0;              ///< share of rows
    std::optional<double> routingDifferent;  ///< share of rows with another set of experts
    /// Rms of hidden states and latent cache in front of the first router, relative to theirs:
    /// nothing has been chosen there, so rounding is all that may show. Measured with the CPU's
    /// arithmetic rounded as the class says (tests/engine/verify/rounding_device.h); about twice
    /// that.
    double beforeRouting = 0;
};

constexpr ReducedLimits reducedLimits(Tolerance tolerance) {
    switch (tolerance) {
        case Tolerance::Bf16Cache:
            return {0.4, std::nullopt, 0.07, std::nullopt, 0.004};
        case Tolerance::Bf16Activations:
            return {0.5, 0.06, 0.10, 0.12, 0.008};
        case Tolerance::F8Cache:  // the README's class of F8 activations
            return {1.2, std::nullopt, 0.25, 0.20, 0.06};
        case Tolerance::Float32:
            break;
    }
    return {};
}

/// The MTP module stands behind every choice of the main model, so its own differ more often: about
/// twice the 9.3 % of tests/golden/deviation.json (BF16) and the 21 % of the CPU's arithmetic with
/// an F8 cache. The README has no divergence for the module either; twice the main model's.
constexpr ReducedLimits mtpLimits(Tolerance tolerance) {
    ReducedLimits limits = reducedLimits(tolerance);
    if (limits.meanKl) limits.meanKl = 2 * *limits.meanKl;
    if (tolerance == Tolerance::Bf16Activations) limits.routingDifferent = 0.19;
    if (tolerance == Tolerance::F8Cache) limits.routingDifferent = 0.40;
    return limits;
}

}  // namespace gatescope
