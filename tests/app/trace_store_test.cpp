// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>

#include "app/live_feed.h"
#include "app/trace_store.h"

using namespace gatescope;

namespace {

/// Two MoE layers (1 and 2), an MTP layer 3, 8 experts, top-2.
RoutingShape shape() {
    RoutingShape result;
    result.layers = {1, 2};
    result.mtpLayer = 3;
    result.totalLayers = 3;
    result.experts = 8;
    result.topK = 2;
    return result;
}

RoutedToken routed(std::int32_t position, std::int32_t id, Phase phase,
                   std::vector<std::uint16_t> experts, bool scores = false) {
    RoutedToken token;
    token.position = position;
    token.tokenId = id;
    token.phase = phase;
    token.routing.margins.resize(experts.size() / 2);
    token.routing.biasDecided.resize(experts.size() / 2);
    token.routing.weights.resize(experts.size());
    token.routing.experts = std::move(experts);
    if (scores) {
        token.routing.scores = std::make_shared<const std::vector<float>>(16, 0.5F);
    }
    return token;
}

TokenEvent tokenEvent(std::int32_t position, std::int32_t id, std::string bytes) {
    TokenEvent token;
    token.position = position;
    token.id = id;
    token.bytes = std::move(bytes);
    return token;
}

StepTrace step(std::vector<RoutedToken> tokens, std::vector<RoutedToken> mtp = {}) {
    StepTrace trace;
    trace.tokens = std::move(tokens);
    trace.mtp = std::move(mtp);
    return trace;
}

StepTrace verifyStep(std::int64_t number, DraftSource source, int drafted, int accepted) {
    StepTrace trace;
    trace.step = number;
    trace.speculation.emplace();
    trace.speculation->source = source;
    trace.speculation->drafts.resize(static_cast<std::size_t>(drafted));
    trace.speculation->accepted = accepted;
    return trace;
}

std::vector<PromptPiece> prompt(std::initializer_list<std::int32_t> ids) {
    std::vector<PromptPiece> pieces;
    for (const std::int32_t id : ids) {
        pieces.push_back({id, "x", false});
    }
    return pieces;
}

using Numbers = std::vector<std::int32_t>;

}  // namespace

class TraceStoreTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void numbersArePositions() {
        TraceStore store;
        store.reset(shape());
        QCOMPARE(store.setPrompt(prompt({5, 6})), (Numbers{0, 1}));
        QCOMPARE(store.addToken(tokenEvent(2, 7, "a")), 2);
        QCOMPARE(store.addToken(tokenEvent(3, 8, "b")), 3);
        // The next message: what was said keeps its numbers.
        QCOMPARE(store.setPrompt(prompt({5, 6, 7, 8, 9})), (Numbers{0, 1, 2, 3, 4}));
        // The oldest message was dropped: the context is another, the old tokens stay.
        QCOMPARE(store.setPrompt(prompt({5, 8, 9})), (Numbers{0, 5, 6}));
        QCOMPARE(store.entry(1)->tokenId, 6);
        QCOMPARE(store.contextIds(), (Numbers{5, 8, 9}));
        QCOMPARE(store.contextPosition(5), 1);
        QCOMPARE(store.contextPosition(1), -1);
        QVERIFY(store.entry(2)->generated && !store.entry(5)->generated);
        QCOMPARE(store.addToken(tokenEvent(3, 10, "c")), 7);
    }

    void routingFindsItsToken() {
        TraceStore store;
        store.reset(shape());
        store.setPrompt(prompt({5, 6}));
        store.addStep(step({routed(0, 5, Phase::Prefill, {0, 1, 2, 3}),
                            routed(1, 6, Phase::Prefill, {0, 4, 2, 5})},
                           {routed(0, 6, Phase::Prefill, {7, 0})}));
        QCOMPARE(store.routedTo(1, 0), (Numbers{0, 1}));
        QCOMPARE(store.routedTo(2, 5), Numbers{1});
        QCOMPARE(store.routedTo(3, 7), Numbers{0});
        QCOMPARE(store.routedTo(1, 7), Numbers{});
        QCOMPARE(store.routedTo(0, 0), Numbers{});  // a dense layer
        QVERIFY(store.entry(0)->mtp != nullptr);
        QVERIFY(store.entry(1)->mtp == nullptr);
        // The last token of an answer is routed by the next prompt.
        const std::int32_t last = store.addToken(tokenEvent(2, 7, "a"));
        QVERIFY(store.entry(last)->main == nullptr);
        store.setPrompt(prompt({5, 6, 7, 9}));
        store.addStep(step({routed(2, 7, Phase::Prefill, {6, 1, 2, 3})}));
        QCOMPARE(store.routedTo(1, 6), Numbers{last});
    }

    void acceptedDraftsAreRoutedBeforeTheyAreTokens() {
        TraceStore store;
        store.reset(shape());
        store.setPrompt(prompt({5}));
        store.addStep(step(
            {routed(0, 5, Phase::Prefill, {0, 1, 2, 3}), routed(1, 9, Phase::Decode, {4, 1, 2, 3})},
            {routed(1, 2, Phase::Draft, {6, 7})}));
        QCOMPARE(store.routedTo(1, 4), Numbers{});
        store.addToken(tokenEvent(1, 9, "d"));
        QCOMPARE(store.routedTo(1, 4), Numbers{1});
        QCOMPARE(store.routedTo(3, 6), Numbers{1});
    }

    void rejectedDraftsAreNobodys() {
        TraceStore store;
        store.reset(shape());
        store.setPrompt(prompt({5}));
        store.addStep(step({routed(1, 9, Phase::Rejected, {4, 1, 2, 3})}));
        store.addToken(tokenEvent(1, 9, "same id, another pass"));
        QVERIFY(store.entry(1)->main == nullptr);
        // Nor does a routing with another id belong to the token.
        store.addStep(step({routed(1, 8, Phase::Decode, {4, 1, 2, 3})}));
        QVERIFY(store.entry(1)->main == nullptr);
    }

    void tokensKnowWhoDrafted() {
        TraceStore store;
        store.reset(shape());
        store.setPrompt(prompt({5}));
        store.beginAnswer();
        TokenEvent first = tokenEvent(1, 7, "a");
        first.step = 0;  // of the prompt's step
        store.addToken(first);
        store.addStep(step({routed(0, 5, Phase::Prefill, {0, 1, 2, 3})}));
        for (const int i : {2, 3}) {
            TokenEvent token = tokenEvent(i, 7 + i, "b");
            token.step = 1;
            token.draft = i == 2 ? TokenEvent::Draft::Accepted : TokenEvent::Draft::Rejected;
            token.rejectedDraftId = i == 3 ? 7 : -1;
            store.addToken(token);
        }
        store.addStep(verifyStep(1, DraftSource::Lookup, 3, 1));
        QVERIFY(!store.entry(1)->source);
        QCOMPARE(store.entry(2)->source, std::optional(DraftSource::Lookup));
        QCOMPARE(store.entry(3)->drafted, 3);
        // Steps of the next answer begin at 0 again.
        store.setPrompt(prompt({5, 7, 9, 10, 6}));
        store.beginAnswer();
        store.addStep(verifyStep(1, DraftSource::Mtp, 1, 1));
        QCOMPARE(store.entry(2)->source, std::optional(DraftSource::Lookup));
        // Without the model's table, bytes are known of tokens that were seen.
        QCOMPARE(store.bytesOf(7), std::string_view("a"));
        QCOMPARE(store.bytesOf(-1), std::string_view());
    }

    void damagedStepsAreNotCounted() {
        TraceStore store;
        store.reset(shape());
        StepTrace damaged = verifyStep(0, DraftSource::Mtp, 1, 1);
        damaged.speculation->accepted = 5;
        store.addStep(damaged);
        QCOMPARE(store.speculation().verifySteps(), std::int64_t{0});
    }

    void truncateForgetsAnAnswer() {
        TraceStore store;
        store.reset(shape());
        store.addStep(verifyStep(0, DraftSource::Mtp, 2, 1));  // of an answer before
        store.setPrompt(prompt({5, 6}));
        store.beginAnswer();
        store.addToken(tokenEvent(2, 7, "a"));
        StepTrace trace = step({routed(0, 5, Phase::Prefill, {0, 1, 2, 3}, true),
                                routed(2, 7, Phase::Decode, {0, 1, 2, 3}, true)});
        trace.speculation = verifyStep(0, DraftSource::Lookup, 4, 0).speculation;
        store.addStep(trace);
        QCOMPARE(store.speculation().drafted(), std::int64_t{6});
        store.truncate(2);
        QCOMPARE(store.size(), 2);
        QCOMPARE(store.speculation().drafted(), std::int64_t{2});
        QCOMPARE(store.speculation().accepted(), std::int64_t{1});
        QCOMPARE(store.scoreBytes(), std::size_t{64});
        QCOMPARE(store.setPrompt(prompt({5, 6})), (Numbers{0, 1}));
        QVERIFY(store.entry(0)->main != nullptr);  // the prompt's routing stays
        QCOMPARE(store.addToken(tokenEvent(2, 11, "b")), 2);
        QVERIFY(store.entry(2)->main == nullptr);
    }

    void oldScoresMakeRoom() {
        TraceStore store(3 * 64);
        store.reset(shape());
        store.setPrompt(prompt({1, 2, 3, 4, 5}));
        for (std::int32_t i = 0; i < 5; ++i) {
            store.addStep(step({routed(i, i + 1, Phase::Prefill, {0, 1, 2, 3}, true)}));
        }
        QCOMPARE(store.scoreBytes(), std::size_t{3 * 64});
        for (std::int32_t i = 0; i < 5; ++i) {
            QVERIFY(store.entry(i)->main != nullptr);
            QCOMPARE(store.entry(i)->main->routing.scores != nullptr, i >= 2);
        }
    }

    void feedIsLosslessAndFramesAreNewest() {
        int notified = 0;
        LiveFeed feed([&] { ++notified; });
        for (int i = 0; i < 1000; ++i) {
            TokenPiece piece;
            piece.event.id = i;
            feed.push(piece);
            auto frame = std::make_shared<LiveFrame>();
            frame->generated = i;
            feed.publish(frame);
        }
        QCOMPARE(notified, 1);  // one waiting notification, however much comes
        const FeedBatch batch = feed.takeBatch();
        QCOMPARE(batch.tokens.size(), std::size_t{1000});
        QCOMPARE(batch.tokens.back().event.id, 999);
        QCOMPARE(feed.takeFrame()->generated, std::int64_t{999});
        QVERIFY(feed.takeFrame() == nullptr);
        feed.push(TokenPiece{});
        QCOMPARE(notified, 2);
    }

    void framesAreRare() {
        LiveFeed feed([] {});
        int due = 0;
        for (int i = 0; i < 1000; ++i) {
            due += feed.frameDue() ? 1 : 0;
        }
        QVERIFY(due >= 1);
        QVERIFY(due < 100);
    }
};

QTEST_GUILESS_MAIN(TraceStoreTest)
#include "trace_store_test.moc"
