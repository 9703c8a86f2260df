// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/top_logits_cases.h"

#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {
namespace {

class CudaTopLogits : public ::testing::Test {
  protected:
    void SetUp() override {
        GATESCOPE_NEEDS_GPU();
        device = std::make_unique<cuda::CudaDevice>(0, Precision::Exact);
    }
    std::unique_ptr<cuda::CudaDevice> device;
};

TEST_F(CudaTopLogits, MatchTheDefinition) {
    testTopLogits(*device);
}

TEST_F(CudaTopLogits, InAnyLaneOrder) {
    forEachLaneOrder([&] {
        const auto logits = randomFloats(2 * 5000, 1);
        expectTopLogits(*device, logits, 5000, 7, 4000);
        expectTopLogits(*device, logits, 5000, 1, 5000);
    });
}

TEST_F(CudaTopLogits, TiesGoToTheLowerId) {
    testTopLogitsTies(*device);
}

TEST_F(CudaTopLogits, OfInfiniteOrUndefinedRowsAreValidIds) {
    testTopLogitsExtremes(*device);
}

TEST_F(CudaTopLogits, SumIsAccurateForALargeVocabulary) {
    testTopLogitsOfALargeVocabulary(*device);
}

TEST_F(CudaTopLogits, DoNotDependOnTheOtherRows) {
    testTopLogitsRowByRow(*device);
}

}  // namespace
}  // namespace gatescope::test
