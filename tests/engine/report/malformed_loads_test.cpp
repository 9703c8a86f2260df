// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/report/load_readers.h"
#include "tests/engine/report/load_files.h"

namespace gatescope {
namespace {

using test::bytesOf;
using test::npyHeader;
using test::npyText;
using testing::HasSubstr;
using testing::StartsWith;

class MalformedLoads : public test::LoadsTest {
  protected:
    std::string json(const std::string& text) { return refusal("a.json", text); }
    std::string csv(const std::string& text) { return refusal("a.csv", text); }
    std::string npy(const std::string& header, const std::string& data) {
        return refusal("a.npy", npyText(header, data));
    }
};

TEST_F(MalformedLoads, whatIsNoRecordingIsRefused) {
    EXPECT_EQ(refusal("a.pt", ""), "a.pt: it is empty");
    EXPECT_THAT(refusal("a.txt", "hello"), StartsWith("a.txt: no recorded loads: neither JSON"));
    EXPECT_THAT(refusal("a.txt", std::string(5000, ',') + "layer"), HasSubstr("no recorded loads"));
    EXPECT_THAT(refusal("a.pt", "\x80\x02}."), HasSubstr("a pickle without the zip archive"));
    EXPECT_THAT(test::errorOf([&] { readRecordedLoads(m_folder / "none"); }),
                HasSubstr("cannot be opened"));
}

TEST_F(MalformedLoads, jsonOfAnotherShapeIsRefused) {
    EXPECT_EQ(json("[]"),
              "a.json: its dimensions (1) are not [layers, experts] or [steps, layers, experts]");
    EXPECT_THAT(json("[1, 2]"), HasSubstr("its dimensions (1) are not"));
    EXPECT_THAT(json("[[[[1]]]]"), HasSubstr("its dimensions (4) are not"));
    EXPECT_EQ(json("[[]]"), "a.json: it is empty");
    EXPECT_EQ(json("[[1, 2], [3]]"),
              "a.json: [1]: has another number of experts (1) than the first one (2)");
    EXPECT_EQ(json(R"({"logical_count": [[[1], [2]], [[3]]]})"),
              "a.json: logical_count[1]: has another number of layers (1) than the first one (2)");
    EXPECT_THAT(json("[[1, 2], 3]"), StartsWith("a.json: [1]: expected an object or an array"));
    EXPECT_THAT(json("[[1, [2]]]"), StartsWith("a.json: [0][1]: expected a number"));
    EXPECT_THAT(json(R"([[1, "2"]])"), StartsWith("a.json: [0][1]: expected a number"));
    EXPECT_THAT(json(R"([[1, true]])"), StartsWith("a.json: [0][1]: expected a number"));
    EXPECT_THAT(json(R"({"logical_count": 5})"), StartsWith("a.json: logical_count: expected"));
    EXPECT_THAT(json("[[1, 2]"), HasSubstr("it ends too early"));
    EXPECT_THAT(json("[[1, NaN]]"), HasSubstr("not valid JSON"));
}

TEST_F(MalformedLoads, jsonNumbersThatAreNoCountsAreRefused) {
    EXPECT_EQ(json("[[1, 2], [3, -4]]"), "a.json: [1][1]: -4 is no count");
    EXPECT_EQ(json(R"({"logical_count": [[[1, -0.5]]]})"),
              "a.json: logical_count[0][0][1]: -0.5 is no count");
    EXPECT_EQ(json("[[1e39]]"), "a.json: [0][0]: 1e+39 is no count");
    EXPECT_EQ(json("[[0, 0]]"), "a.json: every count is zero: nothing was recorded");
    EXPECT_THAT(json(R"({"logical_count": [[0]]})"), HasSubstr("every count is zero"));
    // Each of them a count, but not both together.
    EXPECT_THAT(json("[[[3e38]], [[3e38]]]"), HasSubstr("is no load of expert 0"));
}

TEST_F(MalformedLoads, moreLayersOrExpertsThanAnyModelHasAreRefused) {
    std::string rows = "[1]";
    for (int i = 0; i < 4096; ++i) {
        rows += ",[1]";
    }
    EXPECT_EQ(json("[" + rows + "]"), "a.json: has 4097 layers, 4096 at most");
    EXPECT_EQ(npy(npyHeader("<i4", "(1, 65537)"), std::string(65537 * 4, '\1')),
              "a.npy: has 65537 experts, 65536 at most");
    EXPECT_THAT(csv("layer,expert,count\n4096,0,1\n"), HasSubstr("4096 is not in 0 ... 4095"));
    EXPECT_THAT(csv("layer,expert,count\n0,65536,1\n"), HasSubstr("65536 is not in 0 ... 65535"));
}

TEST_F(MalformedLoads, jsonObjectsThatAreNoLoadsAreRefused) {
    EXPECT_EQ(json("{}"),
              "a.json: has neither \"logical_count\" nor \"format\": no recorded loads");
    EXPECT_THAT(json(R"({"physical_to_logical_map": [[0]]})"), HasSubstr("a placement of experts"));
    EXPECT_EQ(json(R"({"format": "gatescope-loads/2"})"),
              "a.json: format: written by a newer Gatescope (\"gatescope-loads/2\", this one reads "
              "\"gatescope-loads/1\")");
    EXPECT_THAT(json(R"({"format": "x"})"), HasSubstr("\"x\" is not \"gatescope-loads/1\""));
    const auto envelope = [&](const std::string& rest) {
        return json(R"({"format": "gatescope-loads/1", )" + rest + "}");
    };
    EXPECT_THAT(envelope(R"("layers": [1])"), HasSubstr("counts"));
    EXPECT_THAT(envelope(R"("counts": [[1]], "blocks": [[[1]]])"), HasSubstr("has both"));
    EXPECT_THAT(envelope(R"("counts": [[[1]]])"), HasSubstr("expected [layers][experts]"));
    EXPECT_THAT(envelope(R"("blocks": [[1]])"), HasSubstr("expected [blocks][layers][experts]"));
    EXPECT_EQ(envelope(R"("layers": [1, 2], "counts": [[1]])"),
              "a.json: layers: has another number of layers (2) than the counts (1)");
    EXPECT_EQ(envelope(R"("layers": [2, 2], "counts": [[1], [1]])"),
              "a.json: layers[1]: layer 2 after layer 2; layers ascend");
    EXPECT_THAT(envelope(R"("layers": [-1], "counts": [[1]])"), StartsWith("a.json: layers[0]: "));
}

TEST_F(MalformedLoads, csvHeadersAreChecked) {
    EXPECT_EQ(csv("layer,expert\n1,2\n"), "a.csv: line 1: there is no column \"count\"");
    EXPECT_EQ(csv("layer,expert,layer,count\n"), "a.csv: line 1: column \"layer\" appears twice");
    EXPECT_EQ(csv("layer,expert,count,phase\n"),
              "a.csv: line 1: column \"phase\" is not layer, expert, count or block");
    EXPECT_EQ(csv("layer,expert,count\n"), "a.csv: no line follows the header");
}

TEST_F(MalformedLoads, csvLinesAreChecked) {
    const auto line = [&](const std::string& text) { return csv("layer,expert,count\n" + text); };
    EXPECT_EQ(line("1,0\n"), "a.csv: line 2: has another number of fields (2) than the header (3)");
    EXPECT_EQ(line("1,0,5,6\n"),
              "a.csv: line 2: has another number of fields (4) than the header (3)");
    EXPECT_EQ(line("1,x,5\n"), "a.csv: line 2: expert: expected a whole number, found \"x\"");
    EXPECT_EQ(line("1.5,0,5\n"), "a.csv: line 2: layer: expected a whole number, found \"1.5\"");
    EXPECT_EQ(line("1,-1,5\n"), "a.csv: line 2: expert: -1 is not in 0 ... 65535");
    EXPECT_EQ(line("1,0,\n"), "a.csv: line 2: count: expected a number, found \"\"");
    EXPECT_EQ(line("1,0,-3\n"), "a.csv: line 2: -3 is no count");
    EXPECT_EQ(line("1,0,nan\n"), "a.csv: line 2: nan is no count");
    EXPECT_EQ(line("1,0,inf\n"), "a.csv: line 2: inf is no count");
    EXPECT_EQ(line("1,0,\"5\n"), "a.csv: line 2: a quote is not closed");
    EXPECT_EQ(line("1,0,\"5\"6\n"),
              "a.csv: line 2: text where a comma or the end of the line belongs");
}

TEST_F(MalformedLoads, csvCellsAreThereOnceEach) {
    EXPECT_EQ(csv("layer,expert,count\n1,0,1\n1,1,1\n1,0,2\n"),
              "a.csv: block 0, layer 1, expert 0: appears twice");
    EXPECT_THAT(csv("layer,expert,count,block\n1,0,1,0\n1,0,1,1\n1,0,1,1\n"),
                HasSubstr("block 1, layer 1, expert 0: appears twice"));
    EXPECT_THAT(csv("layer,expert,count\n1,0,1\n1,2,1\n"),
                StartsWith("a.csv: block 0, layer 1, expert 1: has no line"));
    EXPECT_THAT(csv("layer,expert,count\n1,0,1\n1,1,1\n2,0,1\n"),
                StartsWith("a.csv: block 0, layer 2, expert 1: has no line"));
    EXPECT_THAT(csv("layer,expert,count,block\n1,0,1,0\n2,0,1,0\n1,0,1,1\n"),
                StartsWith("a.csv: block 1, layer 2, expert 0: has no line"));
    EXPECT_THAT(csv("layer,expert,count,block\n1,0,1,0\n1,0,1,1\n2,0,1,1\n"),
                StartsWith("a.csv: block 0, layer 2, expert 0: has no line"));
}

TEST_F(MalformedLoads, npyHeadersAreChecked) {
    const std::string data(24, '\0');
    EXPECT_EQ(npy(npyHeader(">i4", "(2, 3)"), data),
              "a.npy: descr: \">i4\" is none of <i4, <i8, <u4, <u8, <f4 and <f8");
    EXPECT_THAT(npy("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (6,)}", data),
                HasSubstr("a table of fields"));
    EXPECT_THAT(npy(npyHeader("<i4", "(6,)"), data), HasSubstr("its dimensions (1) are not"));
    EXPECT_THAT(npy(npyHeader("<i4", "()"), data), HasSubstr("its dimensions (0) are not"));
    EXPECT_EQ(npy(npyHeader("<i4", "(2, 0)"), ""), "a.npy: it is empty");
    for (const std::string& header :
         {std::string(), std::string("{}"), npyHeader("<i4", "(2, -3)"), npyHeader("<i4", "(2, x)"),
          npyHeader("<i4", "(2 3)"), npyHeader("<i4", "(99999999999999999999, 2)"),
          npyHeader("<i4", "(2, 3)", "None"), npyHeader("<i4", "(2, 3)") + "x",
          std::string("{'descr': '<i4', 'shape': (2, 3)}"), std::string("{'descr"),
          std::string(
              "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2, 3)}")}) {
        EXPECT_EQ(npy(header, data), "a.npy: the header is not one that NumPy writes") << header;
    }
    EXPECT_THAT(refusal("a.npy", npyText(npyHeader("<i4", "(2, 3)"), data, 4)),
                HasSubstr("version 4 of NumPy's format is unknown"));
}

TEST_F(MalformedLoads, npyDataIsWhatTheHeaderSays) {
    EXPECT_EQ(npy(npyHeader("<i4", "(2, 3)"), std::string(23, '\1')),
              "a.npy: its 23 bytes of data are not 1 x 2 x 3 numbers of 4 bytes");
    EXPECT_THAT(npy(npyHeader("<i4", "(2, 3)"), std::string(25, '\1')), HasSubstr("its 25 bytes"));
    EXPECT_THAT(npy(npyHeader("<i8", "(9223372036854775807, 4096, 65536)"), "12345678"),
                HasSubstr("its 8 bytes"));
    EXPECT_THAT(npy(npyHeader("<i8", "(2305843009213693952, 1, 1)"), ""), HasSubstr("its 0 bytes"));
    EXPECT_EQ(npy(npyHeader("<f4", "(1, 2)"), bytesOf<float>({1, std::nanf("")})),
              "a.npy: [0][1]: nan is no count");
    EXPECT_EQ(npy(npyHeader("<i8", "(1, 1, 2)"), bytesOf<std::int64_t>({1, -7})),
              "a.npy: [0][0][1]: -7 is no count");
    const std::string whole = npyText(npyHeader("<i4", "(1, 1)"), bytesOf<std::int32_t>({1}));
    for (std::size_t size = 6; size < whole.size(); ++size) {
        EXPECT_THAT(refusal("a.npy", whole.substr(0, size)), StartsWith("a.npy: ")) << size;
    }
}

TEST_F(MalformedLoads, changedBytesNeverDoMoreThanRefuse) {
    const std::string array = npyText(npyHeader("<i4", "(2, 3)"), std::string(24, '\1'));
    const std::string table = "layer,expert,count\r\n3,0,\"5\"\r\n3,1,6\r\n4,0,7\r\n4,1,8\r\n";
    test::tryChanged(array, 5000,
                     [](std::span<const std::byte> bytes) { readNpyLoads(bytes, "a.npy"); });
    test::tryChanged(table, 5000,
                     [](std::span<const std::byte> bytes) { readCsvLoads(bytes, "a.csv"); });
}

}  // namespace
}  // namespace gatescope
