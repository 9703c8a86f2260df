// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "engine/decode/generator.h"
#include "kernels/cuda/cuda_device.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

struct Ignore final : GenerationSink {};

std::shared_ptr<const Interventions> everywhere(const Decoder& decoder,
                                                const LayerIntervention& change) {
    auto all = std::make_shared<Interventions>();
    auto layers = decoder.routingShape().layers;
    layers.push_back(decoder.routingShape().mtpLayer);
    for (const int layer : layers) {
        all->layers.push_back(change);
        all->layers.back().layer = layer;
    }
    return all;
}

// A step recorded under one set of interventions must never be repeated under another, nor the
// untouched model's under any.
TEST(RecordedSteps, AreThoseOfTheInterventionsTheyRanUnder) {
    GoldenModel cpu("v3-mini");
    cuda::CudaDevice device(0, Precision::Exact);
    Decoder decoder(cpu.checkpoint, device);
    const auto prompt = cpu.tokens("p7");
    GenerationParams params;
    params.maxNewTokens = 7;
    const auto expectSame = [&](std::shared_ptr<const Interventions> interventions,
                                Speculate speculate) {
        params.interventions = std::move(interventions);
        params.speculate = speculate;
        Ignore sink;
        const auto before = device.replays();
        cpu.decoder.truncate(0);
        decoder.truncate(0);
        const auto want = generate(cpu.decoder, nullptr, prompt, params, sink);
        const auto got = generate(decoder, nullptr, prompt, params, sink);
        EXPECT_EQ(got.ids, want.ids);
        EXPECT_EQ(got.speculation.accepted, want.speculation.accepted);
        EXPECT_GT(device.replays(), before) << "nothing was recorded";
        return got.ids;
    };
    const auto fewer = everywhere(decoder, {.off = {1, 2}, .topK = 2});
    const auto more = everywhere(decoder, {.forced = {3}, .topK = 6, .biasOff = true});
    for (const auto speculate : {Speculate::Off, Speculate::Mtp}) {
        const auto untouched = expectSame(nullptr, speculate);
        EXPECT_NE(expectSame(fewer, speculate), untouched);
        EXPECT_NE(expectSame(more, speculate), untouched);
        EXPECT_EQ(expectSame(nullptr, speculate), untouched);
    }
}

}  // namespace
}  // namespace gatescope::test
