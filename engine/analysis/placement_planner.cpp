// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement_planner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/analysis/layer_planner.h"
#include "engine/error.h"

namespace gatescope {

namespace {

void checkOptions(const ExpertLoads& loads, const PlacementShape& shape,
                  const PlannerOptions& options) {
    if (options.nodeLimit && shape.groups % shape.nodes != 0) {
        throw Error(fmt::format("placement: {} groups cannot be shared evenly by {} nodes",
                                shape.groups, shape.nodes));
    }
    const int reach = options.nodeLimit ? loads.experts / shape.nodes : loads.experts;
    if (shape.slots / shape.gpus > reach) {
        throw Error(fmt::format("placement: {} slots on a GPU are more than the {} experts for it",
                                shape.slots / shape.gpus, reach));
    }
    for (const double value : {options.dispersion, options.drift}) {
        if (!(value >= 0) || !std::isfinite(value)) {
            throw Error(fmt::format("placement: {} is no measure of spread", value));
        }
    }
    if (!options.current) return;
    const Placement& current = options.current->placement;
    checkPlacement(current);
    if (current.layers != loads.layers || current.experts != loads.experts ||
        current.gpus != shape.gpus) {
        throw Error(fmt::format(
            "current placement: {} layers of {} experts on {} GPUs are not the {} of {} on {} "
            "to be planned",
            current.layers, current.experts, current.gpus, loads.layers, loads.experts,
            shape.gpus));
    }
    const double price = options.current->pricePerGiB;
    if (!(price >= 0) || !std::isfinite(price) || options.current->bytesPerExpert < 0) {
        throw Error(
            fmt::format("current placement: {} for each GiB of experts of {} bytes is no "
                        "price",
                        price, options.current->bytesPerExpert));
    }
}

/// Layers are handed out one by one; what a layer gets does not depend on who plans it, or when.
class PlanRun {
  public:
    PlanRun(const ExpertLoads& loads, const PlacementShape& shape, const PlannerOptions& options,
            Placement& out)
        : m_loads(loads), m_shape(shape), m_options(options), m_out(out) {}

    /// The caller's thread works too, and reports.
    void run() {
        const int available = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
        const int wanted = m_options.threads > 0 ? m_options.threads : available;
        {
            std::vector<std::jthread> threads;
            for (int i = 1; i < std::min(wanted, m_loads.layers); ++i) {
                threads.emplace_back([this] { work(false); });
            }
            work(true);
        }
        if (m_failure) std::rethrow_exception(m_failure);
        if (m_stop || m_options.stop.stop_requested() || !reported()) throw Cancelled();
    }

  private:
    bool reported() const {
        return !m_options.progress ||
               m_options.progress("planning", static_cast<std::uint64_t>(m_done),
                                  static_cast<std::uint64_t>(m_loads.layers));
    }
    void work(bool reporting) {
        try {
            while (!m_stop && !m_options.stop.stop_requested()) {
                const int layer = m_next++;
                if (layer >= m_loads.layers) break;
                plan(layer);
                ++m_done;
                if (reporting && !reported()) m_stop = true;
            }
        } catch (...) {
            const std::lock_guard lock(m_mutex);
            if (!m_failure) m_failure = std::current_exception();
            m_stop = true;
        }
    }
    void plan(int layer) {
        std::span<const std::int32_t> current;
        if (m_options.current) current = m_options.current->placement.row(layer);
        const LayerPlan plan = planLayer(m_loads.row(layer), m_shape, m_options, current,
                                         static_cast<std::uint64_t>(layer));
        std::transform(plan.begin(), plan.end(), m_out.row(layer).begin(),
                       [](std::uint32_t expert) { return static_cast<std::int32_t>(expert); });
    }

    const ExpertLoads& m_loads;
    const PlacementShape& m_shape;
    const PlannerOptions& m_options;
    Placement& m_out;
    std::atomic<int> m_next = 0;
    std::atomic<int> m_done = 0;
    std::atomic<bool> m_stop = false;
    std::mutex m_mutex;
    std::exception_ptr m_failure;
};

}  // namespace

Placement planPlacement(const ExpertLoads& loads, const PlacementShape& shape,
                        const PlannerOptions& options) {
    checkLoads(loads);
    checkShape(shape, loads.experts);
    checkOptions(loads, shape, options);
    Placement out{loads.layers, loads.experts, shape.slots, shape.gpus, shape.nodes, {}};
    out.physicalToLogical.resize(static_cast<std::size_t>(out.layers) *
                                 static_cast<std::size_t>(out.slots));
    PlanRun(loads, shape, options, out).run();
    return out;
}

}  // namespace gatescope
