// SPDX-License-Identifier: Apache-2.0
#include "engine/report/collect_report.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>

#include "engine/error.h"
#include "engine/model/interventions.h"
#include "engine/report/model_facts.h"
#include "engine/session/session_store.h"
#include "tests/engine/checkpoint/test_folder.h"
#include "tests/engine/report/report_sessions.h"

namespace gatescope::test {
namespace {

using testing::HasSubstr;

void expectSame(const PhaseLoad& a, const PhaseLoad& b) {
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.mtpTokens, b.mtpTokens);
    EXPECT_EQ(a.counts, b.counts);
    EXPECT_EQ(a.stepSizes, b.stepSizes);
    EXPECT_EQ(a.mtpStepSizes, b.mtpStepSizes);
    ASSERT_EQ(a.gateMass.size(), b.gateMass.size());
    for (std::size_t i = 0; i < a.gateMass.size(); ++i) {
        EXPECT_NEAR(a.gateMass[i], b.gateMass[i], 1e-9);
    }
    ASSERT_EQ(a.stepMaxVio.size(), b.stepMaxVio.size());
    for (std::size_t i = 0; i < a.stepMaxVio.size(); ++i) {
        EXPECT_NEAR(a.stepMaxVio[i], b.stepMaxVio[i], 1e-9);
    }
}

class CollectReport : public testing::Test {
  protected:
    ReportValue collect(const ReportRequest& request = {}) const {
        return collectReport(file, request);
    }
    void execute(const std::string& sql) const {
        SQLite::Database(file, SQLite::OPEN_READWRITE).exec(sql);
    }
    TestFolder folder;
    const std::filesystem::path file = folder / "s.db";
};

/// The other way: whole sessions in memory, one counter for all.
TEST_F(CollectReport, CountsWhatCountersOverWholeSessionsCount) {
    {
        ReportSessions sessions(file);
        for (int i = 0; i < 7; ++i) sessions.answer(sessions.begin(), "Hello", 20 + i);
    }
    const SessionStore store(file);
    RoutingLoadCounter load(store.load(1).info.shape);
    SpeculationCounter speculation(store.load(1).info.shape);
    CoactivationCounter pairs(store.load(1).info.shape);
    std::int64_t decided = 0;
    for (std::int64_t session = 1; session <= 7; ++session) {
        for (const StoredTurn& turn : store.load(session).turns) {
            for (const StepTrace& step : turn.steps) {
                load.add(step);
                speculation.add(step);
                for (const RoutedToken& token : step.tokens) {
                    pairs.add(token, false);
                    if (token.phase != Phase::Rejected && !token.special) {
                        decided += std::popcount(token.routing.biasDecided[1]);
                    }
                }
                for (const RoutedToken& token : step.mtp) pairs.add(token, true);
            }
        }
    }
    for (const int threads : {1, 2, 5}) {
        ReportRequest request;
        request.threads = threads;
        const ReportValue report = collect(request);
        for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
            expectSame(report.load->phases[phase], load.load().phases[phase]);
            expectSame(report.load->special[phase], load.load().special[phase]);
        }
        EXPECT_EQ(report.pairs[2].pairs.size(), pairs.value(2).topPairs(kReportedPairs).size());
        EXPECT_EQ(report.pairs[2].pairs.front().count,
                  pairs.value(2).topPairs(kReportedPairs).front().count);
        EXPECT_EQ(report.pairs[3].tokens, pairs.value(3).n);
        ASSERT_TRUE(report.speculation);
        EXPECT_EQ(report.speculation->all.accepted, speculation.accepted());
        EXPECT_EQ(report.speculation->all.histogram, speculation.value().all.histogram);
        EXPECT_NEAR(report.speculation->gain.gain, speculation.gain().gain, 1e-9);
        EXPECT_NEAR(report.bias[1].biasDecided * static_cast<double>(report.bias[1].tokens) * 2,
                    static_cast<double>(decided), 1e-6);
        EXPECT_EQ(report.cache->answers, 7);
        EXPECT_EQ(report.sessions.size(), 7U);
    }
}

TEST_F(CollectReport, IsTheSameToTheBitForAnyNumberOfThreads) {
    {
        ReportSessions sessions(file);
        for (int i = 0; i < 23; ++i) sessions.answer(sessions.begin(), "Hello", 9);
    }
    ReportRequest request;
    request.threads = 1;
    const ReportValue one = collect(request);
    request.threads = 4;
    const ReportValue four = collect(request);
    for (std::size_t phase = 0; phase < kPhaseCount; ++phase) {
        EXPECT_EQ(one.load->phases[phase].gateMass, four.load->phases[phase].gateMass);
        EXPECT_EQ(one.load->phases[phase].stepMaxVio, four.load->phases[phase].stepMaxVio);
    }
    EXPECT_EQ(one.speculation->gain.tokensPerSecond, four.speculation->gain.tokensPerSecond);
}

TEST_F(CollectReport, OfAnAnswerTakenBackOnlyThePromptCounts) {
    {
        ReportSessions sessions(file);
        const std::int64_t session = sessions.begin();
        const int taken = sessions.answer(session, "Hello", 10);
        sessions.log().replaceTurn(session, taken);
        sessions.answer(session, "Hello", 3);
    }
    const ReportValue report = collect();
    const unsigned prefill = 1U << static_cast<unsigned>(Phase::Prefill);
    EXPECT_EQ(report.load->tokens(0, prefill), 2 * 4);  // without BOS
    EXPECT_EQ(report.load->special[0].tokens, 2);
    ASSERT_EQ(report.sessions.front().answers.size(), 1U);
    EXPECT_EQ(report.sessions.front().answers.front().answerTokens, 3);
    EXPECT_EQ(report.sessions.front().answers.front().promptTokens, 5);
}

TEST_F(CollectReport, ChangedRoutingIsLeftOutAndSaid) {
    {
        ReportSessions sessions(file);
        GenerationParams changed;
        auto interventions = std::make_shared<Interventions>();
        LayerIntervention& layer = interventions->layers.emplace_back();
        layer.layer = 1;
        layer.off = {3};
        changed.interventions = interventions;
        sessions.answer(sessions.begin(), "Hello", 4, changed);
        sessions.answer(sessions.begin(), "Hello", 4);
    }
    const ReportValue report = collect();
    EXPECT_EQ(report.changedRoutingAnswers, 1);
    const unsigned prefill = 1U << static_cast<unsigned>(Phase::Prefill);
    EXPECT_EQ(report.load->tokens(0, prefill), 4);
    ReportRequest changedOnly;
    changedOnly.sessions = {1};
    EXPECT_THAT(errorOf([&] { collect(changedOnly); }), HasSubstr("interventions"));
}

TEST_F(CollectReport, SessionsOfTwoModelsAreNotMixed) {
    {
        ReportSessions sessions(file);
        sessions.answer(sessions.begin(), "Hello", 4);
        sessions.info.modelFingerprint = "another";
        sessions.answer(sessions.begin(), "Hello", 4);
    }
    EXPECT_THAT(
        errorOf([&] { collect(); }),
        testing::AllOf(HasSubstr("s.db: session 2"), HasSubstr("session 1"), HasSubstr("another")));
}

TEST_F(CollectReport, DeletedSessionsAreNotThere) {
    {
        ReportSessions sessions(file);
        sessions.answer(sessions.begin(), "Hello", 4);
        const std::int64_t deleted = sessions.begin();
        sessions.answer(deleted, "Hello", 4);
        sessions.log().remove(deleted);
    }
    EXPECT_EQ(collect().sessions.size(), 1U);
    ReportRequest request;
    request.sessions = {2};
    EXPECT_THAT(errorOf([&] { collect(request); }), HasSubstr("session 2"));
}

TEST_F(CollectReport, PromptsAreHashedUnlessWanted) {
    {
        ReportSessions sessions(file);
        sessions.answer(sessions.begin(), "abc", 2);
    }
    const auto first = [this](PromptDetail prompts) {
        ReportRequest request;
        request.prompts = prompts;
        return collect(request).sessions.front();
    };
    const ReportedSession hashed = first(PromptDetail::Hashes);
    // FIPS 180-2, appendix B.1
    EXPECT_EQ(hashed.answers.front().promptHash,
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hashed.answers.front().prompt, "");
    EXPECT_EQ(hashed.title, "");
    EXPECT_EQ(first(PromptDetail::None).answers.front().promptHash, "");
    EXPECT_EQ(first(PromptDetail::Texts).answers.front().prompt, "abc");
    EXPECT_EQ(first(PromptDetail::Texts).title, "a title");
}

TEST_F(CollectReport, DamageIsOneSentenceWithItsPlace) {
    {
        ReportSessions sessions(file);
        sessions.answer(sessions.begin(), "Hello", 4);
    }
    execute("UPDATE routing SET routing = x'0102' WHERE seq = 2");
    EXPECT_THAT(errorOf([&] { collect(); }),
                testing::AllOf(HasSubstr("s.db"), HasSubstr("session 1, turn 1, step 2")));
}

TEST_F(CollectReport, CanBeCancelledAtAnyCall) {
    {
        ReportSessions sessions(file);
        for (int i = 0; i < 40; ++i) sessions.answer(sessions.begin(), "Hello", 30);
    }
    int all = 0;
    collectReport(file, {}, [&all](std::string_view, std::uint64_t, std::uint64_t) {
        ++all;
        return true;
    });
    ASSERT_GT(all, 3);
    for (int stopAt : {1, 2, all / 2}) {
        int calls = 0;
        EXPECT_THROW(collectReport(file, {},
                                   [&](std::string_view, std::uint64_t, std::uint64_t) {
                                       return ++calls < stopAt;
                                   }),
                     Cancelled);
    }
}

TEST_F(CollectReport, ComparesTwoGroupsThatShareNothing) {
    {
        ReportSessions sessions(file);
        for (int i = 0; i < 4; ++i) sessions.answer(sessions.begin(), "Hello", 60);
    }
    ReportRequest request;
    request.sessions = {1, 2};
    request.against = {3, 4};
    request.comparison.permutations = 99;
    const ReportValue report = collect(request);
    ASSERT_TRUE(report.comparison);
    EXPECT_EQ(report.comparison->pair.layers.size(), 4U);
    EXPECT_EQ(report.sessions.size(), 4U);
    request.against = {2};
    EXPECT_THAT(errorOf([&] { collect(request); }), HasSubstr("both groups"));
}

TEST_F(CollectReport, AComparisonCountsEachSessionOnceAndNoChangedRouting) {
    {
        ReportSessions sessions(file);
        for (int i = 0; i < 2; ++i) sessions.answer(sessions.begin(), "Hello", 60);
        GenerationParams changed;
        auto interventions = std::make_shared<Interventions>();
        LayerIntervention& layer = interventions->layers.emplace_back();
        layer.layer = 1;
        layer.off = {3};
        changed.interventions = interventions;
        sessions.answer(1, "Hello", 60, changed);
    }
    ReportRequest request;
    request.sessions = {1, 1};
    request.against = {2, 2};
    request.comparison.permutations = 99;
    const ReportValue report = collect(request);
    EXPECT_EQ(report.changedRoutingAnswers, 1);
    const RoutingLoad& a = *report.comparison->pair.loadA;
    const RoutingLoad& b = *report.comparison->pair.loadB;
    EXPECT_EQ(a.tokens(0, kDefaultPhases) + b.tokens(0, kDefaultPhases),
              report.load->tokens(0, kDefaultPhases));
    request.sessions.clear();
    EXPECT_THAT(errorOf([&] { collect(request); }), HasSubstr("both sides"));
}

TEST_F(CollectReport, StopsWhenToldTo) {
    {
        ReportSessions sessions(file);
        sessions.answer(sessions.begin(), "Hello", 60);
    }
    std::stop_source stop;
    stop.request_stop();
    EXPECT_THROW(collectReport(file, {}, {}, stop.get_token()), Cancelled);
}

TEST_F(CollectReport, APlacementHasARedundantExpertForEachGpu) {
    {
        ReportSessions sessions(file);
        for (int i = 0; i < 4; ++i) sessions.answer(sessions.begin(), "Hello", 40);
    }
    ReportRequest request;
    request.placement.emplace();
    request.placement->shape.slots = 0;
    request.placement->shape.gpus = 4;
    const ReportValue report = collect(request);
    ASSERT_TRUE(report.placement);
    EXPECT_EQ(report.placement->placement.slots, 12);
    EXPECT_TRUE(report.placement->fromSessions);
    EXPECT_TRUE(report.placement->heldOut);
    request.placement->shape.gpus = 3;  // 8 experts: 3, 3, 2 and one more each
    EXPECT_EQ(collect(request).placement->placement.slots, 12);
}

TEST(ReportOfLoads, CountsAreTokensTimesK) {
    const TestFolder folder;
    const auto write = [&](const std::string& json) {
        std::ofstream(folder / "l.json") << json;
        return folder / "l.json";
    };
    const ReportValue report =
        reportOfLoads(write("[[3, 1, 2, 2], [4, 4, 0, 0]]"), {2, 1, 1}, ReportRequest());
    EXPECT_EQ(report.source, ReportSource::Loads);
    EXPECT_EQ(report.load->tokens(1, kDefaultPhases), 4);
    EXPECT_DOUBLE_EQ(report.balance.rows[1].maxVio.value, 1);
    EXPECT_THAT(errorOf([&] {
                    reportOfLoads(write("[[3, 1, 2, 3]]"), {2, 1, 1}, ReportRequest());
                }),
                testing::AllOf(HasSubstr("row 0"), HasSubstr("k = 2")));
    EXPECT_THAT(
        errorOf([&] {
            reportOfLoads(write("[[3, 1, 2, 2], [2, 2, 1, 1]]"), {2, 1, 1}, ReportRequest());
        }),
        HasSubstr("row 1"));
    EXPECT_THAT(errorOf([&] {
                    reportOfLoads(write("[[3.5, 0.5, 2, 2]]"), {2, 1, 1}, ReportRequest());
                }),
                HasSubstr("sample size"));
}

TEST(ModelFacts, QuantisationIsReadFromTheConfiguration) {
    EXPECT_EQ(quantisationText(R"({"torch_dtype": "bfloat16"})"), "bfloat16");
    EXPECT_EQ(
        quantisationText(
            R"({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}})"),
        "FP8 (E4M3), blocks of 128 x 128");
    EXPECT_EQ(quantisationText("not JSON"), "");
    EXPECT_EQ(quantisationText("[]"), "");
}

TEST(ModelFacts, BiasIsDescribedAgainstTheLoadThatItAnswers) {
    ReportedBiasRow row;
    describeBias(row, {0.0F, 1.0F, 2.0F, 5.0F}, {9, 5, 4, 2});
    EXPECT_DOUBLE_EQ(row.largest, 3);
    EXPECT_DOUBLE_EQ(row.deviation, std::sqrt((4 + 1 + 0 + 9) / 4.0));
    EXPECT_EQ(row.raised, 2);   // 4 and 2, below the mean of 5
    EXPECT_EQ(row.lowered, 1);  // 9
    EXPECT_DOUBLE_EQ(row.loadCorrelation, -1);
    ReportedBiasRow unknown;
    describeBias(unknown, {}, {9, 5, 4, 2});
    EXPECT_TRUE(std::isnan(unknown.deviation));
}

}  // namespace
}  // namespace gatescope::test
