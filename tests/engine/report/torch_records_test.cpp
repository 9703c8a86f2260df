// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/report/load_readers.h"
#include "tests/engine/report/load_files.h"

namespace gatescope {
namespace {

namespace pickled = test::pickled;
using test::bytesOf;
using test::PickledTensor;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

/// Three layers, the first of them dense, of four physical experts: expert 1 twice, then expert 0
/// twice.
const std::vector<std::int64_t> kMap = {0, 1, 2, 0, 1, 0, 1, 2, 0, 2, 1, 0};

struct Record {
    std::int64_t pass = 0;
    std::int64_t rank = 0;
    std::vector<std::int32_t> counts;  ///< [3 * 4]
};

/// A dump as the modes per_pass and per_token write it; `more`: further keys of every record.
std::string dump(const std::vector<Record>& records, const std::vector<std::int64_t>& map = kMap,
                 const std::string& more = "") {
    const PickledTensor shape{{3, 4}, {4, 1}, 12, 0, "IntStorage", ""};
    test::ZipContent entries;
    std::string list = "](";
    for (std::size_t i = 0; i < records.size(); ++i) {
        PickledTensor counts = shape;
        counts.key = std::to_string(i);
        entries.emplace_back("d/data/" + counts.key, bytesOf(records[i].counts));
        list += "}(" + pickled::text("forward_pass_id") + pickled::integer(records[i].pass) +
                pickled::text("rank") + pickled::integer(records[i].rank) +
                pickled::text("gatherer_key") + pickled::text("primary") + more +
                pickled::text("global_physical_count") + counts.text() + "u";
    }
    PickledTensor slots = shape;
    slots.type = "LongStorage";
    slots.key = "map";
    entries.emplace_back("d/data/map", bytesOf(map));
    entries.emplace_back(
        "d/data.pkl", pickled::dict(pickled::text("records") + list + "e" +
                                    pickled::text("last_physical_to_logical_map") + slots.text()));
    return test::zipText(entries);
}

const Record kFirst{7, 0, {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}};
const Record kSecond{8, 0, {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1}};

class TorchRecords : public test::LoadsTest {
  protected:
    RecordedLoads readAll(const std::vector<std::pair<std::string, std::string>>& files) {
        for (const auto& [name, bytes] : files) test::writeFile(m_folder / name, bytes);
        return readRecordedLoads(m_folder.path());
    }
    std::string folderRefusal(const std::vector<std::pair<std::string, std::string>>& files) {
        return test::errorOf([&] { readAll(files); });
    }
};

TEST_F(TorchRecords, physicalExpertsAreCountedAsTheExpertsTheyAre) {
    const RecordedLoads loads = read("a.pt", dump({kSecond, kFirst}));
    EXPECT_EQ(loads.format, "SGLang recorder dump");
    EXPECT_THAT(loads.layers, ElementsAre(1, 2));
    ASSERT_THAT(loads.blocks, SizeIs(2));  // in the order of the passes
    EXPECT_THAT(loads.blocks[0].row(0), ElementsAre(2, 1 + 3, 4));
    EXPECT_THAT(loads.blocks[0].row(1), ElementsAre(5 + 8, 7, 6));
    EXPECT_THAT(loads.blocks[1].row(0), ElementsAre(0, 1, 0));
    EXPECT_THAT(loads.blocks[1].row(1), ElementsAre(1, 0, 0));
}

TEST_F(TorchRecords, whatElseIsRecordedDoesNotMatter) {
    const std::string more = pickled::text("input_ids") + "](K\x05K\x06" + "e" +
                             pickled::text("misc_objects") + "]" +
                             pickled::text("extend_seq_lens") + "N";
    EXPECT_EQ(read("a.pt", dump({kFirst}, kMap, more)).total().values,
              read("b.pt", dump({kFirst})).total().values);
}

/// With some dispatchers a rank counts only what its own GPU computes.
TEST_F(TorchRecords, ranksAreAddedUpByPass) {
    const Record left{7, 0, {0, 0, 0, 0, 1, 2, 0, 0, 5, 6, 0, 0}};
    const Record right{7, 1, {0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 7, 8}};
    EXPECT_THAT(refusal("alone.pt", dump({left})),
                HasSubstr("outside physical experts 0 to 1 of 4: name the folder"));
    std::filesystem::remove(m_folder / "alone.pt");
    const RecordedLoads loads = readAll({{"r_0.pt", dump({left})}, {"r_1.pt", dump({right})}});
    EXPECT_EQ(loads.format, "SGLang recorder dumps");
    ASSERT_THAT(loads.blocks, SizeIs(1));
    EXPECT_EQ(loads.total().values, read("b.txt", dump({kFirst})).total().values);
}

TEST_F(TorchRecords, ofPlacementsThatDifferAreNotAddedUp) {
    std::vector<std::int64_t> moved = kMap;
    std::swap(moved[4], moved[5]);
    EXPECT_EQ(folderRefusal({{"r_0.pt", dump({kFirst})}, {"r_1.pt", dump({kSecond}, moved)}}),
              "r_1.pt: last_physical_to_logical_map: differs from that of r_0.pt: experts moved "
              "while this was recorded");
}

TEST_F(TorchRecords, aPassIsNotCountedTwice) {
    EXPECT_EQ(folderRefusal({{"a.pt", dump({kFirst})}, {"b.pt", dump({kSecond, kFirst})}}),
              "b.pt: records: pass 7 of rank 0 is there twice");
}

TEST_F(TorchRecords, manyPassesAreAtMost64Blocks) {
    std::vector<Record> records;
    for (int pass = 0; pass < 100; ++pass) {
        records.push_back({pass, 0, kFirst.counts});
    }
    const RecordedLoads loads = read("a.pt", dump(records));
    EXPECT_THAT(loads.blocks, SizeIs(64));
    EXPECT_EQ(loads.total().row(0)[0], 200);
}

TEST_F(TorchRecords, mapsAndCountsThatAreNoneAreRefused) {
    std::vector<std::int64_t> map = kMap;
    map[6] = 4;
    EXPECT_EQ(refusal("a.pt", dump({kFirst}, map)),
              "a.pt: last_physical_to_logical_map[1][2]: 4 is no expert");
    map[6] = -1;
    EXPECT_THAT(refusal("a.pt", dump({kFirst}, map)), HasSubstr("-1 is no expert"));
    Record negative = kFirst;
    negative.counts[5] = -3;
    EXPECT_EQ(refusal("a.pt", dump({negative})), "a.pt: global_physical_count: -3 is no count");
    Record short_ = kFirst;
    short_.counts.pop_back();
    EXPECT_THAT(refusal("a.pt", dump({short_})), HasSubstr("data/0: has 44 bytes, not 12"));
    EXPECT_THAT(refusal("a.pt", dump({})), HasSubstr("nothing was recorded"));
    EXPECT_THAT(refusal("a.pt", dump({{1, 0, std::vector<std::int32_t>(12)}})),
                HasSubstr("every count is zero"));
}

TEST_F(TorchRecords, ofOtherShapesAreRefused) {
    const auto pickle = [&](const std::string& value) {
        return refusal("a.pt", test::torchText(pickled::dict(pickled::text("records") + value)));
    };
    const PickledTensor map{{1, 4}, {4, 1}, 4, 0, "IntStorage", "0"};
    const std::string slots = pickled::text("last_physical_to_logical_map") + map.text();
    EXPECT_THAT(pickle("]"), HasSubstr("has no \"last_physical_to_logical_map\""));
    EXPECT_THAT(pickle("K\x05"), HasSubstr("records: is an integer, not a list"));
    EXPECT_THAT(pickle("](K\x05" + std::string("e") + slots), HasSubstr("holds what is no record"));
    EXPECT_THAT(pickle("](}e" + slots), HasSubstr("has no \"forward_pass_id\""));
    PickledTensor other = map;
    other.shape = {4, 1};
    const std::string record = "}(" + pickled::text("forward_pass_id") + pickled::integer(1) +
                               pickled::text("rank") + pickled::integer(0) +
                               pickled::text("global_physical_count") + other.text() + "u";
    EXPECT_THAT(pickle("](" + record + "e" + slots), HasSubstr("pass 1 has other dimensions"));
}

/// What is named again and again costs no more than the file is large.
TEST_F(TorchRecords, thatShareTheirNumbersAreRefused) {
    const PickledTensor map{{1, 2}, {2, 1}, 2, 0, "IntStorage", "0"};
    std::string list = "](";
    for (int pass = 0; pass < 2; ++pass) {
        list += "}(" + pickled::text("forward_pass_id") + pickled::integer(pass) +
                pickled::text("rank") + pickled::integer(0) +
                pickled::text("global_physical_count") + map.text() + "u";
    }
    EXPECT_THAT(refusal("a.pt", test::torchText(
                                    pickled::dict(pickled::text("records") + list + "e" +
                                                  pickled::text("last_physical_to_logical_map") +
                                                  map.text()),
                                    bytesOf<std::int32_t>({0, 1}))),
                HasSubstr("two have the same numbers"));
}

TEST_F(TorchRecords, aFolderOfSumsIsRefused) {
    const PickledTensor tensor{{1, 1, 2}, {2, 2, 1}, 2, 0, "IntStorage", "0"};
    EXPECT_EQ(folderRefusal({{"a.pt", test::dumpText(tensor, bytesOf<std::int32_t>({1, 2}))}}),
              "a.pt: holds no records of single passes: name it by itself");
}

TEST_F(TorchRecords, changedBytesNeverDoMoreThanRefuse) {
    test::tryChanged(dump({kFirst, kSecond}), 20'000,
                     [](std::span<const std::byte> bytes) { readTorchLoads(bytes, "loads.pt"); });
}

}  // namespace
}  // namespace gatescope
