// SPDX-License-Identifier: Apache-2.0
// Wall time of planning 61 layers of 256 experts in 288 slots on 32 GPUs of 4 nodes, and the
// balancedness of EPLB's plans and ours on held-out traffic of 20 synthetic matrices.
//   placement_bench [THREADS [WINDOWS [NODE_LIMIT]]]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "engine/analysis/eplb.h"
#include "engine/analysis/placement_planner.h"
#include "engine/analysis/rank_balance.h"
#include "tests/engine/analysis/placement_loads.h"

using namespace gatescope;

int main(int argc, char** argv) {
    const auto argument = [&](int index, int otherwise) {
        return argc > index ? std::atoi(argv[index]) : otherwise;
    };
    PlannerOptions options;
    options.threads = argument(1, 0);
    const int windows = std::max(1, argument(2, 16));
    options.nodeLimit = argument(3, 0) != 0;
    const PlacementShape shape{288, 32, 4, 8};
    std::vector<double> seconds;
    double gain = 0;
    for (int i = 0; i < kSyntheticMatrices; ++i) {
        const SyntheticLoads synthetic = syntheticLoads(i);
        std::mt19937_64 random(500U + static_cast<unsigned>(i));
        const ExpertLoads seen = sampledLoads(synthetic.expected, random);
        const Placement theirs = options.nodeLimit ? eplb(seen, shape) : eplbGlobal(seen, shape);
        const auto start = std::chrono::steady_clock::now();
        const Placement ours = planPlacement(seen, shape, options);
        seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        double a = 0;
        double b = 0;
        for (int w = 0; w < windows; ++w) {
            const ExpertLoads later = laterLoads(synthetic, random);
            a += vllmBalancedness(rankLoads(theirs, later)) / windows;
            b += vllmBalancedness(rankLoads(ours, later)) / windows;
        }
        std::printf("%-34s EPLB %.4f  ours %.4f  %+.4f  wasted slots %lld and %lld  %.2f s\n",
                    synthetic.name.c_str(), a, b, b - a,
                    static_cast<long long>(wastedSlots(theirs)),
                    static_cast<long long>(wastedSlots(ours)), seconds.back());
        gain += (b - a) / kSyntheticMatrices;
    }
    std::sort(seconds.begin(), seconds.end());
    std::printf("mean %+.5f; planning: median %.2f s (%.2f to %.2f)\n", gain,
                seconds[seconds.size() / 2], seconds.front(), seconds.back());
    return 0;
}
