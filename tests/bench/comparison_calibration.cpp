// SPDX-License-Identifier: Apache-2.0
// How often runs of one and the same synthetic traffic are called different at the 5 % level, by
// how long routing remembers and by the size of a block.
//   comparison_calibration [PAIRS [TOKENS]]
#include <cstdio>
#include <cstdlib>

#include "engine/analysis/permutation_test.h"
#include "tests/engine/analysis/comparison_traffic.h"

using namespace gatescope;

namespace {

double shareCalled(int pairs, int tokens, double stay, int blockTokens) {
    const RoutingShape shape = relationShape(1, 16, 2);
    int called = 0;
    for (int pair = 0; pair < pairs; ++pair) {
        const auto seed = static_cast<std::uint32_t>(2 * pair);
        const ComparedRun a = stickyRun(shape, seed + 1, 1, 0, tokens, stay);
        const ComparedRun b = stickyRun(shape, seed + 2, 1, 0, tokens, stay);
        const ComparisonUnits units =
            comparisonUnits(comparedTokens(a, b, {}), false, PermutedUnit::Block, blockTokens);
        const UnitLabels labels(units.sides.size(), units.labelGroups(), 1, 199);
        called += permutationTest(units, labels).pValue[0] <= 0.05 ? 1 : 0;
    }
    return static_cast<double>(called) / pairs;
}

}  // namespace

int main(int argc, char** argv) {
    const int pairs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1000;
    const int tokens = argc > 2 ? std::max(1, std::atoi(argv[2])) : 640;
    std::printf("%d pairs of %d and %d tokens, 199 permutations\n", pairs, tokens, tokens);
    std::printf("a token keeps its choice | block 1    16    32    64\n");
    for (const double stay : {0.0, 0.4, 0.7, 0.9}) {
        std::printf("%24.0f %% |", 100 * stay);
        for (const int block : {1, 16, 32, 64}) {
            std::printf("  %.3f", shareCalled(pairs, tokens, stay, block));
        }
        std::printf("\n");
    }
    return 0;
}
