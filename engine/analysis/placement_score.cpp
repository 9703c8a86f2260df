// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/placement_score.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "engine/analysis/rank_balance.h"
#include "engine/analysis/split_random.h"
#include "engine/error.h"

namespace gatescope {

namespace {

void checkOptions(std::size_t blocks, const ScoreOptions& options) {
    if (blocks == 0) throw Error("placement score: there is no traffic to score on");
    if (options.draws < 1 || !(options.level > 0 && options.level < 1)) {
        throw Error(fmt::format("placement score: {} draws give no interval of level {}",
                                options.draws, options.level));
    }
}

/// GPU loads are sums over blocks: a draw needs only how often each block is in it.
class BlockLoads {
  public:
    BlockLoads(const Placement& placement, std::span<const ExpertLoads> blocks) {
        for (const ExpertLoads& block : blocks) m_blocks.push_back(rankLoads(placement, block));
    }

    double balancedness(const std::vector<std::uint32_t>& times) const {
        RankLoads sum = m_blocks.front();
        std::fill(sum.values.begin(), sum.values.end(), 0);
        for (std::size_t block = 0; block < m_blocks.size(); ++block) {
            if (times[block] == 0) continue;
            const double weight = times[block];
            const std::vector<double>& values = m_blocks[block].values;
            for (std::size_t i = 0; i < values.size(); ++i) sum.values[i] += weight * values[i];
        }
        return vllmBalancedness(sum);
    }

  private:
    std::vector<RankLoads> m_blocks;
};

double quantile(const std::vector<double>& sorted, double part) {
    const double at = part * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

/// `statistic`: of how often each block is counted.
BootstrapInterval bootstrapped(
    std::size_t blocks, const ScoreOptions& options,
    const std::function<double(const std::vector<std::uint32_t>&)>& statistic) {
    std::vector<std::uint32_t> times(blocks, 1);
    const double value = statistic(times);
    if (std::isnan(value)) return {value, value, value};
    std::vector<double> draws;
    for (int draw = 0; draw < options.draws; ++draw) {
        SplitRandom random(options.seed, static_cast<std::uint64_t>(draw));
        std::fill(times.begin(), times.end(), 0);
        for (std::size_t i = 0; i < blocks; ++i) {
            ++times[random.below(static_cast<std::uint32_t>(blocks))];
        }
        const double drawn = statistic(times);
        if (!std::isnan(drawn)) draws.push_back(drawn);  // NaN: only idle blocks were drawn
    }
    if (draws.empty()) return {value, value, value};
    const double mean =
        std::accumulate(draws.begin(), draws.end(), 0.0) / static_cast<double>(draws.size());
    std::sort(draws.begin(), draws.end());
    const double tail = (1 - options.level) / 2;
    return {value, value + quantile(draws, tail) - mean, value + quantile(draws, 1 - tail) - mean};
}

}  // namespace

BootstrapInterval scorePlacement(const Placement& placement, std::span<const ExpertLoads> blocks,
                                 const ScoreOptions& options) {
    checkOptions(blocks.size(), options);
    const BlockLoads loads(placement, blocks);
    BootstrapInterval out = bootstrapped(
        blocks.size(), options, [&](const auto& times) { return loads.balancedness(times); });
    out.high = std::min(out.high, 1.0);  // nothing is more even than even
    return out;
}

BootstrapInterval scoreDifference(const Placement& a, const Placement& b,
                                  std::span<const ExpertLoads> blocks,
                                  const ScoreOptions& options) {
    checkOptions(blocks.size(), options);
    const BlockLoads loadsA(a, blocks);
    const BlockLoads loadsB(b, blocks);
    return bootstrapped(blocks.size(), options, [&](const auto& times) {
        return loadsA.balancedness(times) - loadsB.balancedness(times);
    });
}

ExpertLoads summedLoads(std::span<const ExpertLoads> blocks) {
    if (blocks.empty()) throw Error("expert loads: there are no blocks to sum");
    ExpertLoads sum = blocks.front();
    for (const ExpertLoads& block : blocks) {
        checkLoads(block);
        if (block.layers != sum.layers || block.experts != sum.experts) {
            throw Error(
                fmt::format("expert loads: a block has {} layers of {} experts, the first "
                            "has {} of {}",
                            block.layers, block.experts, sum.layers, sum.experts));
        }
    }
    for (const ExpertLoads& block : blocks.subspan(1)) {
        for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += block.values[i];
    }
    return sum;
}

SplitScore splitScore(std::span<const ExpertLoads> blocks, TrafficSplit split,
                      const std::function<Placement(const ExpertLoads&)>& plan,
                      const ScoreOptions& options) {
    if (blocks.size() < 2) {
        throw Error(fmt::format("placement score: {} blocks cannot be halved", blocks.size()));
    }
    std::vector<ExpertLoads> planned;
    std::vector<ExpertLoads> heldOut;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const bool first = split == TrafficSplit::Alternate ? i % 2 == 0 : i < blocks.size() / 2;
        (first ? planned : heldOut).push_back(blocks[i]);
    }
    const ExpertLoads seen = summedLoads(planned);
    SplitScore out;
    out.placement = plan(seen);
    out.planned = vllmBalancedness(rankLoads(out.placement, seen));
    out.heldOut = scorePlacement(out.placement, heldOut, options);
    return out;
}

}  // namespace gatescope
