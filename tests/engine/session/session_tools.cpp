// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/session/session_tools.h"

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

namespace gatescope::test {

namespace {

void expectSameNumber(float actual, float expected) {
    if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual));
    } else {
        EXPECT_EQ(actual, expected);  // as numbers: SQLite keeps -0.0 as 0
    }
}

void expectSame(const RoutedToken& actual, const RoutedToken& expected) {
    EXPECT_EQ(actual.position, expected.position);
    EXPECT_EQ(actual.tokenId, expected.tokenId);
    EXPECT_EQ(actual.phase, expected.phase);
    EXPECT_EQ(actual.special, expected.special);
    EXPECT_EQ(actual.routing.experts, expected.routing.experts);
    EXPECT_EQ(actual.routing.weights, expected.routing.weights);
    EXPECT_EQ(actual.routing.margins, expected.routing.margins);
    EXPECT_EQ(actual.routing.biasDecided, expected.routing.biasDecided);
    EXPECT_EQ(actual.routing.scores, nullptr);
}

void expectSame(const SpeculativeStep& actual, const SpeculativeStep& expected) {
    EXPECT_EQ(actual.source, expected.source);
    EXPECT_EQ(actual.accepted, expected.accepted);
    EXPECT_EQ(actual.matchLength, expected.matchLength);
    EXPECT_EQ(actual.distinctExperts, expected.distinctExperts);
    EXPECT_EQ(actual.wastedExperts, expected.wastedExperts);
    ASSERT_EQ(actual.drafts.size(), expected.drafts.size());
    for (std::size_t i = 0; i < expected.drafts.size(); ++i) {
        EXPECT_EQ(actual.drafts[i].id, expected.drafts[i].id);
        expectSameNumber(actual.drafts[i].draftProbability, expected.drafts[i].draftProbability);
        expectSameNumber(actual.drafts[i].targetProbability, expected.drafts[i].targetProbability);
    }
}

void expectSame(const std::vector<RoutedToken>& actual, const std::vector<RoutedToken>& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        expectSame(actual[i], expected[i]);
    }
}

}  // namespace

TempFolder::TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "gatescope-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("no temporary folder: " + name);
    }
    m_path = name;
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(m_path, ignored);
}

std::string Arbitrary::bytes() {
    static const std::vector<std::string> kinds = {"word",
                                                   "",
                                                   std::string("a\0b", 3),
                                                   std::string(1, '\0'),
                                                   "\xF0\x9F\xA6\x8A",
                                                   "\xF0\x9F",
                                                   "\xFF\xFE",
                                                   "\xC3",
                                                   "\xE4\xB8\xAD\xE6\x96\x87",
                                                   "\"'; DROP TABLE turns; --"};
    return kinds[below(static_cast<std::uint32_t>(kinds.size()))];
}

std::string Arbitrary::text() {
    return bytes() + bytes() + " " + bytes() + bytes();
}

float Arbitrary::number() {
    switch (below(8)) {
        case 0:
            return std::numeric_limits<float>::quiet_NaN();
        case 1:
            return std::numeric_limits<float>::infinity();
        case 2:
            return std::numeric_limits<float>::denorm_min();
        case 3:
            return -0.0F;
        default:
            return static_cast<float>(below(1U << 30)) / 1.1e9F;
    }
}

std::int64_t Arbitrary::large() {
    return static_cast<std::int64_t>(m_random());
}

TokenEvent Arbitrary::token() {
    TokenEvent token;
    token.position = static_cast<std::int32_t>(below(1U << 31));
    token.id = static_cast<std::int32_t>(below(200'000));
    token.bytes = bytes();
    token.probability = number();
    token.rawProbability = number();
    for (std::uint32_t i = below(4); i > 0; --i) {
        token.alternatives.push_back({static_cast<std::int32_t>(below(1000)), number()});
    }
    token.draft = static_cast<TokenEvent::Draft>(below(4));
    token.rejectedDraftId = static_cast<std::int32_t>(below(100)) - 1;
    token.step = large();
    return token;
}

TokenRouting Arbitrary::routing(int rows) {
    TokenRouting routing;
    for (int row = 0; row < rows; ++row) {
        for (int j = 0; j < 3; ++j) {
            routing.experts.push_back(static_cast<std::uint16_t>(below(300)));
            routing.weights.push_back(static_cast<float>(below(1000)) / 999);
        }
        routing.margins.push_back(static_cast<float>(below(1000)) / 777);
        routing.biasDecided.push_back(below(8));
    }
    return routing;
}

RoutedToken Arbitrary::routed(int rows) {
    RoutedToken token;
    token.position = static_cast<std::int32_t>(below(4096));
    token.tokenId = static_cast<std::int32_t>(below(4096));
    token.phase = static_cast<Phase>(below(kPhaseCount));
    token.special = below(2) == 1;
    token.routing = routing(rows);
    return token;
}

SpeculativeStep Arbitrary::speculation() {
    SpeculativeStep step;
    step.source = static_cast<DraftSource>(below(2));
    for (std::uint32_t i = below(kMaxDrafts + 1); i > 0; --i) {
        step.drafts.push_back({static_cast<std::int32_t>(below(99)), number(), number()});
    }
    step.accepted = static_cast<int>(below(static_cast<std::uint32_t>(step.drafted()) + 1));
    step.matchLength = static_cast<int>(below(40));
    if (below(3) > 0) {  // recorded; info() has three layers
        for (int layer = 0; layer < 3; ++layer) {
            step.distinctExperts.push_back(static_cast<std::uint16_t>(below(1U << 16)));
            step.wastedExperts.push_back(static_cast<std::uint16_t>(below(1U << 16)));
        }
    }
    return step;
}

StepTrace Arbitrary::step() {
    StepTrace step;
    step.step = large();
    for (std::uint32_t i = below(4); i > 0; --i) {
        step.tokens.push_back(routed(static_cast<int>(below(5))));
    }
    for (std::uint32_t i = below(3); i > 0; --i) {
        step.mtp.push_back(routed(1));
    }
    if (below(2) == 1) {
        step.speculation = speculation();
    }
    step.timing = {large(), large(), large(), large()};
    step.cache = {large(), large(), large(), large(), large(),  large(),
                  large(), large(), large(), large(), "F8_E4M3"};
    return step;
}

GenerationParams Arbitrary::params() {
    GenerationParams params;
    params.sampling.temperature = static_cast<float>(below(20)) / 10;
    params.sampling.topK = static_cast<int>(below(100));
    params.sampling.topP = static_cast<float>(below(1000)) / 999;
    params.sampling.minP = static_cast<float>(below(1000)) / 997;
    params.sampling.repetitionPenalty = 1 + static_cast<float>(below(1000)) / 991;
    params.sampling.seed = m_random();
    params.maxNewTokens = static_cast<int>(below(4096));
    params.stopTokens = {static_cast<std::int32_t>(below(10)), 7};
    params.stopStrings = {bytes(), text()};
    params.speculate = static_cast<Speculate>(below(4));
    params.drafts = static_cast<int>(below(kMaxDrafts + 1));
    params.mtpRecycle = static_cast<MtpRecycle>(below(3));
    params.plainEvery = static_cast<int>(below(100));
    params.record = below(2) == 1;
    params.keepScores = below(2) == 1;
    params.vocabLimit = static_cast<int>(below(200));
    params.alternatives = static_cast<int>(below(9));
    return params;
}

GenerationResult Arbitrary::result() {
    GenerationResult result;
    result.ids = {static_cast<std::int32_t>(below(500)), 2, -1};
    result.text = text();
    result.finish = static_cast<Finish>(below(5));
    SpeculationStats& stats = result.speculation;
    stats.steps = large();
    stats.plainSteps = large();
    stats.drafted = large();
    stats.accepted = large();
    stats.mainForwards = large();
    for (std::size_t d = 0; d <= kMaxDrafts; ++d) {
        stats.outcomes[d][below(static_cast<std::uint32_t>(d) + 1)] = below(1U << 31);
    }
    result.timing.prefillSeconds = static_cast<double>(below(1000)) / 997;
    result.timing.decodeSeconds = static_cast<double>(below(1000)) / 991;
    result.timing.recorderSeconds = 1e-9;
    result.timing.prefillTokens = large();
    result.timing.reusedTokens = large();
    result.timing.decodeTokens = large();
    result.cache = step().cache;
    return result;
}

SessionInfo Arbitrary::info() {
    SessionInfo info;
    info.title = text();
    info.modelName = "demo";
    info.modelPath = "/models/" + text();
    info.modelFingerprint = "f00d";
    info.configJson = R"({"model_type": "deepseek_v3"})";
    info.device = "cpu";
    info.precision = "fast";
    info.shape.layers = {1, 2, 5};
    info.shape.mtpLayer = 6;
    info.shape.totalLayers = 6;
    info.shape.experts = 300;
    info.shape.topK = 3;
    info.shape.groups = 4;
    info.shape.topkGroups = 2;
    info.shape.hasBias = true;
    return info;
}

TokenEvent numberedToken(int number) {
    TokenEvent token;
    token.position = 10 + number;
    token.id = number;
    token.bytes = " " + std::to_string(number);
    token.probability = 0.5F;
    token.rawProbability = 0.25F;
    token.step = number;
    return token;
}

void expectSame(const TokenEvent& actual, const TokenEvent& expected) {
    EXPECT_EQ(actual.position, expected.position);
    EXPECT_EQ(actual.id, expected.id);
    EXPECT_EQ(actual.bytes, expected.bytes);
    expectSameNumber(actual.probability, expected.probability);
    expectSameNumber(actual.rawProbability, expected.rawProbability);
    ASSERT_EQ(actual.alternatives.size(), expected.alternatives.size());
    for (std::size_t i = 0; i < expected.alternatives.size(); ++i) {
        EXPECT_EQ(actual.alternatives[i].id, expected.alternatives[i].id);
        expectSameNumber(actual.alternatives[i].rawProbability,
                         expected.alternatives[i].rawProbability);
    }
    EXPECT_EQ(actual.draft, expected.draft);
    EXPECT_EQ(actual.rejectedDraftId, expected.rejectedDraftId);
    EXPECT_EQ(actual.step, expected.step);
}

void expectSame(const StepTrace& actual, const StepTrace& expected) {
    EXPECT_EQ(actual.step, expected.step);
    expectSame(actual.tokens, expected.tokens);
    expectSame(actual.mtp, expected.mtp);
    ASSERT_EQ(actual.speculation.has_value(), expected.speculation.has_value());
    if (expected.speculation) {
        expectSame(*actual.speculation, *expected.speculation);
    }
    EXPECT_EQ(actual.timing.forwardNs, expected.timing.forwardNs);
    EXPECT_EQ(actual.timing.draftNs, expected.timing.draftNs);
    EXPECT_EQ(actual.timing.sampleNs, expected.timing.sampleNs);
    EXPECT_EQ(actual.timing.recorderNs, expected.timing.recorderNs);
    expectSame(actual.cache, expected.cache);
}

void expectSame(const CacheUse& actual, const CacheUse& expected) {
    EXPECT_EQ(actual.positions, expected.positions);
    EXPECT_EQ(actual.bytesPerPosition, expected.bytesPerPosition);
    EXPECT_EQ(actual.used, expected.used);
    EXPECT_EQ(actual.reserved, expected.reserved);
    EXPECT_EQ(actual.mtpPositions, expected.mtpPositions);
    EXPECT_EQ(actual.mtpUsed, expected.mtpUsed);
    EXPECT_EQ(actual.mtpReserved, expected.mtpReserved);
    EXPECT_EQ(actual.mtpBytesPerPosition, expected.mtpBytesPerPosition);
    EXPECT_EQ(actual.expandedBytesPerPosition, expected.expandedBytesPerPosition);
    EXPECT_EQ(actual.maxPositions, expected.maxPositions);
    EXPECT_EQ(actual.dtype, expected.dtype);
}

void expectSame(const GenerationResult& actual, const GenerationResult& expected) {
    EXPECT_EQ(actual.ids, expected.ids);
    EXPECT_EQ(actual.text, expected.text);
    EXPECT_EQ(actual.finish, expected.finish);
    EXPECT_EQ(actual.speculation.steps, expected.speculation.steps);
    EXPECT_EQ(actual.speculation.plainSteps, expected.speculation.plainSteps);
    EXPECT_EQ(actual.speculation.outcomes, expected.speculation.outcomes);
    EXPECT_EQ(actual.speculation.drafted, expected.speculation.drafted);
    EXPECT_EQ(actual.speculation.accepted, expected.speculation.accepted);
    EXPECT_EQ(actual.speculation.mainForwards, expected.speculation.mainForwards);
    EXPECT_EQ(actual.timing.prefillSeconds, expected.timing.prefillSeconds);
    EXPECT_EQ(actual.timing.decodeSeconds, expected.timing.decodeSeconds);
    EXPECT_EQ(actual.timing.recorderSeconds, expected.timing.recorderSeconds);
    EXPECT_EQ(actual.timing.prefillTokens, expected.timing.prefillTokens);
    EXPECT_EQ(actual.timing.reusedTokens, expected.timing.reusedTokens);
    EXPECT_EQ(actual.timing.decodeTokens, expected.timing.decodeTokens);
    expectSame(actual.cache, expected.cache);
}

void expectSame(const SessionInfo& actual, const SessionInfo& expected) {
    EXPECT_EQ(actual.title, expected.title);
    EXPECT_EQ(actual.modelName, expected.modelName);
    EXPECT_EQ(actual.modelPath, expected.modelPath);
    EXPECT_EQ(actual.modelFingerprint, expected.modelFingerprint);
    EXPECT_EQ(actual.configJson, expected.configJson);
    EXPECT_EQ(actual.device, expected.device);
    EXPECT_EQ(actual.precision, expected.precision);
    EXPECT_EQ(actual.shape.layers, expected.shape.layers);
    EXPECT_EQ(actual.shape.mtpLayer, expected.shape.mtpLayer);
    EXPECT_EQ(actual.shape.totalLayers, expected.shape.totalLayers);
    EXPECT_EQ(actual.shape.experts, expected.shape.experts);
    EXPECT_EQ(actual.shape.topK, expected.shape.topK);
    EXPECT_EQ(actual.shape.groups, expected.shape.groups);
    EXPECT_EQ(actual.shape.topkGroups, expected.shape.topkGroups);
    EXPECT_EQ(actual.shape.hasBias, expected.shape.hasBias);
}

std::string readFile(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

void writeFile(const std::filesystem::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
}

std::string quickCheck(const std::filesystem::path& file) {
    SQLite::Database database(file.string(), SQLite::OPEN_READWRITE);
    return database.execAndGet("PRAGMA quick_check").getString();
}

GenerationResult endOf(int tokens) {
    GenerationResult result;
    for (int i = 0; i < tokens; ++i) {
        result.ids.push_back(numberedToken(i).id);
    }
    return result;
}

void makeSessionFile(const std::filesystem::path& file, int tokens) {
    const auto log = SessionLog::open(file);
    Arbitrary arbitrary(1);
    const std::int64_t session = log->beginSession(arbitrary.info());
    log->addUserTurn(session, "Which expert counts?");
    const int turn = log->beginAnswer(session, {}, 0);
    for (int i = 0; i < tokens; ++i) {
        log->token(session, turn, numberedToken(i));
        log->step(session, turn, arbitrary.step());
    }
    GenerationResult result = endOf(tokens);
    result.text = "The routed ones.";
    log->endAnswer(session, turn, result);
}

}  // namespace gatescope::test
