// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "engine/checkpoint/weight_binding.h"
#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::errorOf;
using testing::HasSubstr;
using testing::StartsWith;

const char* const firstShard = "model-00001-of-00002.safetensors";
const char* const secondShard = "model-00002-of-00002.safetensors";
const char* const indexFile = "model.safetensors.index.json";

class CheckpointFolder : public testing::Test {
  protected:
    void SetUp() override { copy("config.json"); }
    void copy(const std::string& name) { fs::copy(m_golden / name, m_folder / name); }
    /// The golden model in two shards; every second tensor in the second.
    void writeShards() {
        int count = 0;
        test::writeShards(m_folder.path(), test::rawTensors(m_golden / "model.safetensors"),
                          [&](const std::string&) { return count++ % 2 == 1; });
    }
    void changeIndex(const std::function<void(json& index)>& change) {
        json index = test::fileJson(m_folder / indexFile);
        change(index);
        test::writeFile(m_folder / indexFile, index.dump());
    }
    std::string refusal() {
        return errorOf([&] { const Checkpoint checkpoint(m_folder.path()); });
    }

    fs::path m_golden = test::badDir() / "ok-nano";
    test::TestFolder m_folder;
};

TEST(Checkpoint, opensAndValidatesEveryGoodModel) {
    for (const fs::path& dir :
         {test::goldenDir() / "ckpt" / "v3-mini", test::goldenDir() / "ckpt" / "v3-fp8",
          test::goldenDir() / "ckpt" / "v3-noqlora", test::goldenDir() / "ckpt" / "v2-lite",
          test::badDir() / "ok-nano", test::badDir() / "ok-nano-fp8",
          test::badDir() / "ok-nano-sharded", fs::path(GATESCOPE_DEMO_MODEL_DIR)}) {
        const Checkpoint checkpoint(dir);
        EXPECT_NO_THROW(validateWeights(checkpoint)) << dir;
        EXPECT_FALSE(findNonFinite(checkpoint)) << dir;
        EXPECT_GT(checkpoint.weightBytes(), 0U);
        EXPECT_EQ(checkpoint.tensors().size(), checkpoint.tensorCount());
        EXPECT_EQ(checkpoint.configJson(), test::fileText(dir / "config.json"));
    }
}

TEST_F(CheckpointFolder, findsTensorsByName) {
    copy("model.safetensors");
    const Checkpoint checkpoint(m_folder.path());
    EXPECT_EQ(checkpoint.describe(), "model.safetensors");
    EXPECT_EQ(checkpoint.dir(), m_folder.path());
    ASSERT_NE(checkpoint.find("lm_head.weight"), nullptr);
    EXPECT_EQ(checkpoint.find("lm_head.weight")->file, "model.safetensors");
    EXPECT_EQ(checkpoint.find("lm_head"), nullptr);
    std::uint64_t sum = 0;
    for (const TensorView* tensor : checkpoint.tensors()) sum += tensor->bytes.size();
    EXPECT_EQ(checkpoint.weightBytes(), sum);
}

TEST_F(CheckpointFolder, shardsHoldTheSameModel) {
    writeShards();
    const Checkpoint sharded(m_folder.path());
    const Checkpoint single(m_golden);
    EXPECT_EQ(sharded.describe(), indexFile);
    EXPECT_EQ(sharded.tensorCount(), single.tensorCount());
    EXPECT_EQ(sharded.fingerprint(), single.fingerprint());
    EXPECT_NO_THROW(validateWeights(sharded));
}

TEST_F(CheckpointFolder, fingerprintSeesEveryPartItCovers) {
    auto tensors = test::rawTensors(m_golden / "model.safetensors");
    const auto fingerprint = [&] {
        test::writeFile(m_folder / "model.safetensors", test::safetensorsText(tensors));
        return Checkpoint(m_folder.path()).fingerprint();
    };
    const std::string original = fingerprint();
    EXPECT_THAT(original, testing::MatchesRegex("[0-9a-f]{16}"));
    EXPECT_EQ(fingerprint(), original);
    EXPECT_EQ(Checkpoint(m_golden).fingerprint(), original);

    tensors.back().bytes.back() ^= 1;
    EXPECT_NE(fingerprint(), original);
    tensors.back().bytes.back() ^= 1;
    tensors.front().bytes.front() ^= 1;
    EXPECT_NE(fingerprint(), original);
    tensors.front().bytes.front() ^= 1;
    tensors.front().name += "x";
    EXPECT_NE(fingerprint(), original);
    tensors.front().name.pop_back();
    EXPECT_EQ(fingerprint(), original);
    test::writeFile(m_folder / "config.json", test::fileText(m_folder / "config.json") + " ");
    EXPECT_NE(fingerprint(), original);
}

TEST_F(CheckpointFolder, fingerprintSamplesBothEndsOfALongTensor) {
    const auto fingerprint = [&](std::size_t changed) {
        std::string bytes(10'000, 'x');
        bytes[changed] = 'y';
        test::writeFile(m_folder / "model.safetensors",
                        test::safetensorsText({{"long", "U8", {10'000}, bytes}}));
        return Checkpoint(m_folder.path()).fingerprint();
    };
    const std::string middle = fingerprint(5000);
    EXPECT_EQ(fingerprint(5001), middle) << "cheap: the middle is not read";
    EXPECT_NE(fingerprint(4095), middle);
    EXPECT_NE(fingerprint(10'000 - 4096), middle);
    EXPECT_NE(fingerprint(9999), middle);
}

TEST_F(CheckpointFolder, symlinkedFilesAreFine) {
    writeShards();
    const test::TestFolder elsewhere;
    for (const char* name : {firstShard, secondShard, indexFile, "config.json"}) {
        fs::rename(m_folder / name, elsewhere / name);
        fs::create_symlink(elsewhere / name, m_folder / name);
    }
    EXPECT_NO_THROW(validateWeights(Checkpoint(m_folder.path())));
    fs::remove(elsewhere / secondShard);
    EXPECT_THAT(refusal(), HasSubstr(secondShard));
}

TEST_F(CheckpointFolder, refusesPipesAndFoldersWithoutWaiting) {
    ASSERT_EQ(::mkfifo((m_folder / "model.safetensors").c_str(), 0600), 0);
    EXPECT_THAT(refusal(), HasSubstr("model.safetensors: is not a regular file"));
    fs::remove(m_folder / "model.safetensors");
    fs::create_directory(m_folder / "model.safetensors");
    EXPECT_THAT(refusal(), HasSubstr("model.safetensors: is a folder"));
    fs::remove(m_folder / "model.safetensors");
    fs::create_symlink("nowhere", m_folder / "model.safetensors");
    EXPECT_THAT(refusal(), HasSubstr("model.safetensors: cannot be opened"));
    fs::remove(m_folder / "model.safetensors");
    ASSERT_EQ(::mkfifo((m_folder / indexFile).c_str(), 0600), 0);
    EXPECT_THAT(refusal(), HasSubstr("index.json: is not a regular file"));
    fs::remove(m_folder / "config.json");
    ASSERT_EQ(::mkfifo((m_folder / "config.json").c_str(), 0600), 0);
    EXPECT_THAT(refusal(), HasSubstr("config.json: is not a regular file"));
}

TEST_F(CheckpointFolder, refusesFoldersThatAreNone) {
    EXPECT_THAT(errorOf([&] { Checkpoint(m_folder / "absent"); }), HasSubstr("no such folder"));
    EXPECT_THAT(errorOf([&] { Checkpoint(m_folder / "config.json"); }), HasSubstr("not a folder"));
    EXPECT_THAT(refusal(), HasSubstr("holds neither model.safetensors nor"));
}

TEST_F(CheckpointFolder, neverOpensAFileOutsideTheFolder) {
    const fs::path model = m_folder / "model";
    fs::create_directory(model);
    fs::copy(m_folder / "config.json", model / "config.json");
    test::writeShards(model, test::rawTensors(m_golden / "model.safetensors"),
                      [](const std::string& name) { return name == "lm_head.weight"; });
    const fs::path outside = m_folder / secondShard;
    fs::rename(model / secondShard, outside);

    const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ASSERT_GE(watch, 0);
    ASSERT_GE(::inotify_add_watch(watch, outside.c_str(), IN_OPEN | IN_ACCESS), 0);
    for (const std::string& name :
         {std::string("../") + secondShard, "./../" + std::string(secondShard), outside.string(),
          std::string("..\\") + secondShard, std::string(".."), std::string("."), std::string(),
          std::string("x\0.safetensors", 14)}) {
        json index = test::fileJson(model / indexFile);
        index["weight_map"]["lm_head.weight"] = name;
        test::writeFile(model / indexFile, index.dump());
        EXPECT_THAT(errorOf([&] { const Checkpoint checkpoint(model); }),
                    testing::AllOf(HasSubstr("model.safetensors.index.json: weight_map.lm_head"),
                                   HasSubstr("is not a plain file name")));
    }
    char event[1024];
    EXPECT_EQ(::read(watch, event, sizeof event), -1) << "the file outside was opened";
    EXPECT_EQ(errno, EAGAIN);
    const std::string opened = test::fileText(outside);  // the watch does notice an opening
    EXPECT_GT(::read(watch, event, sizeof event), 0);
    ::close(watch);
}

TEST_F(CheckpointFolder, refusesIndexesThatDoNotFitTheFiles) {
    writeShards();
    const std::string good = test::fileText(m_folder / indexFile);
    const auto with = [&](const std::function<void(json&)>& change) {
        test::writeFile(m_folder / indexFile, good);
        changeIndex(change);
        return refusal();
    };
    EXPECT_THAT(with([](json& index) { index["weight_map"]["ghost"] = firstShard; }),
                HasSubstr("ghost: said to be in model-00001-of-00002.safetensors, but is not"));
    EXPECT_THAT(with([](json& index) {
                    auto& place = index["weight_map"]["lm_head.weight"];
                    place = place == firstShard ? secondShard : firstShard;
                }),
                HasSubstr("lm_head.weight: said to be in"));
    EXPECT_THAT(with([](json& index) { index.erase("weight_map"); }),
                HasSubstr("weight_map: missing"));
    EXPECT_THAT(with([](json& index) { index["weight_map"] = json::object(); }),
                HasSubstr("names no file"));
    EXPECT_THAT(with([](json& index) { index["weight_map"]["lm_head.weight"] = 3; }),
                HasSubstr("weight_map.lm_head.weight: expected a string"));
}

TEST_F(CheckpointFolder, refusesATensorInTwoShards) {
    auto tensors = test::rawTensors(m_golden / "model.safetensors");
    test::writeShards(m_folder.path(), tensors, [](const std::string&) { return false; });
    test::writeFile(m_folder / secondShard, test::safetensorsText({tensors[3]}));
    changeIndex([&](json& index) { index["weight_map"][tensors[0].name] = secondShard; });
    EXPECT_THAT(refusal(), testing::AllOf(StartsWith(secondShard), HasSubstr(tensors[3].name),
                                          HasSubstr(firstShard)));
}

TEST_F(CheckpointFolder, canBeCancelled) {
    writeShards();
    std::vector<std::uint64_t> steps;
    const Checkpoint checkpoint(m_folder.path(),
                                [&](std::string_view, std::uint64_t done, std::uint64_t total) {
                                    EXPECT_EQ(total, 2U);
                                    steps.push_back(done);
                                    return true;
                                });
    EXPECT_THAT(steps, testing::ElementsAre(0, 1, 2));
    const Progress cancelAtOne = [](std::string_view, std::uint64_t done, std::uint64_t) {
        return done < 1;
    };
    EXPECT_THROW(Checkpoint(m_folder.path(), cancelAtOne), Cancelled);
    EXPECT_THROW(validateWeights(checkpoint, cancelAtOne), Cancelled);
    EXPECT_THROW(findNonFinite(checkpoint, cancelAtOne), Cancelled);
}

TEST_F(CheckpointFolder, ignoresOtherTensorsAndOtherFiles) {
    auto tensors = test::rawTensors(m_golden / "model.safetensors");
    // Published by Moonshot, in a shape that fits nothing.
    tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", "BF16", {3}, "abcdef"});
    test::writeFile(m_folder / "model.safetensors", test::safetensorsText(tensors));
    test::writeFile(m_folder / "other.safetensors", "garbage");
    EXPECT_NO_THROW(validateWeights(Checkpoint(m_folder.path())));
}

}  // namespace
}  // namespace gatescope
