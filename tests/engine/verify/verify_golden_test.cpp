// SPDX-License-Identifier: Apache-2.0
#include "engine/verify/verify_golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "engine/checkpoint/safetensors.h"
#include "engine/checkpoint/safetensors_writer.h"
#include "engine/error.h"

namespace gatescope {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path golden = GATESCOPE_GOLDEN_DIR;

Json readJson(const fs::path& file) {
    return Json::parse(std::ifstream(file));
}

/// A golden folder to be damaged: one checkpoint and what a test puts beside it.
class VerifyGoldenTest : public testing::Test {
  protected:
    VerifyGoldenTest() {
        std::string pattern = fs::temp_directory_path() / "gatescope-XXXXXX";
        m_dir = mkdtemp(pattern.data());
    }
    ~VerifyGoldenTest() override { fs::remove_all(m_dir); }

    void addModel(const std::string& name, const std::string& as) {
        fs::create_directories(m_dir / "ckpt");
        fs::create_directories(m_dir / "golden" / as);
        fs::create_directory_symlink(golden / "ckpt" / name, m_dir / "ckpt" / as);
    }
    void writeJson(const fs::path& file, const Json& json) const {
        std::ofstream(m_dir / file) << json;
    }

    std::vector<Check> run() const {
        std::vector<Check> checks;
        LoadOptions options;
        options.device.threads = 2;
        verifyGolden(m_dir, options, [&checks](const Check& check) { checks.push_back(check); });
        return checks;
    }
    static std::vector<std::string> failed(const std::vector<Check>& checks) {
        std::vector<std::string> names;
        for (const Check& check : checks) {
            if (!check.passed) names.push_back(check.subject + ": " + check.quantity);
        }
        return names;
    }

    fs::path m_dir;
};

/// Copies arrays of a golden file, prompts renamed; `change` may alter the values.
void copyArrays(const fs::path& from, const fs::path& to, const std::string& prompt,
                const std::string& as,
                const std::function<void(const std::string&, std::vector<float>&)>& change) {
    const SafetensorsFile file(from);
    SafetensorsWriter writer(to);
    const auto newName = [&](const TensorView& tensor) {
        return as + tensor.name.substr(prompt.size());
    };
    std::vector<const TensorView*> chosen;
    for (const TensorView& tensor : file.tensors()) {
        if (tensor.name.starts_with(prompt + ".")) chosen.push_back(&tensor);
    }
    for (const TensorView* tensor : chosen) {
        writer.declare(newName(*tensor), tensor->dtype, tensor->shape);
    }
    for (const TensorView* tensor : chosen) {
        if (tensor->dtype == "I32") {
            std::vector<std::int32_t> values(tensor->bytes.size() / 4);
            std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
            writer.append(newName(*tensor), values);
        } else {
            std::vector<float> values(tensor->bytes.size() / 4);
            std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
            change(tensor->name, values);
            writer.append(newName(*tensor), values);
        }
    }
    writer.finish();
}

TEST_F(VerifyGoldenTest, OtherNamesAndPartsOfTheDataWork) {
    addModel("v3-mini", "another");
    copyArrays(golden / "golden/v3-mini/golden.safetensors",
               m_dir / "golden/another/golden.safetensors", "p7", "first prompt",
               [](const std::string&, std::vector<float>&) {});
    const auto checks = run();
    EXPECT_THAT(failed(checks), testing::IsEmpty());
    EXPECT_TRUE(std::any_of(checks.begin(), checks.end(), [](const Check& check) {
        return check.subject == "another absorbed" && check.quantity == "MTP latent cache max";
    }));
}

TEST_F(VerifyGoldenTest, ValuesBeyondTheLimitFail) {
    addModel("v3-mini", "v3-mini");
    const auto damage = [](const std::string& name, std::vector<float>& values) {
        if (name == "p7.logits") values.at(5) += 2e-4F;
        if (name == "p7.cache.2.kpe") values.at(3) += 1e-4F;
        if (name == "p7.mtp.moe.weights") values.at(1) = std::nanf("");
    };
    copyArrays(golden / "golden/v3-mini/golden.safetensors",
               m_dir / "golden/v3-mini/golden.safetensors", "p7", "p7", damage);
    EXPECT_THAT(
        failed(run()),
        testing::UnorderedElementsAre(
            "v3-mini expanded: logits max", "v3-mini expanded: latent cache max",
            "v3-mini expanded: MTP gate weights max", "v3-mini absorbed: logits max",
            "v3-mini absorbed: latent cache max", "v3-mini absorbed: MTP gate weights max"));
}

TEST_F(VerifyGoldenTest, WrongTokensDraftsAndCountsFail) {
    addModel("v3-fp8", "v3-fp8");
    Json json = readJson(golden / "golden/v3-fp8/golden.json");
    json["prompts"].erase("p1");
    json["prompts"].erase("p40");
    json["prompts"].erase("p150");
    writeJson("golden/v3-fp8/golden.json", json);
    EXPECT_THAT(failed(run()), testing::IsEmpty());

    Json& prompt = json["prompts"]["p7"];
    prompt["speculative"]["steps"][0]["accepted"] =
        !prompt["speculative"]["steps"][0]["accepted"].get<bool>();
    prompt["speculative"]["main_forwards_incl_prefill"] = 1;
    prompt["greedy"][23] = (prompt["greedy"][23].get<int>() + 1) % 200;
    writeJson("golden/v3-fp8/golden.json", json);
    const auto names = failed(run());
    EXPECT_THAT(names, testing::IsSupersetOf({"v3-fp8: drafts and acceptance",
                                              "v3-fp8: forward and draft counts", "v3-fp8: greedy",
                                              "v3-fp8: greedy with MTP drafts",
                                              "v3-fp8 expanded: greedy, forced"}));
}

TEST_F(VerifyGoldenTest, RoutingCasesAloneAreEnough) {
    Json json = readJson(golden / "routing_cases.json");
    writeJson("routing_cases.json", json);
    EXPECT_THAT(failed(run()), testing::IsEmpty());
    std::swap(json["cases"][0]["ids"][0][0], json["cases"][0]["ids"][0][1]);
    writeJson("routing_cases.json", json);
    EXPECT_THAT(failed(run()), testing::ElementsAre("routing case v3-256: expert ids"));
}

TEST_F(VerifyGoldenTest, NothingToCompareIsAnError) {
    EXPECT_THROW(run(), Error);
    fs::create_directories(m_dir / "golden/absent");
    EXPECT_THROW(run(), Error);  // no such checkpoint
}

TEST_F(VerifyGoldenTest, DamagedFilesAreErrors) {
    writeJson("routing_cases.json", {{"cases", {{{"name", "x"}}}}});
    EXPECT_THROW(run(), Error);
    std::ofstream(m_dir / "routing_cases.json") << "{";
    EXPECT_THROW(run(), Error);
}

}  // namespace
}  // namespace gatescope
