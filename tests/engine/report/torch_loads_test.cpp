// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "engine/report/load_readers.h"
#include "tests/engine/report/load_files.h"

namespace gatescope {
namespace {

namespace pickled = test::pickled;
using test::bytesOf;
using test::dumpText;
using test::PickledTensor;
using test::torchText;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

class TorchLoads : public test::LoadsTest {
  protected:
    std::string pickleRefusal(const std::string& pickle) {
        return refusal("loads.pt", torchText(pickle));
    }
    /// Of a value in the place of the counts.
    std::string valueRefusal(const std::string& value) {
        return pickleRefusal(pickled::dict(pickled::text("logical_count") + value));
    }
    std::string tensorRefusal(const PickledTensor& tensor) {
        return refusal("loads.pt", dumpText(tensor, std::string(64, '\1')));
    }
};

/// A file that PyTorch wrote; see the test that reads it.
std::filesystem::path genuine() {
    return test::goldenDir().parent_path() / "engine" / "report" / "sglang_recorder.pt";
}

// torch 2.15.0: torch.save({"rank": 0, "logical_count": x, "average_utilization_rate_over_window":
// 0.75}) with x int32 [5, 6, 8], x[s, l, e] = 100 s + 10 l + e for s in 0, 1, 3 and l in 2 ... 5,
// else 0.
TEST_F(TorchLoads, readsAFileThatPyTorchWrote) {
    const RecordedLoads loads = readRecordedLoads(genuine());
    EXPECT_EQ(loads.format, "SGLang recorder dump");
    EXPECT_THAT(loads.layers, ElementsAre(2, 3, 4, 5));
    ASSERT_THAT(loads.blocks, SizeIs(3));
    EXPECT_THAT(loads.blocks[0].row(0), ElementsAre(20, 21, 22, 23, 24, 25, 26, 27));
    EXPECT_THAT(loads.blocks[2].row(3), ElementsAre(350, 351, 352, 353, 354, 355, 356, 357));
}

TEST_F(TorchLoads, everyPrefixOfAFileThatPyTorchWroteIsRefused) {
    const std::string whole = test::fileText(genuine());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto bytes = std::as_bytes(std::span(whole).first(size));
        EXPECT_THAT(test::errorOf([&] { readTorchLoads(bytes, "loads.pt"); }),
                    StartsWith("loads.pt: "))
            << size;
    }
}

TEST_F(TorchLoads, changedBytesNeverDoMoreThanRefuse) {
    test::tryChanged(test::fileText(genuine()), 20'000,
                     [](std::span<const std::byte> bytes) { readTorchLoads(bytes, "loads.pt"); });
}

TEST_F(TorchLoads, stridesAndOffsetAndEveryTypeOfCounts) {
    // [1, 2, 2] of [[1, 3], [2, 4]] behind one number that is not of it: a transposed view.
    const PickledTensor view{{1, 2, 2}, {4, 1, 2}, 5, 1, "IntStorage", "0"};
    const std::pair<const char*, std::string> cases[] = {
        {"IntStorage", bytesOf<std::int32_t>({9, 1, 2, 3, 4})},
        {"LongStorage", bytesOf<std::int64_t>({9, 1, 2, 3, 4})},
        {"FloatStorage", bytesOf<float>({9, 1, 2, 3, 4})},
        {"DoubleStorage", bytesOf<double>({9, 1, 2, 3, 4})}};
    for (const auto& [type, storage] : cases) {
        PickledTensor tensor = view;
        tensor.type = type;
        const RecordedLoads loads = read("loads.pt", dumpText(tensor, storage));
        EXPECT_THAT(loads.layers, ElementsAre(0, 1));
        EXPECT_THAT(loads.total().values, ElementsAre(1, 3, 2, 4)) << type;
    }
}

TEST_F(TorchLoads, aRingBufferOf61RowsHasLayers3To60InAtMost64Blocks) {
    constexpr int kSteps = 200;
    std::vector<std::int32_t> counts(kSteps * 61 * 2);
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::size_t step = i / 122;
        counts[i] = i % 122 < 6 || step % 4 == 3 ? 0 : 1;  // dense rows, unused steps
    }
    const RecordedLoads loads = read(
        "loads.pt", dumpText({{kSteps, 61, 2}, {122, 2, 1}, kSteps * 122, 0, "IntStorage", "0"},
                             bytesOf(counts)));
    EXPECT_THAT(loads.layers, SizeIs(58));
    EXPECT_EQ(loads.layers.front(), 3);
    EXPECT_EQ(loads.layers.back(), 60);
    EXPECT_THAT(loads.blocks, SizeIs(64));
    EXPECT_THAT(loads.total().values, Each(150));
    for (const ExpertLoads& block : loads.blocks) {
        EXPECT_THAT(block.values, Each(testing::AnyOf(2, 3)));  // 150 steps in 64 blocks
    }
}

TEST_F(TorchLoads, aCallOfTheSystemIsRefusedByNameAndNotRun) {
    const std::string victim = m_folder / "touched";
    const std::string call = "(" + pickled::text("touch " + victim) + "tR";
    EXPECT_EQ(valueRefusal("cos\nsystem\n" + call),
              "loads.pt: data.pkl: os.system is not a tensor type; nothing was run");
    EXPECT_EQ(valueRefusal(pickled::text("os") + pickled::text("system") + "\x93" + call),
              "loads.pt: data.pkl: os.system is not a tensor type; nothing was run");
    EXPECT_EQ(valueRefusal("(" + pickled::text("touch " + victim) + "ios\nsystem\n"),
              "loads.pt: data.pkl: os.system is not a tensor type; nothing was run");
    EXPECT_EQ(valueRefusal("cbuiltins\neval\n" + call),
              "loads.pt: data.pkl: builtins.eval is not a tensor type; nothing was run");
    EXPECT_EQ(valueRefusal("ctorch\nload\n" + call),
              "loads.pt: data.pkl: torch.load is not a tensor type; nothing was run");
    EXPECT_EQ(valueRefusal("ctorch.os\nIntStorage\n" + call),
              "loads.pt: data.pkl: torch.os.IntStorage is not a tensor type; nothing was run");
    EXPECT_FALSE(std::filesystem::exists(victim));
}

TEST_F(TorchLoads, namesOfTypesCannotTurnTheMessageAround) {
    EXPECT_EQ(valueRefusal("co\x1B[2Js\nsys\rtem\n"),
              "loads.pt: data.pkl: o\\x1B[2Js.sys\\x0Dtem is not a tensor type; nothing was run");
}

TEST_F(TorchLoads, permittedTypesCannotBeCalledForAnythingElse) {
    EXPECT_THAT(valueRefusal("ctorch\nIntStorage\n(K\x05tR"), HasSubstr("IntStorage is called"));
    EXPECT_THAT(valueRefusal("ccollections\nOrderedDict\n(K\x05tR"), HasSubstr("is called"));
    EXPECT_THAT(valueRefusal("K\x05)R"), HasSubstr("calls what is no type; nothing was run"));
    EXPECT_THAT(valueRefusal("ccollections\nOrderedDict\n}b"),
                HasSubstr("a type has no attributes"));
    EXPECT_THAT(valueRefusal("ccollections\nOrderedDict\n)\x81"), HasSubstr("opcode 0x81"));
    EXPECT_THAT(valueRefusal("(ccollections\nOrderedDict\no"), HasSubstr("opcode 0x6F"));
    EXPECT_THAT(valueRefusal("ctorch\nBoolStorage\n"),
                HasSubstr("torch.BoolStorage is not a count type"));
    EXPECT_THAT(valueRefusal(pickled::text("x") + "Q"), HasSubstr("refers to something outside"));
    EXPECT_THAT(valueRefusal("K\x01K\x02\x93"), HasSubstr("the name of a type is no text"));
    EXPECT_THAT(valueRefusal("ctorch._utils\n_rebuild_tensor_v2\n)R"),
                HasSubstr("logical_count: is not made as PyTorch makes a tensor"));
}

TEST_F(TorchLoads, brokenPicklesAreRefused) {
    EXPECT_THAT(pickleRefusal(""), HasSubstr("data.pkl: the pickle ends too early"));
    EXPECT_THAT(pickleRefusal("\x80\x02."), HasSubstr("takes a value where it has put none"));
    EXPECT_THAT(pickleRefusal("K\x01(."), HasSubstr("takes a value where it has put none"));
    EXPECT_THAT(pickleRefusal("t."), HasSubstr("ends a list that it has not begun"));
    EXPECT_THAT(pickleRefusal("}(K\x01u."), HasSubstr("has no container for it"));
    EXPECT_THAT(pickleRefusal("}K\x01"
                              "a."),
                HasSubstr("has no container for it"));
    EXPECT_THAT(pickleRefusal("h\x07."), HasSubstr("value 7 is used and never set"));
    EXPECT_THAT(pickleRefusal("cos"), HasSubstr("the pickle ends too early"));
    EXPECT_THAT(pickleRefusal("]."), HasSubstr("holds a list, not a dict with \"logical_count\""));
    EXPECT_THAT(pickleRefusal(pickled::dict(pickled::text("counts") + "]")),
                HasSubstr("has no \"logical_count\", only \"counts\""));
    EXPECT_THAT(valueRefusal("]"), HasSubstr("logical_count: is a list, not a tensor"));
}

TEST_F(TorchLoads, declaredSizesBeyondTheFileAreRefused) {
    EXPECT_THAT(pickleRefusal("X\xFF\xFF\xFF\xFF."), HasSubstr("the pickle ends too early"));
    EXPECT_THAT(pickleRefusal("\x8A\xFF" + std::string(255, '\1') + "."),
                HasSubstr("does not fit into 64 bits"));
    EXPECT_THAT(pickleRefusal(std::string((4 << 20) + 1, 'N')), HasSubstr("4194304 at most"));
    EXPECT_THAT(tensorRefusal({{1, 4, 4}, {16, 4, 1}, kMost, 0, "IntStorage", "0"}),
                HasSubstr("data/0: has 64 bytes, not 9223372036854775807 numbers of 4 bytes"));
    EXPECT_THAT(tensorRefusal({{1, 4, 4}, {16, 4, 1}, -1, 0, "IntStorage", "0"}),
                HasSubstr("data/0: has 64 bytes, not -1 numbers"));
    EXPECT_THAT(tensorRefusal({{1, 4, 4}, {16, 4, 1}, 16, 0, "IntStorage", "1"}),
                HasSubstr("data/1: is not in the archive"));
    EXPECT_THAT(tensorRefusal({{1, 4, 4}, {16, 4, 1}, 32, 0, "HalfStorage", "0"}),
                HasSubstr("logical_count: torch.HalfStorage holds no counts"));
}

TEST_F(TorchLoads, elementsOutsideTheStorageAreRefused) {
    using List = std::vector<std::int64_t>;
    struct Case {
        List shape, strides;
        std::int64_t offset;
    };
    const Case outside[] = {{{1, 4, 4}, {16, 4, 1}, 1},
                            {{1, 4, 4}, {16, 4, 1}, -1},
                            {{1, 4, 4}, {16, 4, 1}, kMost},
                            {{2, 4, 4}, {16, 4, 1}, 0},
                            {{1, 4, 4}, {16, 5, 1}, 0},
                            {{1, 4, 4}, {16, -4, 1}, 12},
                            {{1, 4, 4}, {16, kMost, 1}, 0},
                            {{1, 4, 4}, {16, 4}, 0},
                            // Every number is in the file, but they would never end.
                            {{kMost, 4, 4}, {0, 4, 1}, 0},
                            {{1, 4096, 65536}, {0, 0, 0}, 0}};
    for (const Case& bad : outside) {
        EXPECT_THAT(tensorRefusal({bad.shape, bad.strides, 16, bad.offset, "IntStorage", "0"}),
                    HasSubstr("its elements are not all among the 16 numbers of data/0"));
    }
    EXPECT_THAT(tensorRefusal({{4, -4}, {4, 1}, 16, 0, "IntStorage", "0"}), HasSubstr("is empty"));
    EXPECT_THAT(tensorRefusal({{16}, {1}, 16, 0, "IntStorage", "0"}),
                HasSubstr("its dimensions (1)"));
    EXPECT_THAT(tensorRefusal({{1, 5000, 1}, {1, 1, 1}, 16, 0, "IntStorage", "0"}),
                HasSubstr("logical_count: has 5000 layers, 4096 at most"));
}

TEST_F(TorchLoads, countsThatAreNoneAreRefused) {
    const PickledTensor tensor{{1, 1, 2}, {2, 2, 1}, 2, 0, "IntStorage", "0"};
    EXPECT_EQ(refusal("loads.pt", dumpText(tensor, bytesOf<std::int32_t>({1, -1}))),
              "loads.pt: logical_count[0][0][1]: -1 is no count");
    EXPECT_EQ(refusal("loads.pt", dumpText(tensor, bytesOf<std::int32_t>({0, 0}))),
              "loads.pt: logical_count: every count is zero: nothing was recorded");
}

TEST_F(TorchLoads, nestingWithoutBoundTakesNoRecursion) {
    constexpr std::size_t kDepth = 1'000'000;
    EXPECT_THAT(pickleRefusal(std::string(kDepth, ']') + std::string(kDepth - 1, 'a') + "."),
                HasSubstr("holds a list"));
    EXPECT_THAT(pickleRefusal(std::string(kDepth, '(') + std::string(kDepth, 't') + "."),
                HasSubstr("holds a tuple"));
    // A list that is in itself.
    EXPECT_THAT(pickleRefusal(std::string("]q\0h\0a.", 7)), HasSubstr("holds a list"));
}

TEST_F(TorchLoads, valuesThatAreNamedAgainAndAgainAreNotCopied) {
    std::string doubled = std::string("]q\0", 3);  // each list holds the one before it twice
    for (char i = 0; i < 100; ++i) {
        doubled += std::string("](h") + i + "h" + i + "eq" + static_cast<char>(i + 1);
    }
    EXPECT_THAT(pickleRefusal(doubled + "."), HasSubstr("holds a list"));
    // 300,000 tensors that are all made of one tuple of 300,000 numbers.
    std::string tensors = "(" + std::string(300'000, 'N') + std::string("tq\0", 3) +
                          "ctorch._utils\n_rebuild_tensor_v2\nq\x01";
    for (int i = 0; i < 300'000; ++i) {
        tensors += std::string("h\1h\0R", 5);
    }
    EXPECT_THAT(pickleRefusal(tensors + "."), HasSubstr("holds a tensor"));
}

TEST_F(TorchLoads, archivesThatPyTorchDoesNotWriteAreRefused) {
    const PickledTensor tensor{{1, 1, 2}, {2, 2, 1}, 2, 0, "IntStorage", "0"};
    const std::string pickle = pickled::dict(pickled::text("logical_count") + tensor.text());
    const std::string storage = bytesOf<std::int32_t>({1, 2});
    const test::ZipContent good = {{"d/data.pkl", pickle}, {"d/data/0", storage}};
    EXPECT_THAT(read("loads.pt", test::zipText(good)).total().values, ElementsAre(1, 2));
    const auto with = [&](const std::string& name, const std::string& content) {
        test::ZipContent entries = good;
        entries.emplace_back(name, content);
        return refusal("loads.pt", test::zipText(entries));
    };
    EXPECT_EQ(with("d/byteorder", "big"), "loads.pt: byteorder: \"big\" is not little");
    EXPECT_EQ(with("d/data/0", ""), "loads.pt: d/data/0: is in the zip archive twice");
    EXPECT_THAT(with("e/data.pkl", ""), HasSubstr("has two data.pkl"));
    EXPECT_THAT(refusal("loads.pt", test::zipText({{"a/b/data.pkl", pickle}})),
                HasSubstr("a zip archive without data.pkl"));
    EXPECT_THAT(refusal("loads.pt", test::zipText({})), HasSubstr("without data.pkl"));
    EXPECT_THAT(refusal("loads.pt", test::zipText(good, 8)),
                StartsWith("loads.pt: d/data.pkl: is compressed or encrypted"));
}

TEST_F(TorchLoads, archivesWhoseDirectoryLiesAreRefused) {
    const std::string whole = test::zipText({{"d/data.pkl", "N."}});
    const std::size_t directory = whole.find("PK\x01\x02");
    const std::size_t end = whole.find("PK\x05\x06");
    const auto changed = [&](std::size_t at, const std::string& bytes) {
        return refusal("loads.pt", std::string(whole).replace(at, bytes.size(), bytes));
    };
    const std::string huge = "\xFE\xFF\xFF\xFF";
    EXPECT_THAT(changed(directory + 20, huge + huge), HasSubstr("lie outside the file's"));
    EXPECT_THAT(changed(directory + 42, huge), HasSubstr("is not where the zip directory says"));
    EXPECT_THAT(changed(directory + 28, "\xFF\xFF"), HasSubstr("directory ends too early"));
    EXPECT_THAT(changed(end + 10, "\xFF\xFF"), HasSubstr("the zip directory is damaged"));
    EXPECT_THAT(changed(end + 12, huge), HasSubstr("lies outside the file's"));
    EXPECT_THAT(changed(end + 16, huge), HasSubstr("lies outside the file's"));
    EXPECT_THAT(changed(26, "\xFF\xFF"), HasSubstr("lie outside the file's"));
    EXPECT_THAT(refusal("loads.pt", whole.substr(0, end)),
                HasSubstr("the zip archive ends too early"));
}

}  // namespace
}  // namespace gatescope
