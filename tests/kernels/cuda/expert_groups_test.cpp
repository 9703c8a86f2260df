// SPDX-License-Identifier: Apache-2.0
#include <numeric>
#include <random>

#include "kernels/cuda/expert_groups.h"
#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

using Ids = std::vector<std::int32_t>;

struct Groups {
    Ids pairs, experts, starts, tiles;
};

// The definition, tile by tile.
Groups groupsOf(const Ids& ids, int experts, int tileRows) {
    Groups g;
    for (int e = 0; e < experts; ++e) {
        const auto start = static_cast<std::int32_t>(g.pairs.size());
        for (std::size_t p = 0; p < ids.size(); ++p)
            if (ids[p] == e) g.pairs.push_back(static_cast<std::int32_t>(p));
        const auto count = static_cast<std::int32_t>(g.pairs.size()) - start;
        if (count == 0) continue;
        for (int row = 0; tileRows > 0 && row < count; row += tileRows) {
            g.tiles.push_back(static_cast<std::int32_t>(g.experts.size()));
            g.tiles.push_back(row);
        }
        g.experts.push_back(e);
        g.starts.push_back(start);
    }
    g.starts.push_back(static_cast<std::int32_t>(g.pairs.size()));
    return g;
}

// `k` different experts for each of some tokens; with skew > 1 the low ones are chosen more often.
Ids randomIds(std::int64_t tokens, int k, int experts, double skew, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> uniform;
    Ids ids;
    for (std::int64_t t = 0; t < tokens; ++t) {
        std::vector<std::pair<double, int>> order;
        for (int e = 0; e < experts; ++e)
            order.emplace_back(uniform(random) * std::pow(e + 1, skew - 1), e);
        std::partial_sort(order.begin(), order.begin() + k, order.end());
        for (int j = 0; j < k; ++j) ids.push_back(order[static_cast<std::size_t>(j)].second);
    }
    return ids;
}

class CudaExpertGroups : public ::testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        device = std::make_unique<cuda::CudaDevice>(0, Precision::Exact);
        ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
    }
    void TearDown() override {
        if (stream) cudaStreamDestroy(stream);
    }

    Ids read(const std::int32_t* from, std::int64_t count) {
        Ids values(static_cast<std::size_t>(count));
        device->download(values.data(), from, values.size() * sizeof(std::int32_t));
        return values;
    }

    void expectGroups(const Ids& ids, int k, int experts, int tileRows) {
        SCOPED_TRACE(std::to_string(ids.size()) + " pairs, " + std::to_string(experts) +
                     " experts, tiles of " + std::to_string(tileRows));
        const auto pairs = static_cast<std::int64_t>(ids.size());
        const OnDevice<std::int32_t> deviceIds(*device, ids);
        DeviceBuffer<std::byte> memory(*device);
        memory.require(cuda::expertGroupBytes(pairs, experts, tileRows));
        device->synchronize();
        const Routing routing{nullptr, deviceIds.data(), nullptr, pairs / k, k};
        const auto g = cuda::groupByExpert(memory.data(), routing, experts, tileRows, stream);
        ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);

        const auto expected = groupsOf(ids, experts, tileRows);
        const auto count = read(g.count, 2);
        ASSERT_EQ(count[0], static_cast<std::int32_t>(expected.experts.size()));
        ASSERT_EQ(count[1], static_cast<std::int32_t>(expected.tiles.size() / 2));
        EXPECT_LE(count[0], g.maxGroups);
        EXPECT_LE(g.maxGroups, std::min<std::int64_t>(pairs, experts));
        EXPECT_LE(count[1], g.maxTiles);
        EXPECT_EQ(read(g.pairs, pairs), expected.pairs);
        EXPECT_EQ(read(g.experts, count[0]), expected.experts);
        EXPECT_EQ(read(g.starts, count[0] + 1), expected.starts);
        if (tileRows == 0) return;
        EXPECT_EQ(read(g.tiles, 2 * count[1]), expected.tiles);
    }

    std::unique_ptr<cuda::CudaDevice> device;
    cudaStream_t stream = nullptr;
};

TEST_F(CudaExpertGroups, OfADecodeStep) {
    forEachLaneOrder([&] {
        for (const int tokens : {1, 2, 5, 16})
            for (const auto& [k, experts] :
                 {std::pair{8, 256}, {4, 16}, {1, 1}, {6, 64}, {7, 7}, {32, 512}, {3, 33}})
                for (const int tileRows : {0, 1, 8})
                    expectGroups(randomIds(tokens, k, experts, 1, 1), k, experts, tileRows);
    });
}

// Around the number of pairs that one block sorts.
TEST_F(CudaExpertGroups, OfPasses) {
    forEachLaneOrder([&] {
        for (const int tokens : {127, 128, 129, 400})
            for (const double skew : {1.0, 2.5})
                for (const int tileRows : {0, 16, 64})
                    expectGroups(randomIds(tokens, 8, 64, skew, 2), 8, 64, tileRows);
        expectGroups(randomIds(513, 2, 160, 1, 3), 2, 160, 5);
    });
}

TEST_F(CudaExpertGroups, OfALargePass) {
    expectGroups(randomIds(4096, 8, 256, 1.5, 4), 8, 256, 64);
}

TEST_F(CudaExpertGroups, WhenEveryTokenChoosesTheSame) {
    for (const int tokens : {9, 1500}) {
        Ids ids;
        for (int t = 0; t < tokens; ++t) ids.insert(ids.end(), {200, 3, 255});
        expectGroups(ids, 3, 256, 32);
        expectGroups(Ids(static_cast<std::size_t>(tokens), 0), 1, 1, 7);
    }
}

TEST_F(CudaExpertGroups, WithTheMostPairsAndTiles) {
    Ids ids;
    for (int e = 0; e < 32; ++e) ids.push_back(16 * e);
    expectGroups(ids, 32, 512, 64);  // one pair to each group
    expectGroups(ids, 32, 512, 1);
}

TEST_F(CudaExpertGroups, OfMoreExpertsThanThreads) {
    expectGroups(randomIds(3, 20, 2500, 1, 5), 20, 2500, 2);
    expectGroups(randomIds(60, 30, 1100, 1, 6), 30, 1100, 4);
}

}  // namespace
}  // namespace gatescope::test
