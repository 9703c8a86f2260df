// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTimer>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "app/engine_messages.h"
#include "app/live_feed.h"
#include "app/window_docks.h"
#include "views/why_value.h"

namespace gatescope {

struct DomainAffinity;
struct ExpertsValue;
struct ReplayedToken;
class Selection;
class TraceStore;
class TranscriptPane;

/// Gives the docks of one session their values: counters from frames, tokens from the trace store
/// by what is selected; and marks the tokens of the selected cell in the transcript. What no one
/// sees is neither asked for nor put together. Where the frames come from is known to who derives.
class TraceFeeder : public QObject {
    Q_OBJECT

  public:
    /// `views` without bias, specialists and interventions are served, too.
    TraceFeeder(const TraceViews& views, TranscriptPane* pane, Selection* selection,
                const TraceStore* store, QObject* parent);

    /// How an expert serves the domains of a prompt set, for the Experts dock.
    using Domains = std::function<std::vector<DomainAffinity>(int row, int expert)>;
    void setDomains(Domains domains);

    void showFrame(const LiveFrame& frame);
    /// Another session: nothing is known of it yet.
    virtual void clear();
    /// The selected token, its marks and the drafts, again from the store.
    void refresh();
    /// What is chosen now at once; the numbers at most four times a second.
    void refreshSpeculation();

  protected:
    /// What is known of a token that was recorded without affinities.
    struct KeptScores {
        WhyValue::Scores scores = WhyValue::Scores::NotKept;
        QString reason;
        std::shared_ptr<const ReplayedToken> replayed;
    };
    virtual KeptScores scoresOf(std::int32_t number) const = 0;
    /// Of the router a token went through; empty: none, or not at hand.
    virtual std::vector<float> biasOf(std::int32_t number, int layer) const = 0;
    /// What the next frames are to have.
    virtual void want(const FrameWants& wants) = 0;
    virtual void describeSpeculation(SpeculationView* view) const = 0;

    const TraceViews& views() const { return m_views; }
    const TraceStore* store() const { return m_store; }
    void refreshWhy();
    int rowOf(int layer) const;  ///< of RoutingLoad; -1: not an MoE layer

  private:
    void speculationChanged();
    void refreshToken();
    void refreshMarks();
    void refreshTokens();
    /// Now, or when the last time is a quarter of a second ago.
    void expertsChanged();
    void refreshExperts();
    void describeTokens(ExpertsValue& value) const;
    std::vector<const RoutedToken*> tokensOfRow(int row) const;
    void refreshWants();
    /// The model's shape with the k this token was routed with (interventions may change it).
    RoutingShape shapeOf(const RoutedToken& token) const;

    TraceViews m_views;
    TranscriptPane* m_pane;
    Selection* m_selection;
    const TraceStore* m_store;
    std::shared_ptr<const LayerProfile> m_layer;
    Domains m_domains;
    QTimer m_expertsTimer;  ///< runs for a quarter of a second after each refresh
    bool m_expertsStale = false;
    QTimer m_speculationTimer;  ///< as m_expertsTimer
    bool m_speculationStale = false;
    std::pair<std::int64_t, std::int64_t> m_speculationShown;  ///< verify steps, plain steps
};

}  // namespace gatescope
