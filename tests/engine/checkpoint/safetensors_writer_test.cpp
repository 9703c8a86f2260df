// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/checkpoint/safetensors.h"
#include "engine/error.h"

namespace gatescope {
namespace {

namespace fs = std::filesystem;

class SafetensorsWriterTest : public testing::Test {
  protected:
    SafetensorsWriterTest() {
        std::string pattern = fs::temp_directory_path() / "gatescope-XXXXXX";
        m_dir = mkdtemp(pattern.data());
    }
    ~SafetensorsWriterTest() override { fs::remove_all(m_dir); }

    std::size_t filesInFolder() const {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator(m_dir), fs::directory_iterator{}));
    }

    fs::path m_dir;
    const std::vector<float> m_floats{1.5F, -2.F, 3.25F, 0.F, 5.F, -6.F};
    const std::vector<std::int32_t> m_ints{7, -8};
};

TEST_F(SafetensorsWriterTest, PiecesInAnyOrderMakeAFileThatReadsBack) {
    const fs::path file = m_dir / "out.safetensors";
    SafetensorsWriter writer(file);
    writer.declare("b.floats", "F32", {2, 3});
    writer.declare("a.ints", "I32", {2});
    writer.declare("c.empty", "F32", {0, 3});
    writer.append("b.floats", std::span(m_floats).first(4));
    writer.append("a.ints", m_ints);
    writer.append("b.floats", std::span(m_floats).subspan(4));
    EXPECT_FALSE(fs::exists(file)) << "the name appears only when the file is whole";
    writer.finish();

    EXPECT_EQ(filesInFolder(), 1);
    const SafetensorsFile read(file);
    ASSERT_EQ(read.tensors().size(), 3);
    const TensorView* floats = read.find("b.floats");
    ASSERT_NE(floats, nullptr);
    EXPECT_EQ(floats->dtype, "F32");
    EXPECT_EQ(floats->shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(std::memcmp(floats->bytes.data(), m_floats.data(), floats->bytes.size()), 0);
    const TensorView* ints = read.find("a.ints");
    ASSERT_NE(ints, nullptr);
    EXPECT_EQ(ints->dtype, "I32");
    EXPECT_EQ(std::memcmp(ints->bytes.data(), m_ints.data(), ints->bytes.size()), 0);
}

TEST_F(SafetensorsWriterTest, AbandonedWriterLeavesTheOldFileAndNothingElse) {
    const fs::path file = m_dir / "out.safetensors";
    std::ofstream(file) << "old";
    {
        SafetensorsWriter writer(file);
        writer.declare("x", "F32", {6});
        writer.append("x", std::span(m_floats).first(2));
        EXPECT_THROW(writer.finish(), Error);  // incomplete
    }
    EXPECT_EQ(filesInFolder(), 1);
    EXPECT_EQ(fs::file_size(file), 3);
}

TEST_F(SafetensorsWriterTest, WrongUseIsAnErrorThatNamesTheTensor) {
    SafetensorsWriter writer(m_dir / "out.safetensors");
    writer.declare("x", "F32", {2});
    EXPECT_THROW(writer.declare("x", "F32", {2}), Error);
    EXPECT_THROW(writer.declare("huge", "F32", {1LL << 40, 1LL << 40}), Error);
    EXPECT_THROW(writer.declare("negative", "F32", {-1}), Error);
    EXPECT_THROW(writer.append("y", m_floats), Error);
    EXPECT_THROW(writer.append("x", m_ints), Error);
    EXPECT_THROW(writer.append("x", m_floats), Error);
    try {
        SafetensorsWriter("/nowhere/at/all/out").finish();
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("/nowhere/at/all/out"));
    }
}

}  // namespace
}  // namespace gatescope
