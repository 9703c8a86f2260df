// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using test::errorOf;
using testing::HasSubstr;

TEST(MappedFile, givesTheBytesAndMoves) {
    const test::TestFolder folder;
    test::writeFile(folder / "f", "abc");
    MappedFile first(folder / "f");
    MappedFile second(std::move(first));
    ASSERT_EQ(second.bytes().size(), 3U);
    EXPECT_EQ(static_cast<char>(second.bytes()[2]), 'c');
    test::writeFile(folder / "g", "xy");
    second = MappedFile(folder / "g");
    ASSERT_EQ(second.bytes().size(), 2U);
    EXPECT_EQ(static_cast<char>(second.bytes()[0]), 'x');
}

TEST(MappedFile, emptyFileGivesAnEmptySpan) {
    const test::TestFolder folder;
    test::writeFile(folder / "f", "");
    EXPECT_TRUE(MappedFile(folder / "f").bytes().empty());
    EXPECT_EQ(readFile(folder / "f", 10), "");
}

TEST(MappedFile, refusesWhatIsNoRegularFileWithoutWaiting) {
    const test::TestFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    std::filesystem::create_directory(folder / "folder");
    std::filesystem::create_symlink("/dev/zero", folder / "device");
    std::filesystem::create_symlink("nowhere", folder / "dangling");
    std::filesystem::create_symlink("loop", folder / "loop");
    const std::pair<const char*, const char*> cases[] = {
        {"pipe", "not a regular file"},   {"folder", "is a folder"},
        {"device", "not a regular file"}, {"dangling", "No such file"},
        {"loop", "symbolic links"},       {"absent", "No such file"}};
    for (const auto& [name, cause] : cases) {
        const auto path = folder / name;
        const std::string mapped = errorOf([&] { const MappedFile file(path); });
        EXPECT_THAT(mapped, HasSubstr(path.string()));
        EXPECT_THAT(mapped, HasSubstr(cause));
        EXPECT_EQ(errorOf([&] { readFile(path, 1000); }), mapped);
    }
}

TEST(ReadFile, readsUpToTheLimit) {
    const test::TestFolder folder;
    const std::string text(100'000, 'x');
    test::writeFile(folder / "f", text);
    EXPECT_EQ(readFile(folder / "f", text.size()), text);
    EXPECT_THAT(errorOf([&] { readFile(folder / "f", text.size() - 1); }),
                HasSubstr("longer than 99999 bytes"));
}

TEST(ReadFile, readsFilesThatDoNotKnowTheirSize) {
    // stat says 0 bytes for these.
    EXPECT_THAT(readFile("/proc/self/status", 1 << 20), HasSubstr("VmRSS"));
    EXPECT_THAT(errorOf([] { readFile("/proc/self/status", 10); }), HasSubstr("longer than"));
}

}  // namespace
}  // namespace gatescope
