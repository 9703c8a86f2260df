// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/app/cli/run_program.h"

namespace gatescope::cli {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

const std::string demo = GATESCOPE_DEMO_MODEL_DIR;

std::set<std::string> operationNames(const Json& pass) {
    std::set<std::string> names;
    for (const Json& operation : pass.at("operations")) names.insert(operation.at("operation"));
    return names;
}

TEST(BenchLimits, SpeedsStandBesideWhatTheDeviceCanDo) {
    const Outcome run = runCli({"bench", demo, "--prompt-tokens", "16", "--gen-tokens", "4",
                                "--depth", "5", "--repetitions", "1", "--operations", "--json"});
    ASSERT_EQ(run.exitCode, 0) << run.err;
    const Json result = Json::parse(run.out);
    EXPECT_EQ(result.at("precision"), "exact");
    EXPECT_EQ(result.at("cache_type"), "F32");

    const Json& limits = result.at("limits");
    EXPECT_EQ(limits.at("context_rows"), 5 + 16 + 2);
    // 6 layers of 64 + 32 float32 values a row.
    EXPECT_EQ(limits.at("decode_bytes").at("cache"), 23 * 6 * 96 * 4);
    const double bytes = limits.at("decode_bytes").at("total");
    const double speed = result.at("recorder_off").at("decode_tokens_per_second");
    const double copied = limits.at("copy_bytes_per_second");
    EXPECT_NEAR(limits.at("decode_share_of_memory_limit"), bytes * speed / copied, 1e-9);
    EXPECT_GT(limits.at("prefill_share_of_dense_rate"), 0);

    const Json& operations = result.at("operations");
    EXPECT_EQ(operations.at("prefill").at("tokens"), 16);
    EXPECT_EQ(operations.at("decode").at("context_rows"), 5 + 16 + 1);
    EXPECT_GT(operations.at("latent_attention").at("seconds"), 0);
    EXPECT_TRUE(operationNames(operations.at("decode")).contains("absorbedAttention"));
    EXPECT_FALSE(operationNames(operations.at("decode")).contains("expandedAttention"));
    EXPECT_TRUE(operationNames(operations.at("prefill")).contains("expandedAttention"));
}

TEST(BenchLimits, TextNamesDevicePrecisionAndCache) {
    const Outcome run = runCli({"bench", demo, "--prompt-tokens", "4", "--gen-tokens", "1",
                                "--repetitions", "1", "--operations"});
    ASSERT_EQ(run.exitCode, 0) << run.err;
    EXPECT_THAT(run.out, HasSubstr("precision exact, latent cache F32"));
    EXPECT_THAT(run.out, HasSubstr("One decode step at 5 positions"));
    EXPECT_THAT(run.out, HasSubstr("absorbedAttention"));
}

}  // namespace
}  // namespace gatescope::cli
