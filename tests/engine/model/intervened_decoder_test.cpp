// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "engine/error.h"
#include "engine/model/router.h"
#include "kernels/cpu/choose_experts.h"
#include "kernels/forwarding_device.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

/// Ids, weights and scores of one layer, rows of its own k.
struct LayerChoices {
    int topK = 0;
    std::vector<std::int32_t> ids;
    std::vector<float> weights, scores;

    std::set<std::int32_t> row(std::size_t t) const {
        const auto k = static_cast<std::ptrdiff_t>(topK);
        const auto first = ids.begin() + static_cast<std::ptrdiff_t>(t) * k;
        return {first, first + k};
    }
    std::size_t tokens() const { return ids.size() / static_cast<std::size_t>(topK); }
};

class Choices final : public ForwardObserver {
  public:
    bool wantsRouting() const override { return true; }
    void onRouting(const LayerRouting& r) override {
        auto& layer = layers[r.layer];
        layer.topK = r.topK;
        layer.ids.insert(layer.ids.end(), r.ids, r.ids + r.tokens * r.topK);
        layer.weights.insert(layer.weights.end(), r.weights, r.weights + r.tokens * r.topK);
        layer.scores.insert(layer.scores.end(), r.scores, r.scores + r.tokens * r.experts);
    }
    std::map<int, LayerChoices> layers;
};

Choices run(GoldenModel& model, const Interventions& interventions) {
    model.decoder.setInterventions(interventions);
    Choices choices;
    allLogits(model.decoder, model.tokens("p150"), AttentionPath::Expanded, 64, &choices);
    return choices;
}

/// The same change in every MoE layer of the main model.
Interventions everywhere(const GoldenModel& model,
                         const std::function<void(LayerIntervention&)>& change) {
    Interventions all;
    for (const int layer : model.decoder.routingShape().layers) {
        LayerIntervention one{.layer = layer};
        change(one);
        all.layers.push_back(one);
    }
    return all;
}

int groupsOf(const RoutingShape& shape, const std::set<std::int32_t>& experts) {
    std::set<int> groups;
    for (const int e : experts) groups.insert(e / (shape.experts / shape.groups));
    return static_cast<int>(groups.size());
}

class IntervenedModel : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, IntervenedModel,
                         testing::Values("v3-mini", "v3-fp8", "v3-noqlora", "v2-lite"), modelLabel);

TEST_P(IntervenedModel, AnExpertThatIsOffIsNeverChosenAndAForcedOneAlways) {
    GoldenModel model(GetParam());
    const auto untouched = run(model, {});
    // Those the untouched model chooses most and least.
    const auto& first = untouched.layers.begin()->second;
    const auto count = [&](int e) { return std::count(first.ids.begin(), first.ids.end(), e); };
    int most = 0;
    int least = 0;
    for (int e = 1; e < model.decoder.routingShape().experts; ++e) {
        if (count(e) > count(most)) most = e;
        if (count(e) < count(least)) least = e;
    }
    ASSERT_GT(count(most), 0);
    ASSERT_LT(count(least), 150);
    const auto choices = run(model, everywhere(model, [&](LayerIntervention& layer) {
                                 layer.off = {most};
                                 layer.forced = {least};
                             }));
    for (const auto& [layer, got] : choices.layers) {
        ASSERT_EQ(got.tokens(), 150u);
        for (std::size_t t = 0; t < got.tokens(); ++t) {
            EXPECT_FALSE(got.row(t).contains(most)) << layer << " " << t;
            EXPECT_TRUE(got.row(t).contains(least)) << layer << " " << t;
            EXPECT_EQ(got.row(t).size(), static_cast<std::size_t>(got.topK));
            EXPECT_LE(groupsOf(model.decoder.routingShape(), got.row(t)),
                      model.decoder.routingShape().topkGroups);
        }
    }
}

// Weights come from s: worked out here from the reported scores of the chosen experts.
TEST_P(IntervenedModel, GateWeightsComeFromTheAffinitiesAlone) {
    GoldenModel model(GetParam());
    const auto params = routeParams(model.decoder.config());
    const auto experts = static_cast<std::size_t>(params.experts);
    const auto choices = run(model, everywhere(model, [&](LayerIntervention& layer) {
                                 layer.forced = {1};
                                 layer.off = {0};
                                 layer.bias.assign(experts, 11.25f);
                                 layer.bias[2] = 12.5f;
                             }));
    for (const auto& [layer, got] : choices.layers) {
        const auto k = static_cast<std::size_t>(got.topK);
        for (std::size_t t = 0; t < got.tokens(); ++t) {
            double sum = 0;
            for (std::size_t j = 0; j < k; ++j)
                sum += got.scores[t * experts + static_cast<std::size_t>(got.ids[t * k + j])];
            for (std::size_t j = 0; j < k; ++j) {
                const double s =
                    got.scores[t * experts + static_cast<std::size_t>(got.ids[t * k + j])];
                const double factor =
                    params.normTopkProb ? (params.scaleNormalised ? params.scalingFactor : 1) / sum
                                        : params.scalingFactor;
                EXPECT_NEAR(got.weights[t * k + j], s * factor, 1e-5) << layer << " " << t;
            }
        }
    }
}

TEST_P(IntervenedModel, EveryLayerChoosesAsManyAsItIsTold) {
    GoldenModel model(GetParam());
    const auto& shape = model.decoder.routingShape();
    Interventions mixed;
    int k = 1;
    for (const int layer : shape.layers) mixed.layers.push_back({.layer = layer, .topK = k++});
    mixed.layers.back().topK = shape.topK + 1;
    const auto choices = run(model, mixed);
    EXPECT_EQ(model.decoder.runShape().topK, shape.topK + 1);
    for (const auto& layer : mixed.layers) {
        const auto& got = choices.layers.at(layer.layer);
        EXPECT_EQ(got.topK, *layer.topK);
        EXPECT_EQ(got.ids.size(), 150u * static_cast<std::size_t>(*layer.topK));
        for (std::size_t t = 0; t < got.tokens(); ++t)
            EXPECT_EQ(got.row(t).size(), static_cast<std::size_t>(*layer.topK));
    }
}

TEST_P(IntervenedModel, ClearingGivesTheUntouchedModelBack) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p40");
    const auto before = allLogits(model.decoder, tokens, AttentionPath::Absorbed, 1);
    model.decoder.setInterventions(
        everywhere(model, [](LayerIntervention& layer) { layer.topK = 1; }));
    EXPECT_EQ(model.decoder.length(), 0) << "positions computed under other routing are gone";
    EXPECT_GT(maxDifference(before, allLogits(model.decoder, tokens, AttentionPath::Absorbed, 1)),
              1e-3f);
    model.decoder.setInterventions({});
    EXPECT_EQ(model.decoder.length(), 0);
    EXPECT_EQ(maxDifference(before, allLogits(model.decoder, tokens, AttentionPath::Absorbed, 1)),
              0);
}

TEST_P(IntervenedModel, AChosenRunDoesNotDependOnHowManyTokensShareAPass) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p40");
    model.decoder.setInterventions(everywhere(model, [](LayerIntervention& layer) {
        layer.off = {3};
        layer.forced = {5};
        layer.topK = 2;
    }));
    const auto one = allLogits(model.decoder, tokens, AttentionPath::Expanded, 1);
    for (const std::size_t step : {2u, 7u, 40u})
        EXPECT_EQ(
            maxDifference(one, allLogits(model.decoder, tokens, AttentionPath::Expanded, step)), 0);
}

class IntervenedBiasModel : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, IntervenedBiasModel,
                         testing::Values("v3-mini", "v3-fp8", "v3-noqlora"), modelLabel);

// A power of two keeps u exact to the bit for these biases: rounding could else part or join ties.
TEST_P(IntervenedBiasModel, AddingAConstantToAllBiasesChangesNothing) {
    GoldenModel model(GetParam());
    const auto tokens = model.tokens("p150");
    const auto before = allLogits(model.decoder, tokens, AttentionPath::Expanded, 64);
    Interventions shifted;
    for (const int layer : model.decoder.routingShape().layers) {
        LayerIntervention one{.layer = layer, .bias = model.decoder.weights().routerBias(layer)};
        for (auto& b : one.bias) b += 0.25f;
        shifted.layers.push_back(one);
    }
    model.decoder.setInterventions(shifted);
    EXPECT_EQ(maxDifference(before, allLogits(model.decoder, tokens, AttentionPath::Expanded, 64)),
              0);
}

TEST_P(IntervenedBiasModel, WithTheBiasOffTheFirstLayerChoosesByItsAffinities) {
    GoldenModel model(GetParam());
    const auto untouched = run(model, {});
    const auto off =
        run(model, everywhere(model, [](LayerIntervention& layer) { layer.biasOff = true; }));
    const auto& before = untouched.layers.begin()->second;
    const auto& after = off.layers.begin()->second;
    EXPECT_EQ(before.scores, after.scores) << "nothing has changed before the first router";
    const auto params = routeParams(model.decoder.config());
    ExpertChooser chooser(params);
    std::vector<std::int32_t> ids(static_cast<std::size_t>(params.topK));
    int moved = 0;
    for (std::size_t t = 0; t < after.tokens(); ++t) {
        chooser.choose(before.scores.data() + t * static_cast<std::size_t>(params.experts), nullptr,
                       params.topK, ids.data());
        EXPECT_EQ(after.row(t), std::set<std::int32_t>(ids.begin(), ids.end())) << t;
        moved += after.row(t) != before.row(t) ? 1 : 0;
    }
    EXPECT_GT(moved, 0);
}

TEST_P(IntervenedBiasModel, FewerKeptGroupsAreKept) {
    GoldenModel model(GetParam());
    const auto& shape = model.decoder.routingShape();
    const auto choices = run(model, everywhere(model, [&](LayerIntervention& layer) {
                                 layer.topkGroups = 1;
                                 layer.topK = std::min(shape.topK, shape.experts / shape.groups);
                             }));
    EXPECT_EQ(model.decoder.runShape().topkGroups, 1);
    for (const auto& [layer, got] : choices.layers)
        for (std::size_t t = 0; t < got.tokens(); ++t)
            EXPECT_EQ(groupsOf(shape, got.row(t)), 1) << layer << " " << t;
}

TEST_P(IntervenedBiasModel, AForcedExpertIsChosenEvenAloneInItsGroup) {
    GoldenModel model(GetParam());
    const auto& shape = model.decoder.routingShape();
    if (shape.topkGroups < 2) GTEST_SKIP() << "one group of experts, or one kept";
    const int size = shape.experts / shape.groups;
    const auto choices = run(model, everywhere(model, [&](LayerIntervention& layer) {
                                 layer.forced = {0};
                                 for (int e = 1; e < size; ++e) layer.off.push_back(e);
                                 layer.topK = 2;
                             }));
    for (const auto& [layer, got] : choices.layers)
        for (std::size_t t = 0; t < got.tokens(); ++t) {
            EXPECT_TRUE(got.row(t).contains(0)) << layer << " " << t;
            EXPECT_GE(*got.row(t).rbegin(), size) << "the other comes from another group";
        }
}

TEST(IntervenedDecoder, EqualInterventionsKeepTheCacheAndRefusedOnesChangeNothing) {
    GoldenModel model("v3-mini");
    const auto off = everywhere(model, [](LayerIntervention& layer) { layer.off = {1}; });
    model.decoder.setInterventions(off);
    model.decoder.forward(model.tokens("p7"), {});
    model.decoder.setInterventions(off);
    EXPECT_EQ(model.decoder.length(), 7);
    const auto bad = everywhere(model, [](LayerIntervention& layer) { layer.off = {999}; });
    EXPECT_THROW(model.decoder.setInterventions(bad), Error);
    EXPECT_EQ(model.decoder.interventions(), off);
    EXPECT_EQ(model.decoder.length(), 7);
    model.decoder.setInterventions({}, CacheAfter::Kept);
    EXPECT_EQ(model.decoder.length(), 7);
}

/// Notes the keys of the steps.
class KeyKeeper final : public ForwardingDevice {
  public:
    using ForwardingDevice::ForwardingDevice;
    void runStep(const StepKey& key, const std::function<void()>& operations) override {
        keys.push_back(key);
        ForwardingDevice::runStep(key, operations);
    }
    std::vector<StepKey> keys;
};

TEST(IntervenedDecoder, StepsUnderOtherInterventionsHaveOtherKeys) {
    Checkpoint checkpoint(goldenDir() / "ckpt" / "v3-mini");
    CpuDevice cpu(1);
    KeyKeeper device(cpu);
    Decoder decoder(checkpoint, device);
    const auto keyUnder = [&](const Interventions& interventions) {
        decoder.setInterventions(interventions);
        const std::int32_t token = 5;
        decoder.forward({&token, 1}, {AttentionPath::Absorbed, LogitsOf::Last, {}, nullptr, {}});
        decoder.truncate(0);
        return device.keys.back();
    };
    const auto untouched = keyUnder({});
    const auto off = keyUnder({{}, {{.layer = 2, .off = {1}}}});
    const auto other = keyUnder({{}, {{.layer = 2, .off = {2}}}});
    EXPECT_FALSE(off == untouched);
    EXPECT_FALSE(other == untouched);
    EXPECT_FALSE(other == off);
    EXPECT_TRUE(keyUnder({}) == untouched) << "its recordings stay good";
}

TEST(IntervenedDecoder, EverySetHasANumberOfItsOwnAndTheUntouchedModelNone) {
    GoldenModel model("v3-mini");
    EXPECT_EQ(model.decoder.runRouting().id(), 0u);
    std::set<std::uint64_t> ids{0};
    for (const int expert : {1, 2, 1}) {
        model.decoder.setInterventions(
            everywhere(model, [&](LayerIntervention& layer) { layer.off = {expert}; }));
        EXPECT_TRUE(ids.insert(model.decoder.runRouting().id()).second);
        model.decoder.setInterventions({});
        EXPECT_EQ(model.decoder.runRouting().id(), 0u);
    }
}

TEST(IntervenedDecoder, TheMtpLayerIsIntervenedOnByItsOwnIndex) {
    GoldenModel model("v3-mini");
    const int layer = model.decoder.config().mtpLayer();
    const auto tokens = model.tokens("p40");
    model.decoder.setInterventions({{}, {{.layer = layer, .off = {0, 1}, .topK = 3}}});
    EXPECT_EQ(model.decoder.runShape().topK, model.decoder.routingShape().topK);
    Choices choices;
    model.decoder.forward(tokens, {AttentionPath::Expanded, LogitsOf::None, {}, &choices, {}});
    model.decoder.mtp()->forward(model.decoder.states().slice(0, 39), std::span(tokens).subspan(1),
                                 {AttentionPath::Expanded, LogitsOf::None, {}, &choices, {}});
    EXPECT_EQ(choices.layers.at(1).ids, [&] {
        std::vector<std::int32_t> ids = model.array<std::int32_t>("p40.moe.1.ids");
        return ids;
    }()) << "the main model is as it was";
    const auto& got = choices.layers.at(layer);
    EXPECT_EQ(got.topK, 3);
    for (std::size_t t = 0; t < got.tokens(); ++t) EXPECT_GE(*got.row(t).begin(), 2);
}

}  // namespace
}  // namespace gatescope::test
