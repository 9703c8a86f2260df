// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/engine/checkpoint/test_folder.h"

namespace gatescope {
namespace {

using test::errorOf;
using test::littleEndian64;
using test::RawTensor;
using test::safetensorsText;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class Safetensors : public testing::Test {
  protected:
    SafetensorsFile open(const std::string& text) {
        test::writeFile(m_folder / "a.safetensors", text);
        return SafetensorsFile(m_folder / "a.safetensors");
    }
    SafetensorsFile open(const std::string& header, const std::string& data) {
        return open(littleEndian64(header.size()) + header + data);
    }
    std::string refusal(const std::string& header, const std::string& data = "") {
        return errorOf([&] { open(header, data); });
    }

    test::TestFolder m_folder;
};

TEST_F(Safetensors, givesTensorsByOffsetAndByName) {
    const auto file = open(R"({"b":{"dtype":"I32","shape":[2],"data_offsets":[2,10]},)"
                           R"("__metadata__":{"format":"pt"},)"
                           R"("a":{"dtype":"U8","shape":[1,2],"data_offsets":[0,2]}})",
                           "xy" + test::bytesOf<std::int32_t>({1, 2}));
    ASSERT_EQ(file.tensors().size(), 2U);
    EXPECT_EQ(file.tensors()[0].name, "a");
    EXPECT_EQ(file.tensors()[1].name, "b");
    const TensorView* a = file.find("a");
    ASSERT_NE(a, nullptr);
    EXPECT_EQ(a->dtype, "U8");
    EXPECT_THAT(a->shape, ElementsAre(1, 2));
    EXPECT_EQ(a->elements(), 2);
    EXPECT_EQ(a->file, "a.safetensors");
    EXPECT_EQ(static_cast<char>(a->bytes[1]), 'y');
    EXPECT_EQ(file.find("c"), nullptr);
    EXPECT_EQ(file.metadata().at("format"), "pt");
    EXPECT_EQ(file.fileSize(), std::filesystem::file_size(m_folder / "a.safetensors"));
}

TEST_F(Safetensors, takesEveryDtypeScalarsAndEmptyTensors) {
    const std::pair<const char*, int> sizes[] = {
        {"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
        {"I32", 4}, {"I16", 2}, {"I8", 1},   {"U8", 1},      {"U16", 2},
        {"U32", 4}, {"U64", 8}, {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
    for (const auto& [dtype, size] : sizes) {
        const auto bytes = static_cast<std::size_t>(size);
        const auto file =
            open(safetensorsText({{"scalar", dtype, {}, std::string(bytes, 'x')},
                                  {"empty", dtype, {5, 0}, ""},
                                  {"three", dtype, {3}, std::string(3 * bytes, 'y')}}));
        EXPECT_EQ(file.tensors().size(), 3U) << dtype;
        EXPECT_EQ(file.find("scalar")->elements(), 1);
        EXPECT_EQ(file.find("empty")->elements(), 0);
    }
}

TEST_F(Safetensors, takesAHeaderOfAnyLengthAndAnEmptyOne) {
    for (std::size_t shift = 0; shift < 8; ++shift) {
        const auto file = open(safetensorsText({{"a", "F32", {1}, "abcd"}}, shift));
        EXPECT_EQ(static_cast<char>(file.find("a")->bytes[3]), 'd') << shift;
    }
    EXPECT_TRUE(open("{}", "").tensors().empty());
}

TEST_F(Safetensors, refusesBadHeaders) {
    EXPECT_EQ(errorOf([&] { open(""); }),
              "a.safetensors: 0 bytes long, too short for a safetensors file");
    EXPECT_THAT(errorOf([&] { open("1234567"); }), HasSubstr("7 bytes long"));
    EXPECT_EQ(errorOf([&] { open(littleEndian64(3) + "{}"); }),
              "a.safetensors: header length 3 exceeds the 2 bytes after it");
    EXPECT_THAT(errorOf([&] { open(littleEndian64(~std::uint64_t{0}) + "{}"); }),
                HasSubstr("header length 18446744073709551615"));
    EXPECT_THAT(refusal(""), HasSubstr("not valid JSON"));
    EXPECT_THAT(refusal(" {}"), HasSubstr("not a JSON object"));
    EXPECT_THAT(refusal("3"), HasSubstr("not a JSON object"));
    EXPECT_THAT(refusal("{} x"), StartsWith("a.safetensors: header: not valid JSON"));
}

TEST_F(Safetensors, refusesBadEntriesByName) {
    const auto entry = [&](const std::string& fields) {
        return refusal("{\"t\":" + fields + "}", "0123");
    };
    EXPECT_THAT(entry("5"), HasSubstr("t: expected an object, found 5"));
    EXPECT_THAT(entry(R"({"shape":[1],"data_offsets":[0,4]})"), HasSubstr("t.dtype: missing"));
    EXPECT_THAT(entry(R"({"dtype":"F32","data_offsets":[0,4]})"), HasSubstr("t.shape: missing"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[1]})"), HasSubstr("t.data_offsets: missing"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4]})"),
                HasSubstr("t.data_offsets: must be [begin, end]"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})"),
                HasSubstr("t.shape[0]: expected a whole number, found 1.5"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"),
                HasSubstr("t.shape[0]: must be at least 0"));
    EXPECT_THAT(entry(R"({"dtype":"F99","shape":[1],"data_offsets":[0,4]})"),
                HasSubstr("t: unknown dtype \"F99\""));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"),
                HasSubstr("t: shape [2] of F32 needs 8 bytes, data_offsets give 4"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[1,5]})"),
                HasSubstr("end 5 lies beyond the 4 bytes"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"),
                HasSubstr("end 0 lies before begin 4"));
    EXPECT_THAT(entry(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})"),
                HasSubstr("overflows"));
    EXPECT_THAT(entry(R"({"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],)"
                      R"("data_offsets":[0,4]})"),
                HasSubstr("17 dimensions"));
    EXPECT_THAT(refusal(R"({"__metadata__":{"a":1}})"),
                HasSubstr("__metadata__.a: expected a string"));
}

TEST_F(Safetensors, refusesOverlapHolesAndUnusedBytes) {
    const auto two = [&](int begin, const std::string& data) {
        return refusal(fmt::format(R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}},)"
                                   R"("b":{{"dtype":"U8","shape":[2],"data_offsets":[{},{}]}}}})",
                                   begin, begin + 2),
                       data);
    };
    EXPECT_THAT(two(1, "012"), HasSubstr("b: begins at byte 1 inside a, which ends at 2"));
    EXPECT_THAT(two(3, "01234"), HasSubstr("b: 1 unused bytes before it, after a"));
    EXPECT_THAT(two(2, "01234"), HasSubstr("1 unused bytes after the last tensor"));
    EXPECT_THAT(refusal("{}", "0"), HasSubstr("1 unused bytes"));
}

/// Whatever happens to a header, opening ends with an Error or with tensors inside the file.
TEST_F(Safetensors, survivesRandomDamage) {
    const std::string whole = test::fileText(test::badDir() / "ok-nano" / "model.safetensors");
    std::uint64_t headerSize = 0;
    std::memcpy(&headerSize, whole.data(), 8);
    std::mt19937 random(20260101);
    int opened = 0;
    int refused = 0;
    for (int round = 0; round < 600; ++round) {
        std::string text = whole;
        for (int i = 0; i <= round % 3; ++i) {
            text[random() % (8 + headerSize)] = static_cast<char>(random());
        }
        if (round % 5 == 0) text.resize(random() % text.size());
        try {
            const auto file = open(text);
            for (const TensorView& tensor : file.tensors()) {
                unsigned sum = 0;
                for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
                EXPECT_LE(sum, tensor.bytes.size() * 255);
            }
            ++opened;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("a.safetensors"));
            ++refused;
        }
    }
    EXPECT_GT(opened, 0);
    EXPECT_GT(refused, 300);
}

std::size_t residentBytes() {
    std::ifstream in("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    in >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(Safetensors, mapsAHugeFileWithoutReadingIt) {
    constexpr std::uint64_t dataBytes = std::uint64_t{8} << 30;
    const std::string header = fmt::format(
        R"({{"huge":{{"dtype":"F32","shape":[65536,32768],"data_offsets":[0,{}]}}}})", dataBytes);
    const std::string start = littleEndian64(header.size()) + header;
    const auto path = m_folder / "huge.safetensors";
    test::writeFile(path, start);
    std::error_code error;
    std::filesystem::resize_file(path, start.size() + dataBytes, error);
    struct stat info {};
    ::stat(path.c_str(), &info);
    if (error || info.st_blocks > 1000) GTEST_SKIP() << "no sparse files here";

    const std::size_t before = residentBytes();
    const SafetensorsFile file(path);
    const std::size_t after = residentBytes();
    EXPECT_EQ(file.find("huge")->bytes.size(), dataBytes);
    EXPECT_LT(after, before + (std::size_t{32} << 20));
}

}  // namespace
}  // namespace gatescope
