// SPDX-License-Identifier: Apache-2.0
#include "engine/session/saved_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/error.h"
#include "engine/session/sql_console.h"
#include "engine/session/sql_table_text.h"
#include "engine/text/utf8_stream.h"
#include "tests/engine/session/recorded_session.h"
#include "tests/engine/session/session_tools.h"

namespace gatescope {
namespace {

using namespace test;
using testing::HasSubstr;

using Row = std::vector<SqlCell>;

std::int64_t whole(const SqlCell& cell) {
    return std::get<std::int64_t>(cell);
}
double number(const SqlCell& cell) {
    return std::get<double>(cell);
}

std::vector<Row> answerOf(const std::string& name, const SqlParameters& parameters) {
    SqlConsole console(recordedSession());
    for (const SavedQuery& query : builtInQueries()) {
        if (query.name == name) {
            return console.run(query.sql, parameters).rows;
        }
    }
    ADD_FAILURE() << name;
    return {};
}

const SqlParameters kFirst = {{"session", std::int64_t{1}}};

/// Calls `visit` for each choice of the first session that a query about its own text counts.
template <class Visit>
void forEachChoice(bool special, Visit visit) {
    const StoredSession stored = SessionStore(recordedSession()).load(1);
    for (const StoredTurn& turn : stored.turns) {
        for (const StepTrace& step : turn.steps) {
            for (const RoutedToken& token : step.tokens) {
                if ((token.special && !special) || token.phase == Phase::Rejected) {
                    continue;
                }
                const auto k = static_cast<std::size_t>(stored.info.shape.topK);
                for (std::size_t i = 0; i < token.routing.experts.size(); ++i) {
                    visit(turn, token, stored.info.shape.layers[i / k], i / k, i % k);
                }
            }
        }
    }
}

TEST(BuiltInQueries, ChosenOnlyBecauseOfTheBias) {
    std::vector<std::tuple<int, int, int, std::int64_t, int, double>> expected;
    std::map<std::pair<int, int>, std::string> texts;
    forEachChoice(true, [&](const StoredTurn& turn, const RoutedToken& token, int layer,
                            std::size_t row, std::size_t rank) {
        const TokenRouting& routing = token.routing;
        if ((routing.biasDecided[row] >> rank & 1) != 0) {
            const std::size_t k = routing.experts.size() / routing.margins.size();
            expected.emplace_back(turn.turn, token.position, layer, rank,
                                  routing.experts[row * k + rank],
                                  static_cast<double>(routing.margins[row]));
        }
        for (const TokenEvent& shown : turn.tokens) {
            texts[{turn.turn, shown.position}] = toValidUtf8(shown.bytes);
        }
    });
    std::sort(expected.begin(), expected.end());
    ASSERT_GT(expected.size(), 0U);
    const std::vector<Row> rows = answerOf("Chosen only because of the bias", kFirst);
    ASSERT_EQ(rows.size(), expected.size());
    std::size_t named = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& [turn, position, layer, rank, expert, margin] = expected[i];
        EXPECT_EQ(whole(rows[i][0]), turn);
        EXPECT_EQ(whole(rows[i][1]), position);
        EXPECT_EQ(whole(rows[i][5]), layer);
        EXPECT_EQ(whole(rows[i][6]), rank);
        EXPECT_EQ(whole(rows[i][7]), expert);
        EXPECT_EQ(number(rows[i][9]), margin);
        const auto text = texts.find({turn, position});
        if (text == texts.end()) {
            EXPECT_EQ(rows[i][3], SqlCell());
        } else {
            EXPECT_EQ(rows[i][3], SqlCell(text->second));
            ++named;
        }
    }
    EXPECT_GT(named, 0U);
}

TEST(BuiltInQueries, LoadByLayer) {
    std::map<int, std::map<int, std::int64_t>> load;
    std::map<int, std::int64_t> byBias;
    forEachChoice(false, [&](const StoredTurn&, const RoutedToken& token, int layer,
                             std::size_t row, std::size_t rank) {
        const std::size_t k = token.routing.experts.size() / token.routing.margins.size();
        ++load[layer][token.routing.experts[row * k + rank]];
        byBias[layer] += token.routing.biasDecided[row] >> rank & 1;
    });
    const std::vector<Row> rows = answerOf("Load by layer", kFirst);
    ASSERT_EQ(rows.size(), load.size());
    for (const Row& row : rows) {
        const auto& experts = load.at(static_cast<int>(whole(row[0])));
        std::int64_t sum = 0;
        std::int64_t most = 0;
        for (const auto& [expert, n] : experts) {
            sum += n;
            most = std::max(most, n);
        }
        EXPECT_EQ(whole(row[1]), sum);
        EXPECT_EQ(whole(row[2]), static_cast<std::int64_t>(experts.size()));
        EXPECT_EQ(experts.at(static_cast<int>(whole(row[3]))), most);
        EXPECT_EQ(whole(row[4]), most);
        EXPECT_DOUBLE_EQ(number(row[5]), static_cast<double>(most) / static_cast<double>(sum));
        EXPECT_EQ(whole(row[6]), byBias.at(static_cast<int>(whole(row[0]))));
    }
}

TEST(BuiltInQueries, SlowestSteps) {
    std::vector<std::int64_t> times;
    for (const StoredTurn& turn : SessionStore(recordedSession()).load(1).turns) {
        for (const StepTrace& step : turn.steps) {
            times.push_back(step.timing.totalNs());
        }
    }
    std::sort(times.rbegin(), times.rend());
    times.resize(std::min<std::size_t>(times.size(), 50));
    const std::vector<Row> rows = answerOf("Slowest steps", kFirst);
    ASSERT_EQ(rows.size(), times.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_DOUBLE_EQ(number(rows[i][3]), static_cast<double>(times[i]) / 1e6);
    }
}

TEST(BuiltInQueries, RejectedDraftsByToken) {
    std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>> drafts;  // judged, accepted
    for (const StoredTurn& turn : SessionStore(recordedSession()).load(1).turns) {
        for (const StepTrace& step : turn.steps) {
            if (!step.speculation) continue;
            const auto accepted = static_cast<std::size_t>(step.speculation->accepted);
            const auto& made = step.speculation->drafts;
            for (std::size_t i = 0; i < std::min(accepted + 1, made.size()); ++i) {
                ++drafts[made[i].id].first;
                drafts[made[i].id].second += i < accepted ? 1 : 0;
            }
        }
    }
    std::erase_if(drafts,
                  [](const auto& draft) { return draft.second.first == draft.second.second; });
    ASSERT_GT(drafts.size(), 0U);
    const std::vector<Row> rows = answerOf("Rejected drafts by token", kFirst);
    ASSERT_EQ(rows.size(), drafts.size());
    std::int64_t before = 1'000'000;
    for (const Row& row : rows) {
        EXPECT_EQ(row[0], SqlCell(std::string("mtp")));
        const auto& [judged, accepted] = drafts.at(whole(row[1]));
        EXPECT_EQ(whole(row[3]), judged);
        EXPECT_EQ(whole(row[4]), accepted);
        EXPECT_EQ(whole(row[5]), judged - accepted);
        EXPECT_LE(whole(row[5]), before);
        before = whole(row[5]);
    }
}

TEST(BuiltInQueries, MostUncertainTokens) {
    std::vector<double> expected;
    for (const StoredTurn& turn : SessionStore(recordedSession()).load(1).turns) {
        for (const TokenEvent& token : turn.tokens) {
            expected.push_back(static_cast<double>(token.rawProbability));
        }
    }
    std::sort(expected.begin(), expected.end());
    expected.resize(std::min<std::size_t>(expected.size(), 100));
    const std::vector<Row> rows = answerOf("Most uncertain tokens", kFirst);
    ASSERT_EQ(rows.size(), expected.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        EXPECT_EQ(number(rows[i][5]), expected[i]);
    }
}

TEST(BuiltInQueries, FavouriteTokensOfAnExpert) {
    std::map<int, std::map<std::int32_t, std::vector<double>>> weights;  // expert, token
    int layerOf = -1;
    forEachChoice(false, [&](const StoredTurn&, const RoutedToken& token, int layer,
                             std::size_t row, std::size_t rank) {
        if (row == 1) {
            const std::size_t k = token.routing.experts.size() / token.routing.margins.size();
            layerOf = layer;
            weights[token.routing.experts[row * k + rank]][token.tokenId].push_back(
                static_cast<double>(token.routing.weights[row * k + rank]));
        }
    });
    const auto& [expert, tokens] = *weights.begin();
    const std::vector<Row> rows =
        answerOf("Favourite tokens of an expert", {{"session", std::int64_t{1}},
                                                   {"layer", std::int64_t{layerOf}},
                                                   {"expert", std::int64_t{expert}}});
    ASSERT_EQ(rows.size(), tokens.size());
    for (const Row& row : rows) {
        const auto& seen = tokens.at(static_cast<std::int32_t>(whole(row[0])));
        double sum = 0;
        for (const double weight : seen) sum += weight;
        EXPECT_EQ(whole(row[2]), static_cast<std::int64_t>(seen.size()));
        EXPECT_NEAR(number(row[3]), sum / static_cast<double>(seen.size()), 1e-12);
    }
}

TEST(BuiltInQueries, AcceptanceByPosition) {
    struct Count {
        std::int64_t drafted = 0, judged = 0, accepted = 0;
    };
    std::map<std::int64_t, Count> places;
    for (const StoredTurn& turn : SessionStore(recordedSession()).load(1).turns) {
        for (const StepTrace& step : turn.steps) {
            for (int i = 0; step.speculation && i < step.speculation->drafted(); ++i) {
                Count& count = places[i + 1];
                ++count.drafted;
                count.judged += i <= step.speculation->accepted ? 1 : 0;
                count.accepted += i < step.speculation->accepted ? 1 : 0;
            }
        }
    }
    const std::vector<Row> rows = answerOf("Acceptance by position", kFirst);
    ASSERT_EQ(rows.size(), places.size());
    for (const Row& row : rows) {
        const Count& count = places.at(whole(row[1]));
        EXPECT_EQ(whole(row[2]), count.drafted);
        EXPECT_EQ(whole(row[3]), count.judged);
        EXPECT_EQ(whole(row[4]), count.accepted);
        EXPECT_DOUBLE_EQ(number(row[5]),
                         static_cast<double>(count.accepted) / static_cast<double>(count.judged));
    }
}

TEST(BuiltInQueries, SessionsByModel) {
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> models;  // sessions, tokens
    const SessionStore store(recordedSession());
    for (const SessionSummary& summary : store.list()) {
        const std::string fingerprint = store.load(summary.id).info.modelFingerprint;
        ++models[fingerprint].first;
        models[fingerprint].second += summary.tokens;
    }
    const std::vector<Row> rows = answerOf("Sessions by model", {});
    ASSERT_EQ(rows.size(), models.size());
    for (const Row& row : rows) {
        const auto& [sessions, tokens] = models.at(std::get<std::string>(row[1]));
        EXPECT_EQ(whole(row[2]), sessions);
        EXPECT_EQ(whole(row[4]), tokens);
    }
}

TEST(SavedQueries, AreKeptReplacedAndRemoved) {
    const TempFolder folder;
    SavedQueries mine(folder / "queries.json");
    const std::size_t builtIn = builtInQueries().size();
    EXPECT_EQ(mine.list().size(), builtIn);
    mine.save({"zwei", "", "SELECT 2", false});
    mine.save({"eins \"\\ 中文", "about", "SELECT 1\n-- more", false});
    mine.save({"zwei", "changed", "SELECT 22", false});
    const std::vector<SavedQuery> list = SavedQueries(folder / "queries.json").list();
    ASSERT_EQ(list.size(), builtIn + 2);
    EXPECT_EQ(list[builtIn], (SavedQuery{"eins \"\\ 中文", "about", "SELECT 1\n-- more", false}));
    EXPECT_EQ(list[builtIn + 1], (SavedQuery{"zwei", "changed", "SELECT 22", false}));
    mine.remove("zwei");
    EXPECT_FALSE(mine.find("zwei").has_value());
    EXPECT_THROW(mine.remove("zwei"), Error);
    EXPECT_THROW(mine.remove("Slowest steps"), Error);
    EXPECT_TRUE(mine.find("Slowest steps")->builtIn);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) {
        ++files;
    }
    EXPECT_EQ(files, 1U);  // nothing temporary is left
}

TEST(SavedQueries, WhatCannotBeKeptIsRefused) {
    const TempFolder folder;
    SavedQueries mine(folder / "queries.json");
    EXPECT_THROW(mine.save({" ", "", "SELECT 1", false}), Error);
    EXPECT_THROW(mine.save({"a", "", " ;\n", false}), Error);
    EXPECT_THROW(mine.save({"Slowest steps", "", "SELECT 1", false}), Error);
    EXPECT_THROW(mine.save({"a", "", std::string(100'001, 'x'), false}), Error);
    EXPECT_THROW(mine.save({"a\xFF", "", "SELECT 1", false}), Error);
    EXPECT_FALSE(std::filesystem::exists(folder / "queries.json"));
}

TEST(SavedQueries, AFileThatIsNoneIsLeftAlone) {
    const TempFolder folder;
    for (const char* text :
         {"", "{", "[]", "{\"format\": \"other\", \"queries\": []}",
          "{\"format\": \"gatescope-queries/1\"}",
          "{\"format\": \"gatescope-queries/1\", \"queries\": [{\"name\": 3}]}"}) {
        writeFile(folder / "queries.json", text);
        SavedQueries mine(folder / "queries.json");
        try {
            mine.save({"a", "", "SELECT 1", false});
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("queries.json"));
        }
        EXPECT_EQ(readFile(folder / "queries.json"), text);
    }
}

TEST(TableText, CsvIsQuotedAndNoFormula) {
    const Row row = {std::string("a,b"),  std::string("say \"x\""),
                     std::string("=1+1"), std::string("-x\ny"),
                     std::int64_t{-5},    -0.5,
                     SqlBlob{"\x01\xff"}, SqlCell(),
                     std::string(),       std::string("caf\xC3"),
                     std::string("@a"),   std::string("\tb")};
    EXPECT_EQ(csvLine(row),
              "\"a,b\",\"say \"\"x\"\"\",'=1+1,\"'-x\ny\",-5,-0.5,01ff,,\"\",caf\xEF\xBF\xBD,'@a,"
              "'\tb\r\n");
}

TEST(TableText, JsonKeepsTypes) {
    SqlResult result;
    result.columns = {"a", "a", "c\""};
    result.rows = {{std::int64_t{9007199254740993}, 0.1, std::string("x\n\xFF")},
                   {SqlCell(), SqlBlob{"\x0a"}, std::numeric_limits<double>::infinity()}};
    EXPECT_EQ(toJson(result),
              "{\"columns\": [\"a\",\"a\",\"c\\\"\"],\n\"rows\": [\n"
              "[9007199254740993,0.1,\"x\\n\xEF\xBF\xBD\"],\n[null,{\"hex\":\"0a\"},\"inf\"]],\n"
              "\"notice\": \"\"}\n");
}

}  // namespace
}  // namespace gatescope
