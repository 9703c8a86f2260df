// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cli/routing_map.h"

namespace gatescope::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Terminal, ModelTextCannotSteerTheTerminal) {
    EXPECT_EQ(withoutControls("a\x1b[2J\x07z\r\x7f"), "a\\x1b[2J\\x07z\\x0d\\x7f");
    EXPECT_EQ(withoutControls("\xC2\x9B"
                              "31m"),
              "\\x9b31m");  // C1: CSI in one character
    EXPECT_EQ(withoutControls("\xE2\x80\xAE"
                              "x"),
              "\\u{202e}x");  // right-to-left override
    EXPECT_EQ(withoutControls(std::string_view("\0", 1)), "\\x00");
    EXPECT_EQ(withoutControls("line\n\ttab"), "line\n\ttab");
    EXPECT_EQ(withoutControls("专家 \xF0\x9F\x98\x80 é"), "专家 \xF0\x9F\x98\x80 é");
    EXPECT_EQ(withoutControls("\xE4\xB8").size(), 2);  // cut off: nothing is read beyond the end
}

TEST(Terminal, NumbersHaveThreeDigits) {
    EXPECT_EQ(bytesText(0), "0 B");
    EXPECT_EQ(bytesText(999), "999 B");
    EXPECT_EQ(bytesText(2304), "2.30 kB");
    EXPECT_EQ(bytesText(999600), "1.00 MB");
    EXPECT_EQ(bytesText(70272e6), "70.3 GB");
    EXPECT_EQ(countText(9999), "9999");
    EXPECT_EQ(countText(13.1e6), "13.1 M");
    EXPECT_EQ(countText(671.03e9), "671 B");
}

/// Two MoE layers of 8 experts, top 2, and an MTP layer.
RoutingShape smallShape() {
    RoutingShape shape;
    shape.layers = {1, 2};
    shape.mtpLayer = 3;
    shape.totalLayers = 3;
    shape.experts = 8;
    shape.topK = 2;
    return shape;
}

RoutedToken token(Phase phase, std::vector<std::uint16_t> experts) {
    RoutedToken routed;
    routed.phase = phase;
    routed.routing.weights.assign(experts.size(), 0.5F);
    routed.routing.margins.assign(experts.size() / 2, 0.1F);
    routed.routing.biasDecided.assign(experts.size() / 2, 0);
    routed.routing.experts = std::move(experts);
    return routed;
}

TEST(RoutingMap, LineNamesTheBusiestExpertWithItsBaseline) {
    RoutingLoadCounter counter(smallShape());
    EXPECT_EQ(routingLine(counter.load()), "");
    for (int i = 0; i < 4; ++i) counter.add(token(Phase::Decode, {0, 1, 6, 7}), false);
    counter.add(token(Phase::Decode, {2, 3, 6, 5}), false);
    counter.add(token(Phase::Rejected, {2, 3, 2, 3}), false);  // no output: does not count
    // Layer 2, expert 6: 5 of 10 choices, 8 experts: 4 times the fair share.
    const std::string line = routingLine(counter.load());
    EXPECT_THAT(line, HasSubstr("layer 2 expert 6, 4.0 x"));
    EXPECT_THAT(line, HasSubstr("MaxVio there 3.00 (n 5, uniform router "));
}

TEST(RoutingMap, HasARowForEveryLayerWithNAndBaseline) {
    RoutingLoadCounter counter(smallShape());
    counter.add(token(Phase::Prefill, {0, 1, 6, 7}), false);
    const std::string map = routingMap(counter.load(), {false, 80});
    EXPECT_THAT(map, HasSubstr("L 1 "));
    EXPECT_THAT(map, HasSubstr("L 2 "));
    EXPECT_THAT(map, HasSubstr("MTP   no tokens yet"));
    EXPECT_THAT(map, HasSubstr("3.00"));  // MaxVio of one token: E/k - 1
    EXPECT_THAT(map, HasSubstr("may be chance"));
    EXPECT_THAT(map, Not(HasSubstr("\x1b")));
    EXPECT_THAT(routingMap(counter.load(), {true, 80}), HasSubstr("\x1b[48;5;"));
}

TEST(RoutingMap, ManyExpertsShareCells) {
    RoutingShape shape = smallShape();
    shape.experts = 256;
    RoutingLoadCounter counter(shape);
    counter.add(token(Phase::Prefill, {0, 255, 6, 7}), false);
    const std::string map = routingMap(counter.load(), {false, 80});
    EXPECT_THAT(map, HasSubstr("a cell is the largest of 7"));
    std::size_t longest = 0;
    for (std::size_t at = 0; at < map.size();) {
        const std::size_t end = map.find('\n', at);
        longest = std::max(longest, end - at);
        at = end + 1;
    }
    EXPECT_LE(longest, 100);
}

}  // namespace
}  // namespace gatescope::cli
