// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gatescope {

/// How much every expert of every MoE layer is used: choices, or a moving average of them.
struct ExpertLoads {
    int layers = 0;              ///< L, MoE layers in the order of the placement's
    int experts = 0;             ///< E, routed experts of a layer
    std::vector<double> values;  ///< [L * E], not negative

    std::span<const double> row(int layer) const;  ///< [E]
};

/// Throws Error unless there is a layer and an expert, and every load is a finite number >= 0 that
/// single precision can hold (engines keep loads in it).
void checkLoads(const ExpertLoads& loads);

/// What experts are placed on. Groups are the router's: group g holds the experts g E / groups and
/// following.
struct PlacementShape {
    int slots = 0;   ///< P, physical experts of a layer; a multiple of gpus
    int gpus = 1;    ///< R, a multiple of nodes
    int nodes = 1;   ///< GPUs of a node follow each other
    int groups = 1;  ///< of experts; 1: the router has none
};

/// Throws Error unless `experts` can be laid out in that shape.
void checkShape(const PlacementShape& shape, int experts);

/// Which expert each physical slot of each layer holds. GPU r has the slots r P / R and following.
struct Placement {
    int layers = 0;
    int experts = 0;
    int slots = 0;
    int gpus = 1;
    int nodes = 1;
    std::vector<std::int32_t> physicalToLogical;  ///< [L * P]

    int slotsPerGpu() const { return slots / gpus; }
    std::span<const std::int32_t> row(int layer) const;  ///< [P]
    std::span<std::int32_t> row(int layer);
    /// [P / R] the experts of one GPU in one layer
    std::span<const std::int32_t> gpuRow(int layer, int gpu) const;

    bool operator==(const Placement&) const = default;
};

/// Throws Error unless the sizes agree, every slot holds an expert of the layer and every expert
/// has a slot.
void checkPlacement(const Placement& placement);

/// [L * E] copies of each expert, r_e. The placement is a checked one, here and below.
std::vector<int> replicaCounts(const Placement& placement);

/// [L * E] the physical slots of each expert, ascending.
std::vector<std::vector<std::int32_t>> logicalToPhysical(const Placement& placement);

/// Slots that hold an expert which an earlier slot of the same GPU and layer holds already: such a
/// copy takes no load off its GPU.
std::int64_t wastedSlots(const Placement& placement);

/// True if in every layer all copies of the experts of one group are on one node. Throws Error if
/// `groups` does not divide the experts.
bool keepsGroupsOnNodes(const Placement& placement, int groups);

/// Copies that have to be sent when `before` becomes `after`: over layers and GPUs, the experts on
/// the GPU that were not there. Where on its GPU an expert is, and how often, is of no matter.
/// Throws Error unless both have the same layers, experts and GPUs.
std::int64_t movedSlots(const Placement& before, const Placement& after);

/// movedSlots times the bytes of one expert's weights. Throws Error beyond 2^63.
std::int64_t migrationBytes(const Placement& before, const Placement& after,
                            std::int64_t bytesPerExpert);

/// Bytes of expert weights on one GPU, L P / R of them (all GPUs have the same). Throws Error
/// beyond 2^63.
std::int64_t gpuMemoryBytes(const Placement& placement, std::int64_t bytesPerExpert);

}  // namespace gatescope
