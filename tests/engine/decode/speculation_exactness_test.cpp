// SPDX-License-Identifier: Apache-2.0
//
// Drafts change how fast a text comes, never the text: every source, every depth, greedy and
// sampled, and wherever a step is cut off.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "engine/decode/conversation.h"
#include "engine/decode/generator.h"
#include "engine/decode/ngram_lookup.h"
#include "engine/decode/speculation_memory.h"
#include "engine/error.h"
#include "engine/model/loaded_model.h"
#include "tests/engine/model/golden.h"

namespace gatescope::test {
namespace {

using Tokens = std::vector<std::int32_t>;

struct Mode {
    Speculate source;
    int drafts;
    MtpRecycle recycle = MtpRecycle::Normed;
};

// Sanitizers look for other errors than these, ten times as slowly.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::string describe(const Mode& mode) {
    return std::string(name(mode.source)) + " " + std::to_string(mode.drafts) + " " +
           std::string(name(mode.recycle));
}

const std::vector<Mode> kEveryMode{
    {Speculate::Mtp, 1},
    {Speculate::Mtp, 2},
    {Speculate::Mtp, 3},
    {Speculate::Mtp, 3, MtpRecycle::Raw},
    {Speculate::Mtp, 3, MtpRecycle::Main},
    {Speculate::Mtp, kMaxDrafts},
    {Speculate::Lookup, 1},
    {Speculate::Lookup, kMaxDrafts},
    {Speculate::Auto, 4},
};

const std::vector<Mode> kFewModes{
    {Speculate::Mtp, 3}, {Speculate::Lookup, kMaxDrafts}, {Speculate::Auto, 4}};
const auto& kModes = kSanitized ? kFewModes : kEveryMode;

/// Fewer, for many prompts.
const std::vector<Mode> kDemoModes{{Speculate::Mtp, 1},    {Speculate::Mtp, 2},
                                   {Speculate::Mtp, 4},    {Speculate::Lookup, 2},
                                   {Speculate::Lookup, 4}, {Speculate::Auto, 4}};

GenerationParams with(GenerationParams params, const Mode& mode) {
    params.speculate = mode.source;
    params.drafts = mode.drafts;
    params.mtpRecycle = mode.recycle;
    return params;
}

/// Everything a step and a token say that must hold together.
struct Checker final : GenerationSink {
    void onToken(const TokenEvent& token, std::string_view) override { tokens.push_back(token); }
    void onStep(const StepTrace& step) override {
        if (!step.speculation) return;
        const auto& drafts = *step.speculation;
        ASSERT_GT(drafts.drafted(), 0);
        ASSERT_LE(drafts.accepted, drafts.drafted());
        ASSERT_LE(static_cast<std::size_t>(drafts.drafted()) + 1, step.tokens.size());
        for (std::size_t i = 0; i < step.tokens.size(); ++i)
            EXPECT_EQ(step.tokens[i].phase,
                      static_cast<int>(i) <= drafts.accepted ? Phase::Decode : Phase::Rejected);
        for (std::size_t i = 0; i < drafts.drafts.size(); ++i) {
            EXPECT_EQ(step.tokens[i + 1].tokenId, drafts.drafts[i].id);
            const bool judged = static_cast<int>(i) <= drafts.accepted;
            EXPECT_EQ(std::isnan(drafts.drafts[i].targetProbability), !judged);
        }
        for (std::size_t row = 0; row < drafts.distinctExperts.size(); ++row)
            EXPECT_LT(drafts.wastedExperts[row], drafts.distinctExperts[row]);
        drafted += drafts.drafted();
    }
    std::vector<TokenEvent> tokens;
    int drafted = 0;
};

class GoldenSpeculation : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Golden, GoldenSpeculation, testing::Values("v3-mini", "v3-fp8"),
                         modelLabel);

TEST_P(GoldenSpeculation, GreedyTextIsThatWithoutDrafts) {
    GoldenModel model(GetParam(), 1);
    GenerationParams params;
    params.maxNewTokens = 40;
    for (const char* prompt : {"p1", "p7", "p40", "p150"}) {
        if (kSanitized && std::string(prompt) != "p40") continue;
        model.decoder.truncate(0);
        Checker ignored;
        const auto plain = generate(model.decoder, nullptr, model.tokens(prompt), params, ignored);
        for (const auto& mode : kModes) {
            SCOPED_TRACE(std::string(prompt) + " " + describe(mode));
            model.decoder.truncate(0);
            Checker sink;
            const auto result =
                generate(model.decoder, nullptr, model.tokens(prompt), with(params, mode), sink);
            EXPECT_EQ(result.ids, plain.ids);
            if (mode.source == Speculate::Mtp) {
                EXPECT_GT(sink.drafted, 0);
            }
            EXPECT_EQ(sink.drafted, result.speculation.drafted);
        }
    }
}

TEST_P(GoldenSpeculation, SampledTextIsThatWithoutDrafts) {
    GoldenModel model(GetParam(), 1);
    for (std::uint64_t seed = 0; seed < (kSanitized ? 1u : 4u); ++seed) {
        GenerationParams params;
        params.maxNewTokens = 40;
        params.sampling = {
            .temperature = 0.9f, .topK = 40, .topP = 0.9f, .repetitionPenalty = 1.2f, .seed = seed};
        if (seed % 2) params.sampling = {.temperature = 1.2f, .minP = 0.02f, .seed = seed};
        model.decoder.truncate(0);
        Checker ignored;
        const auto plain = generate(model.decoder, nullptr, model.tokens("p7"), params, ignored);
        for (const auto& mode : kModes) {
            model.decoder.truncate(0);
            Checker sink;
            const auto result =
                generate(model.decoder, nullptr, model.tokens("p7"), with(params, mode), sink);
            EXPECT_EQ(result.ids, plain.ids) << describe(mode) << " seed " << seed;
        }
    }
}

// An answer may end at any token of a verify step, by its length or by an end token; what comes
// after must not have been there.
TEST_P(GoldenSpeculation, AnAnswerMayEndAnywhereInAStep) {
    GoldenModel model(GetParam(), 1);
    GenerationParams params;
    params.maxNewTokens = 30;
    Checker ignored;
    const auto prompt = model.tokens("p150");
    const auto plain = generate(model.decoder, nullptr, prompt, params, ignored);
    for (const auto& mode : {Mode{Speculate::Mtp, 3}, Mode{Speculate::Lookup, 4}}) {
        for (int length = 1; length <= 12; length += kSanitized ? 5 : 1) {
            SCOPED_TRACE(describe(mode) + ", " + std::to_string(length) + " tokens");
            const Tokens expected(plain.ids.begin(), plain.ids.begin() + length);
            for (const bool byStop : {false, true}) {
                auto ended = with(params, mode);
                if (byStop) {
                    ended.stopTokens = {expected.back()};
                    if (std::find(expected.begin(), expected.end() - 1, expected.back()) !=
                        expected.end() - 1)
                        continue;
                } else {
                    ended.maxNewTokens = length;
                }
                Checker sink;
                const auto result = generate(model.decoder, nullptr, prompt, ended, sink);
                EXPECT_EQ(result.ids, expected);
                EXPECT_EQ(result.finish, byStop ? Finish::Stop : Finish::Length);
                // The cache holds the text and no rejected draft.
                auto text = prompt;
                text.insert(text.end(), expected.begin(), expected.end());
                const auto cached = model.decoder.tokens();
                ASSERT_LE(cached.size(), text.size());
                EXPECT_TRUE(std::equal(cached.begin(), cached.end(), text.begin()));
                EXPECT_LE(model.decoder.mtp()->length(), model.decoder.length());
                // And a next answer goes on from it as if nothing had been drafted.
                Checker more;
                auto next = with(params, mode);
                next.maxNewTokens = 8;
                const auto continued = generate(model.decoder, nullptr, text, next, more);
                Tokens rest(plain.ids.begin() + length, plain.ids.begin() + length + 8);
                EXPECT_EQ(continued.ids, rest);
            }
        }
    }
}

TEST_P(GoldenSpeculation, ACacheThatEndsStopsADraftBeforeIt) {
    GoldenModel model(GetParam(), 1);
    const auto prompt = model.tokens("p40");
    for (std::int64_t room = 1; room <= 10; room += kSanitized ? 4 : 1) {
        Decoder decoder(model.checkpoint, model.device,
                        {.maxContext = static_cast<std::int64_t>(prompt.size()) + room});
        GenerationParams params;
        params.maxNewTokens = 40;
        Checker ignored;
        const auto plain = generate(decoder, nullptr, prompt, params, ignored);
        EXPECT_EQ(plain.finish, Finish::Context);
        for (const auto& mode : {Mode{Speculate::Mtp, 4}, Mode{Speculate::Auto, 4}}) {
            decoder.truncate(0);
            Checker sink;
            const auto result = generate(decoder, nullptr, prompt, with(params, mode), sink);
            EXPECT_EQ(result.ids, plain.ids) << describe(mode) << " room " << room;
            EXPECT_EQ(result.finish, Finish::Context);
        }
    }
}

// Stopped at any token, the cache is whole: the same answer comes again.
TEST_P(GoldenSpeculation, AStopInAVerifyStepLeavesTheCacheWhole) {
    struct Stopper final : GenerationSink {
        void onToken(const TokenEvent&, std::string_view) override {
            if (--left == 0) source.request_stop();
        }
        int left = 0;
        std::stop_source source;
    };
    GoldenModel model(GetParam(), 1);
    GenerationParams params;
    params.maxNewTokens = 30;
    const auto prompt = model.tokens("p150");
    Checker ignored;
    const auto plain = generate(model.decoder, nullptr, prompt, params, ignored);
    for (int at = 1; at <= 12; at += kSanitized ? 4 : 1) {
        for (const auto& mode : {Mode{Speculate::Mtp, 3}, Mode{Speculate::Lookup, 4}}) {
            Stopper stopper;
            stopper.left = at;
            const auto stopped = generate(model.decoder, nullptr, prompt, with(params, mode),
                                          stopper, stopper.source.get_token());
            EXPECT_EQ(stopped.finish, Finish::Cancelled);
            ASSERT_GE(stopped.ids.size(), static_cast<std::size_t>(at));
            EXPECT_TRUE(std::equal(stopped.ids.begin(), stopped.ids.end(), plain.ids.begin()));
            Checker sink;
            const auto again = generate(model.decoder, nullptr, prompt, with(params, mode), sink);
            EXPECT_EQ(again.ids, plain.ids) << describe(mode) << " stopped at " << at;
        }
    }
}

TEST(SpeculationExactness, PlainStepsBetweenVerifyStepsChangeNothing) {
    GoldenModel model("v3-mini", 1);
    GenerationParams params;
    params.maxNewTokens = 40;
    Checker ignored;
    const auto plain = generate(model.decoder, nullptr, model.tokens("p40"), params, ignored);
    params = with(params, {Speculate::Mtp, 2});
    params.plainEvery = 3;
    model.decoder.truncate(0);
    Checker sink;
    const auto result = generate(model.decoder, nullptr, model.tokens("p40"), params, sink);
    EXPECT_EQ(result.ids, plain.ids);
    EXPECT_NEAR(static_cast<double>(result.speculation.plainSteps),
                static_cast<double>(result.speculation.steps) / 3, 1);
}

// After many plain steps the module's cache is filled without running it; what it then drafts is
// what it would have drafted with a pair run for every token.
TEST(SpeculationExactness, PairsThatWaitedLongDraftTheSame) {
    GoldenModel model("v3-mini", 1);
    const auto prompt = model.tokens("p40");
    const auto draftsAfter = [&](int plainEvery) {
        GenerationParams params = with({}, {Speculate::Mtp, 1});
        params.maxNewTokens = 60;
        params.plainEvery = plainEvery;
        model.decoder.truncate(0);
        std::map<std::int32_t, std::int32_t> drafts;  // by the position they are for
        struct Sink final : GenerationSink {
            void onStep(const StepTrace& step) override {
                if (step.speculation)
                    (*drafts)[step.tokens[1].position] = step.speculation->drafts[0].id;
            }
            std::map<std::int32_t, std::int32_t>* drafts = nullptr;
        } sink;
        sink.drafts = &drafts;
        generate(model.decoder, nullptr, prompt, params, sink);
        return drafts;
    };
    const auto all = draftsAfter(0);
    GenerationParams params;
    params.maxNewTokens = 60;
    Checker ignored;
    const auto text = generate(model.decoder, nullptr, prompt, params, ignored).ids;
    // The same by hand, for a draft late in the text: all pairs before it filled, but for the last.
    const auto late = all.lower_bound(static_cast<std::int32_t>(prompt.size()) + 40);
    ASSERT_NE(late, all.end());
    auto whole = prompt;
    whole.insert(whole.end(), text.begin(), text.end());
    whole.resize(static_cast<std::size_t>(late->first));
    model.decoder.truncate(0, 0);
    ForwardOptions none;
    none.logits = LogitsOf::None;
    model.decoder.forward(std::span(whole).first(whole.size() - 1), none);
    const auto pairs = static_cast<std::int64_t>(whole.size()) - 1;
    auto& mtp = *model.decoder.mtp();
    const std::span<const std::int32_t> next(whole.data() + 1, whole.size() - 1);
    mtp.fill(model.decoder.states().slice(0, pairs - 1), next.first(next.size() - 1), none);
    ForwardOptions last;
    last.path = AttentionPath::Absorbed;
    mtp.forward(model.decoder.states().slice(pairs - 1, 1), next.last(1), last);
    const auto logits = mtp.logits(0);
    EXPECT_EQ(late->second, std::max_element(logits.begin(), logits.end()) - logits.begin());
    // And through the loop: a run that decodes plainly in between drafts what the other one does.
    std::int64_t same = 0;
    for (const auto& [position, id] : draftsAfter(1)) {
        const auto found = all.find(position);
        if (found == all.end()) continue;
        EXPECT_EQ(found->second, id) << position;
        ++same;
    }
    EXPECT_GT(same, 5);
}

// A text that repeats may be drafted by lookup for longer than pairs can wait.
TEST(SpeculationExactness, PairsAreCompletedAlsoWhereOnlyLookupsDraft) {
    GoldenModel model("v3-mini", 1);
    SpeculationMemory memory;
    SpeculativeStep held;
    held.source = DraftSource::Lookup;
    held.matchLength = NgramLookup::kLongest;
    held.drafts = {{0, 1, 1}};
    held.accepted = 1;
    for (int i = 0; i < 5; ++i) {
        memory.passes().add(1, 1e6);
        memory.chains().add(1, 1e15);  // the module is never worth it
        for (int n = 2; n <= CostCurve::kSizes; ++n) memory.passes().add(n, 1.1e6);
    }
    for (int i = 0; i < 100; ++i) memory.addOutcome(held);
    // The first answer of a memory always keeps the module's cache, also where it loses.
    GenerationParams params = with({}, {Speculate::Auto, kMaxDrafts});
    params.vocabLimit = 1;  // the same token for ever
    params.maxNewTokens = 1500;
    Checker sink;
    const auto result =
        generate(model.decoder, nullptr, model.tokens("p7"), params, sink, {}, &memory);
    EXPECT_EQ(result.ids, Tokens(1500, 0));
    EXPECT_GT(result.speculation.accepted, 800);
    EXPECT_GT(model.decoder.mtp()->length(), 1400);
}

TEST(SpeculationExactness, TooManyDraftsAreRefused) {
    GoldenModel model("v3-mini", 1);
    GenerationParams params = with({}, {Speculate::Mtp, kMaxDrafts + 1});
    Checker sink;
    EXPECT_THROW(generate(model.decoder, nullptr, model.tokens("p7"), params, sink), Error);
}

TEST(SpeculationExactness, AModelWithoutAModuleLooksUp) {
    GoldenModel model("v2-lite", 1);
    GenerationParams params;
    params.maxNewTokens = 60;
    Checker ignored;
    const auto plain = generate(model.decoder, nullptr, model.tokens("p40"), params, ignored);
    for (const auto source : {Speculate::Lookup, Speculate::Auto}) {
        Checker sink;
        const auto result =
            generate(model.decoder, nullptr, model.tokens("p40"), with(params, {source, 4}), sink);
        EXPECT_EQ(result.ids, plain.ids) << name(source);
    }
}

// --- five hundred prompts of the demo model's own domains --------------------------------------

std::vector<std::string> demoPrompts() {
    std::vector<std::string> prompts;
    std::ifstream file(std::string(GATESCOPE_DEMO_MODEL_DIR) + "/domain-prompts.jsonl");
    for (std::string line; std::getline(file, line);)
        prompts.push_back(nlohmann::json::parse(line)["prompt"]);
    const std::vector<std::string> animals{"owl", "cat", "fox", "goat", "bear", "hen"};
    const std::vector<std::string> names{"Ben", "Mia", "Tom", "Lily"};
    const std::vector<std::string> values{"sum", "product", "length", "largest element"};
    for (int i = 0; prompts.size() < 500; ++i) {
        const auto at = static_cast<std::size_t>(i);
        switch (i % 4) {
            case 0:
                prompts.push_back(std::to_string(37 * i % 500) + " + " +
                                  std::to_string(91 * i % 400) + " = ?");
                break;
            case 1:
                prompts.push_back("Tell me a story about a " + animals[at % 6] + " named " +
                                  names[at / 4 % 4] + ".");
                break;
            case 2:
                prompts.push_back("Write a Python function that returns the " + values[at / 4 % 4] +
                                  " of a list" + std::string(at / 16 % 5, '!') + ".");
                break;
            default:
                prompts.push_back("What is " + std::to_string(13 * i % 900) + " - " +
                                  std::to_string(7 * i % 300) + "?");
        }
    }
    return prompts;
}

constexpr std::size_t kParts = 4;
class DemoSpeculation : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Parts, DemoSpeculation, testing::Range(std::size_t{0}, kParts));

TEST_P(DemoSpeculation, GreedyTextIsThatWithoutDrafts) {
    LoadOptions options;
    options.device.threads = 1;
    const auto model = LoadedModel::load(GATESCOPE_DEMO_MODEL_DIR, options);
    const auto prompts = demoPrompts();
    ASSERT_EQ(prompts.size(), 500u);
    constexpr std::size_t kStride = kSanitized ? 40 : 1;
    SpeculationMemory memory;
    std::int64_t accepted = 0;
    for (std::size_t i = GetParam(); i < prompts.size(); i += kParts * kStride) {
        const auto prompt = Conversation(*model).prepare(prompts[i]).ids;
        GenerationParams params;
        params.maxNewTokens = 16;
        params.stopTokens = answerEnds(*model);
        params.record = false;
        GenerationSink sink;
        const auto plain = generate(model->decoder(), &model->tokenizer(), prompt, params, sink);
        for (const auto& mode : kDemoModes) {
            const auto result = generate(model->decoder(), &model->tokenizer(), prompt,
                                         with(params, mode), sink, {}, &memory);
            ASSERT_EQ(result.ids, plain.ids) << describe(mode) << ": " << prompts[i];
            ASSERT_EQ(result.text, plain.text);
            accepted += result.speculation.accepted;
        }
    }
    EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace gatescope::test
