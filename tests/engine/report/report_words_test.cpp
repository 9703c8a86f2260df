// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_words.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gatescope {
namespace {

TEST(ReportWords, BothLanguagesTakeTheSameValues) {
    const ReportWords english(ReportLanguage::English);
    const ReportWords chinese(ReportLanguage::SimplifiedChinese);
    EXPECT_EQ(english("{} of {}", "{1} 中的 {0}", 3, 8), "3 of 8");
    EXPECT_EQ(chinese("{} of {}", "{1} 中的 {0}", 3, 8), "8 中的 3");
    EXPECT_STREQ(english("a {", "b {"), "a {");  // no values: no format
    EXPECT_EQ(reportLanguageFromName("zh"), ReportLanguage::SimplifiedChinese);
    EXPECT_FALSE(reportLanguageFromName("de"));
}

TEST(ReportNumbers, HaveThreeSignificantDigits) {
    EXPECT_EQ(threeDigitText(0), "0");
    EXPECT_EQ(threeDigitText(1), "1.00");
    EXPECT_EQ(threeDigitText(0.012345), "0.0123");
    EXPECT_EQ(threeDigitText(9.996), "10.0");
    EXPECT_EQ(threeDigitText(99.96), "100");
    EXPECT_EQ(threeDigitText(999.6), "1\u202f000");
    EXPECT_EQ(threeDigitText(71424), "71\u202f400");
    EXPECT_EQ(threeDigitText(-2.5), "\u22122.50");
    EXPECT_EQ(threeDigitText(1.25e-5), "1.25e-05");
    EXPECT_EQ(threeDigitText(3.2e8), "3.20e+08");
    EXPECT_EQ(threeDigitText(std::nan("")), "\u2013");
    EXPECT_EQ(threeDigitText(-std::numeric_limits<double>::infinity()), "\u2212\u221e");
    EXPECT_EQ(signedDigitText(0.5), "+0.500");
    EXPECT_EQ(signedDigitText(0), "0");
}

TEST(ReportNumbers, WholeNumbersKeepEveryDigit) {
    EXPECT_EQ(wholeNumber(0), "0");
    EXPECT_EQ(wholeNumber(999), "999");
    EXPECT_EQ(wholeNumber(1234567), "1\u202f234\u202f567");
    EXPECT_EQ(wholeNumber(-1000), "\u22121\u202f000");
}

TEST(ReportNumbers, SharesBytesAndIntervals) {
    EXPECT_EQ(percentage(0.8413), "84.1\u202f%");
    EXPECT_EQ(byteSize(70272), "68.6\u202fKiB");
    EXPECT_EQ(byteSize(0), "0\u202fB");
    EXPECT_EQ(probabilityText(0), "< 1e-300");
    EXPECT_EQ(probabilityText(0.05), "0.0500");
    const ReportWords english(ReportLanguage::English);
    EXPECT_EQ(withInterval(english, 0.84, 0.81, 0.87), "0.840 (0.810 to 0.870)");
    EXPECT_EQ(withInterval(english, 0.84, std::nan(""), 0.87), "0.840");
}

}  // namespace
}  // namespace gatescope
