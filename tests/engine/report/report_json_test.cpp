// SPDX-License-Identifier: Apache-2.0
#include "engine/report/report_json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/error.h"
#include "tests/engine/report/synthetic_report.h"

namespace gatescope {
namespace {

using Json = nlohmann::json;

std::string smallReport() {
    return reportJson(syntheticReport(smallShape(), 1));
}

std::string errorOf(const std::string& bytes) {
    try {
        reportFromJson(bytes, "r.json");
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

TEST(ReportJson, ReadAndWrittenAgainItIsTheSameBytes) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        const std::string once = reportJson(syntheticReport(smallShape(), seed));
        EXPECT_EQ(reportJson(reportFromJson(once, "r.json")), once);
    }
}

TEST(ReportJson, AReportOfTheLargestModelIsSmallAndComesBack) {
    const std::string once = reportJson(syntheticReport(v3Shape(), 7));
    EXPECT_LT(once.size(), 6'000'000U);
    EXPECT_EQ(reportJson(reportFromJson(once, "r.json")), once);
}

TEST(ReportJson, WhatIsAbsentStaysAbsent) {
    ReportValue report = syntheticReport(smallShape(), 2);
    report.source = ReportSource::Loads;
    report.bias.clear();
    report.pairs.clear();
    report.sessions.clear();
    report.cache.reset();
    report.speculation.reset();
    report.comparison.reset();
    report.placement.reset();
    const std::string once = reportJson(report);
    const ReportValue again = reportFromJson(once, "r.json");
    EXPECT_EQ(reportJson(again), once);
    EXPECT_EQ(again.source, ReportSource::Loads);
    EXPECT_FALSE(again.cache || again.speculation || again.comparison || again.placement);
}

TEST(ReportJson, ScriptsFindCountsByRowAndExpert) {
    const ReportValue report = syntheticReport(smallShape(), 3);
    const Json json = Json::parse(reportJson(report));
    EXPECT_EQ(json["format"], "moe-routing-report/1");
    ASSERT_EQ(json["layers"].size(), report.balance.rows.size());
    for (std::size_t row = 0; row < report.balance.rows.size(); ++row) {
        const BalanceRow& balance = report.balance.rows[row];
        EXPECT_EQ(json["layers"][row]["layer"], balance.layer);
        ASSERT_EQ(json["layers"][row]["experts"].size(), balance.experts.size());
        for (std::size_t e = 0; e < balance.experts.size(); ++e) {
            const Json& expert = json["layers"][row]["experts"][e];
            EXPECT_EQ(expert["count"], balance.experts[e].count);
            EXPECT_NEAR(expert["relative_load"].get<double>(), balance.experts[e].relativeLoad,
                        1e-5);
        }
        for (const auto& [id, metric] : json["layers"][row]["metrics"].items()) {
            EXPECT_TRUE(json["definitions"].contains(id)) << id;
        }
    }
}

TEST(ReportJson, NumbersThatAreNoneComeBack) {
    ReportValue report = syntheticReport(smallShape(), 4);
    report.bias[0].deviation = std::numeric_limits<double>::quiet_NaN();
    report.bias[0].largest = -std::numeric_limits<double>::infinity();
    const ReportValue again = reportFromJson(reportJson(report), "r.json");
    EXPECT_TRUE(std::isnan(again.bias[0].deviation));
    EXPECT_EQ(again.bias[0].largest, -std::numeric_limits<double>::infinity());
    EXPECT_EQ(again.bias[0].bias, report.bias[0].bias);
    EXPECT_EQ(again.sessions[0].answers[0].seed, report.sessions[0].answers[0].seed);
}

TEST(ReportJson, BytesThatAreNoTextAreReplaced) {
    ReportValue report = syntheticReport(smallShape(), 5);
    report.sessions[0].title = "a\xFF";
    EXPECT_EQ(reportFromJson(reportJson(report), "r").sessions[0].title, "a\xEF\xBF\xBD");
}

TEST(ReportJson, UnknownKeysAreLeftAlone) {
    Json json = Json::parse(smallReport());
    json["somebody"] = {{"else", "s"}};
    json["layers"][0]["note"] = 1;
    EXPECT_EQ(errorOf(json.dump()), "");
}

TEST(ReportJson, OtherVersionsAndOtherFilesAreRefused) {
    Json json = Json::parse(smallReport());
    json["format"] = "moe-routing-report/2";
    EXPECT_EQ(errorOf(json.dump()), "r.json: format: is a version that this program does not read");
    EXPECT_NE(errorOf("[]"), "");
    EXPECT_NE(errorOf("{}"), "");
    EXPECT_NE(errorOf(std::string(100'000, '[')), "");
}

TEST(ReportJson, APieceOfAReportIsRefused) {
    const std::string whole = smallReport();
    for (std::size_t size = 0; size + 2 < whole.size(); size += 211) {
        EXPECT_NE(errorOf(whole.substr(0, size)), "") << size;
    }
}

/// Calls visit(place) for places of all kinds: the first two elements of every array.
void forEachPlace(const Json& json, const Json::json_pointer& at,
                  const std::function<void(const Json::json_pointer&)>& visit) {
    if (!at.empty()) {
        visit(at);
    }
    if (json.is_object()) {
        for (const auto& [key, value] : json.items()) {
            forEachPlace(value, at / key, visit);
        }
    } else if (json.is_array()) {
        for (std::size_t i = 0; i < std::min<std::size_t>(json.size(), 2); ++i) {
            forEachPlace(json[i], at / i, visit);
        }
    }
}

TEST(ReportJson, WhateverStandsInAPlaceIsReadOrRefused) {
    const Json whole = Json::parse(smallReport());
    const std::vector<Json> hostile = {nullptr, "x",       true,          -1,
                                       1e300,   1LL << 62, Json::array(), Json::object()};
    std::size_t turn = 0;
    std::size_t refused = 0;
    forEachPlace(whole, Json::json_pointer(), [&](const Json::json_pointer& at) {
        Json changed = whole;
        changed[at] = hostile[turn++ % hostile.size()];
        const std::string error = errorOf(changed.dump());
        if (!error.empty()) {
            ++refused;
            EXPECT_EQ(error.rfind("r.json: ", 0), 0U) << error;
        }
    });
    EXPECT_GT(refused, turn / 2);
}

TEST(ReportJson, SizesThatDoNotFitAreNamed) {
    const Json whole = Json::parse(smallReport());
    const auto errorWith = [&](const char* place, const Json& value) {
        Json changed = whole;
        changed[Json::json_pointer(place)] = value;
        return errorOf(changed.dump());
    };
    EXPECT_NE(errorWith("/routing/experts", 5000).find("routing.experts"), std::string::npos);
    EXPECT_NE(errorWith("/routing/top_k", 33).find("routing.top_k"), std::string::npos);
    EXPECT_NE(errorWith("/layers/0/phases/decode/counts", {1, 2}).find("2 elements"),
              std::string::npos);
    EXPECT_NE(errorWith("/layers/0/phases/decode/counts/0", -1), "");
    EXPECT_NE(errorWith("/false_discovery_rate", 0), "");
    EXPECT_NE(errorWith("/placement/placement/physical_to_logical/0", 8), "");
    EXPECT_NE(errorWith("/placement/layers/layers/0", 3), "");
    EXPECT_NE(errorWith("/comparison/pair/experts/0/expert", 8), "");
}

}  // namespace
}  // namespace gatescope
