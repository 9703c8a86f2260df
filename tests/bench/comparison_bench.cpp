// SPDX-License-Identifier: Apache-2.0
// Wall time of one comparison of two runs of synthetic routing, everything that is shown included.
//   comparison_bench [REPETITIONS [TOKENS [LAYERS EXPERTS K [PERMUTATIONS [THREADS]]]]]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "engine/analysis/comparison.h"

using namespace gatescope;

namespace {

RoutingShape shapeWith(int layers, int experts, int topK) {
    RoutingShape shape;
    for (int layer = 0; layer < layers; ++layer) shape.layers.push_back(layer + 3);
    shape.totalLayers = layers + 3;
    shape.mtpLayer = shape.totalLayers;
    shape.experts = experts;
    shape.topK = topK;
    return shape;
}

/// Uneven choices, a part of which every token takes over from the one before it.
class Traffic {
  public:
    Traffic(const RoutingShape& shape, unsigned seed) : m_shape(shape), m_random(seed) {}

    RoutedToken token(std::int32_t position, Phase phase, std::size_t rows) {
        RoutedToken out;
        out.position = position;
        out.phase = phase;
        std::vector<std::uint16_t>& last = phase == Phase::Draft ? m_lastDraft : m_last;
        const auto topK = static_cast<std::size_t>(m_shape.topK);
        last.resize(rows * topK, kNoExpert);
        for (std::size_t row = 0; row < rows; ++row) choose(last.data() + row * topK);
        out.routing.experts = last;
        out.routing.weights.assign(last.size(), 0.125F);
        out.routing.margins.assign(rows, 0.01F);
        out.routing.biasDecided.assign(rows, 0);
        return out;
    }

  private:
    void choose(std::uint16_t* slots) {
        std::exponential_distribution<double> skew(3.0 / m_shape.experts);
        std::bernoulli_distribution stays(0.4);
        for (int i = 0; i < m_shape.topK; ++i) {
            if (slots[i] != kNoExpert && stays(m_random)) continue;
            do {
                slots[i] =
                    static_cast<std::uint16_t>(static_cast<int>(skew(m_random)) % m_shape.experts);
            } while (std::count(slots, slots + m_shape.topK, slots[i]) > 1);
        }
    }

    RoutingShape m_shape;
    std::mt19937 m_random;
    std::vector<std::uint16_t> m_last;
    std::vector<std::uint16_t> m_lastDraft;
};

/// One answer: a quarter of its tokens are prompt.
ComparedRun runOf(const RoutingShape& shape, int tokens, unsigned seed) {
    Traffic traffic(shape, seed);
    ComparedRun run;
    run.label = seed == 1 ? "A" : "B";
    run.shape = shape;
    run.answers.emplace_back();
    for (std::int32_t i = 0; i < tokens; ++i) {
        StepTrace step;
        const Phase phase = i < tokens / 4 ? Phase::Prefill : Phase::Decode;
        step.tokens.push_back(traffic.token(i, phase, shape.layers.size()));
        step.mtp.push_back(traffic.token(i, Phase::Draft, 1));
        run.answers.back().steps.push_back(std::move(step));
    }
    return run;
}

double median(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    return samples[samples.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const auto argument = [&](int index, int otherwise) {
        return argc > index ? std::atoi(argv[index]) : otherwise;
    };
    const int repetitions = std::max(1, argument(1, 5));
    const int tokens = argument(2, 2000);
    const RoutingShape shape = shapeWith(argument(3, 58), argument(4, 256), argument(5, 8));
    ComparisonOptions options;
    options.permutations = argument(6, options.permutations);
    options.threads = argument(7, 0);
    const ComparedRun a = runOf(shape, tokens, 1);
    const ComparedRun b = runOf(shape, tokens, 2);
    std::vector<double> seconds;
    PairComparison last;
    for (int i = 0; i < repetitions; ++i) {
        const auto start = std::chrono::steady_clock::now();
        last = comparePair(a, b, options);
        seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::printf(
        "%d and %d tokens, %zu layers and the MTP layer, %d experts, top-%d, %d permutations "
        "(%lld for a self comparison): median %.3f s of %d (%.3f to %.3f)\n",
        tokens, tokens, shape.layers.size(), shape.experts, shape.topK, options.permutations,
        static_cast<long long>(last.selfSchemeA.permutations), median(seconds), repetitions,
        *std::min_element(seconds.begin(), seconds.end()),
        *std::max_element(seconds.begin(), seconds.end()));
    std::printf("%d and %d units, p of the first layer %.4f\n", last.scheme.unitsA,
                last.scheme.unitsB, last.layers.front().pValue);
    return 0;
}
