// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/checkpoint/checkpoint.h"
#include "engine/model/decoder.h"
#include "engine/verify/golden_deviations.h"
#include "engine/verify/model_checks.h"
#include "tests/engine/verify/rounding_device.h"

namespace gatescope {
namespace {

using test::RoundingDevice;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

const std::filesystem::path golden = GATESCOPE_GOLDEN_DIR;

/// Runs a golden model on a device and holds it to a class of tolerances.
std::vector<Check> run(const std::string& name, Device& device, Tolerance tolerance) {
    const Checkpoint checkpoint(golden / "ckpt" / name);
    Decoder decoder(checkpoint, device);
    const GoldenModel model(golden / "golden" / name);
    std::vector<Check> checks;
    checkArrays(decoder, model, tolerance,
                [&checks](const Check& check) { checks.push_back(check); });
    return checks;
}

std::vector<std::string> failed(const std::vector<Check>& checks) {
    std::vector<std::string> names;
    for (const Check& check : checks) {
        if (!check.passed) names.push_back(check.subject + ": " + check.quantity);
    }
    return names;
}

class ToleranceClassesTest : public testing::TestWithParam<const char*> {
  protected:
    CpuDevice m_cpu{2};
};

TEST_P(ToleranceClassesTest, ExactResultsPassEveryClass) {
    for (const Tolerance tolerance :
         {Tolerance::Bf16Cache, Tolerance::Bf16Activations, Tolerance::F8Cache}) {
        const auto checks = run(GetParam(), m_cpu, tolerance);
        EXPECT_GE(checks.size(), 8u);
        EXPECT_THAT(failed(checks), IsEmpty());
        for (const Check& check : checks) EXPECT_EQ(check.tolerance, name(tolerance));
    }
}

TEST_P(ToleranceClassesTest, RoundedArithmeticPassesItsClassAndNotFloat32) {
    RoundingDevice bf16Cache(m_cpu, CacheType::BF16, false);
    RoundingDevice bf16(m_cpu, CacheType::BF16, true);
    RoundingDevice f8Cache(m_cpu, CacheType::F8, true);
    EXPECT_THAT(failed(run(GetParam(), bf16Cache, Tolerance::Bf16Cache)), IsEmpty());
    EXPECT_THAT(failed(run(GetParam(), bf16, Tolerance::Bf16Activations)), IsEmpty());
    EXPECT_THAT(failed(run(GetParam(), f8Cache, Tolerance::F8Cache)), IsEmpty());
    EXPECT_THAT(failed(run(GetParam(), bf16Cache, Tolerance::Float32)),
                Contains(std::string(GetParam()) + " absorbed: latent cache max"));
}

/// Attention with a wrong softmax scale, as without YaRN's mscale.
class WrongScaleDevice final : public ForwardingDevice {
  public:
    using ForwardingDevice::ForwardingDevice;
    void absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override {
        m_device.absorbedAttention(out, q, kvB, cache, position, wrong(shape));
    }
    void expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB, LatentCacheView cache,
                           const StepPosition& position, const AttentionShape& shape) override {
        m_device.expandedAttention(out, q, kvB, cache, position, wrong(shape));
    }

  private:
    static AttentionShape wrong(AttentionShape shape) {
        shape.scale *= 0.5F;
        return shape;
    }
};

TEST_P(ToleranceClassesTest, WrongSemanticsFailEvenTheWidestClass) {
    WrongScaleDevice device(m_cpu);
    const std::string model = GetParam();
    EXPECT_THAT(failed(run(model, device, Tolerance::F8Cache)),
                IsSupersetOf({model + " expanded: early states, relative",
                              model + " absorbed: early states, relative"}));
}

TEST(ToleranceClassTest, EveryReducedCheckCanFail) {
    CpuDevice cpu(2);
    WrongScaleDevice device(cpu);
    for (const Tolerance tolerance :
         {Tolerance::Bf16Cache, Tolerance::Bf16Activations, Tolerance::F8Cache}) {
        const auto checks = run("v3-mini", device, tolerance);
        EXPECT_EQ(failed(checks).size(), checks.size()) << name(tolerance);
    }
}

TEST(ToleranceClassTest, CacheOfALesserTypeFails) {
    CpuDevice cpu(2);
    RoundingDevice f8Cache(cpu, CacheType::F8, false);
    EXPECT_THAT(failed(run("v2-lite", f8Cache, Tolerance::Bf16Activations)),
                IsSupersetOf({"v2-lite expanded: early cache, relative",
                              "v2-lite absorbed: early cache, relative"}));
}

TEST(ToleranceClassTest, DevicesAndCachesHaveTheirClass) {
    EXPECT_EQ(toleranceOf(Precision::Exact, CacheType::F32), Tolerance::Float32);
    EXPECT_EQ(toleranceOf(Precision::Exact, CacheType::BF16), Tolerance::Bf16Cache);
    EXPECT_EQ(toleranceOf(Precision::Fast, CacheType::F32), Tolerance::Bf16Activations);
    EXPECT_EQ(toleranceOf(Precision::Fast, CacheType::BF16), Tolerance::Bf16Activations);
    EXPECT_EQ(toleranceOf(Precision::Exact, CacheType::F8), Tolerance::F8Cache);
    EXPECT_EQ(toleranceOf(Precision::Fast, CacheType::F8), Tolerance::F8Cache);
}

/// Names a wrong token where two positions share a pass, or in every seventh pass: a text then
/// depends on what it must not depend on.
class UnsteadyDevice final : public ForwardingDevice {
  public:
    enum class Fault { PairsDiffer, RunsDiffer };
    UnsteadyDevice(Device& cpu, Fault fault) : ForwardingDevice(cpu), m_fault(fault) {}

    void topLogits(TopLogits top, ConstMatrix logits) override {
        m_device.topLogits(top, logits);
        const bool wrong = m_fault == Fault::PairsDiffer ? logits.rows == 2 : ++m_passes % 7 == 0;
        if (wrong) top.ids[0] = (top.ids[0] + 1) % static_cast<std::int32_t>(top.limit);
    }

  private:
    Fault m_fault;
    int m_passes = 0;
};

std::vector<Check> ownText(Device& device) {
    const Checkpoint checkpoint(golden / "ckpt/v3-mini");
    Decoder decoder(checkpoint, device);
    std::vector<Check> checks;
    checkOwnText(decoder, GoldenModel(golden / "golden/v3-mini"),
                 [&checks](const Check& check) { checks.push_back(check); });
    return checks;
}

TEST(ToleranceClassTest, TextThatDependsOnDraftsOrOnTheRunFails) {
    CpuDevice cpu(2);
    const auto checks = ownText(cpu);
    EXPECT_EQ(checks.size(), 2u);
    EXPECT_THAT(failed(checks), IsEmpty());
    UnsteadyDevice pairs(cpu, UnsteadyDevice::Fault::PairsDiffer);
    EXPECT_THAT(failed(ownText(pairs)), ElementsAre("v3-mini: greedy, drafts on, off"));
    UnsteadyDevice runs(cpu, UnsteadyDevice::Fault::RunsDiffer);
    EXPECT_THAT(failed(ownText(runs)), Contains("v3-mini: greedy, recorder on, off"));
}

INSTANTIATE_TEST_SUITE_P(GoldenModels, ToleranceClassesTest,
                         testing::Values("v3-mini", "v3-fp8", "v3-noqlora", "v2-lite"),
                         [](const auto& test) {
                             std::string text = test.param;
                             std::replace(text.begin(), text.end(), '-', '_');
                             return text;
                         });

}  // namespace
}  // namespace gatescope
