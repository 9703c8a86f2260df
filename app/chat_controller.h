// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <filesystem>
#include <memory>
#include <optional>

#include "app/engine_client.h"
#include "app/session_parts.h"
#include "app/settings.h"
#include "app/trace_store.h"
#include "app/transcript_writer.h"
#include "views/selection.h"

namespace gatescope {

class ChatPane;
struct Interventions;

/// What can be done right now.
enum class ChatState { NoModel, Loading, Ready, Answering, Closed };

/// Leads the conversation: turns what the person does into commands for the engine, and what the
/// engine says into the transcript and the trace store.
class ChatController final : public QObject {
    Q_OBJECT

  public:
    ChatController(EngineClient* engine, ChatPane* pane, Selection* selection, TraceStore* store,
                   QObject* parent = nullptr);

    ChatState state() const { return m_state; }
    const ModelFacts* model() const { return m_model.get(); }
    /// The same, for what outlives it here.
    std::shared_ptr<const ModelFacts> modelFacts() const { return m_model; }
    std::optional<std::int64_t> session() const { return m_session; }
    const LoadOptions& loadOptions() const { return m_loadOptions; }
    /// Where the next model is to run; taken back if it cannot be loaded so.
    void setLoadOptions(const LoadOptions& options) { m_loadOptions = options; }
    const ChatSettings& settings() const { return m_settings; }
    void setSettings(const ChatSettings& settings);

    /// How the routing of the next answers is changed; null or empty: not at all. Shown above the
    /// chat, in the transcript and in every export for as long as it holds, and logged with every
    /// answer. Another model ends it.
    void setInterventions(std::shared_ptr<const Interventions> interventions);
    const std::shared_ptr<const Interventions>& interventions() const { return m_interventions; }

    void loadModel(const std::filesystem::path& dir);
    /// Sends at once, or as soon as the model that is being loaded is ready.
    void send(const QString& message);
    void stop();
    bool canRegenerate() const;
    void regenerate();
    /// Where a token stands among the answers of the session, or the answer to the message that it
    /// is of.
    struct TokenPlace {
        int turn = -1;         ///< of the answer in the log
        std::int64_t seq = 0;  ///< within the answer
        QString question;      ///< the message; set if the token is of it
    };
    std::optional<TokenPlace> placeOf(std::int32_t number) const;
    bool canBranch() const { return m_state == ChatState::Ready && m_session.has_value(); }
    /// A new session that has everything before this token of an answer, and goes on from there:
    /// with `instead`, or with what the model chooses.
    void branchAt(std::int32_t number, const TokenEvent::Alternative* instead = nullptr);
    /// A new session that has everything before the message of this token, and asks another one.
    void askInstead(std::int32_t number, const QString& message);
    void newSession();
    /// Shows a stored session; refused while an answer streams.
    void openSession(std::shared_ptr<const StoredSession> stored);
    void showError(const QString& text);

    /// What of the session is shown and counted; null: all of it.
    const SessionExtent* part() const { return m_parts.shown(); }
    /// Other parts of a long session.
    using Part = SessionParts::Part;
    bool hasPart(Part which) const;
    void goToPart(Part which);
    /// The part that was asked for cannot be read.
    void partFailed(const QString& error);

    /// Whether the selection goes with the newest token while an answer streams.
    bool following() const { return m_follow; }
    void setFollowing(bool follow);
    /// The newest answer and its prompt as token ids; both empty while there is none.
    struct LastAnswer {
        std::vector<std::int32_t> prompt;
        std::vector<std::int32_t> answer;
    };
    LastAnswer lastAnswer() const;

  Q_SIGNALS:
    void stateChanged();
    void settingsChanged();
    void interventionsChanged();
    void followingChanged();
    void modelLoaded();
    void modelRefused(const QString& dir);
    /// What was shown before is gone; nothing is known yet of what comes.
    void sessionCleared();
    /// Answered by openSession() or partFailed().
    void partWanted(std::int64_t session, const gatescope::PartRequest& request);
    void partChanged();
    /// session() may be another one.
    void sessionChanged();
    void tokensArrived(int count);
    void answerFinished(std::shared_ptr<const gatescope::AnswerEnd> end);

  private:
    void onLoaded(std::shared_ptr<const ModelFacts> model);
    void onLoadFailed(const QString& error);
    void onAnswerStarted(const AnswerStart& start);
    void onPromptRefused(const QString& message, const QString& error);
    void onBatch(const FeedBatch& batch);
    void onAnswerEnded(std::shared_ptr<const AnswerEnd> end);
    void onSessionOpened(const OpenedSession& opened);
    void onSelectionChanged();

    void connectParts();
    void wantPart(Part which);
    bool sendFromNewest(const QString& message);
    void clearPart();
    void endPart(std::optional<std::int64_t> selected, const SelectionPoint& before);
    void showPartBar();
    void countInPart(std::int64_t tokens);
    void dropFarEnd();

    void branch(BranchRequest request);

    ChatState idleState() const;
    GenerationParams params() const;
    void setState(ChatState state);
    void refreshInput();
    /// `tokens`: of the model that the session is of; null: not at hand.
    void clearConversation(const RoutingShape& shape, std::shared_ptr<const TokenTable> tokens);
    void showEmptyChat();
    void hideError();
    void follow();

    EngineClient* m_engine;
    ChatPane* m_pane;
    Selection* m_selection;
    TraceStore* m_store;
    LoadOptions m_loadOptions;
    std::optional<LoadOptions> m_loadedOptions;  ///< of the last model that could be loaded
    ChatSettings m_settings = ChatSettings::defaults();
    std::shared_ptr<const Interventions> m_interventions;  ///< null: none
    std::shared_ptr<const ModelFacts> m_model;
    std::filesystem::path m_loadingDir;
    ChatState m_state = ChatState::NoModel;
    std::optional<std::int64_t> m_session;
    QString m_closedReason;
    QString m_queuedPrompt;  ///< to be sent when loading ends
    int m_answerTokens = 0;
    SessionParts m_parts;
    TranscriptWriter m_writer;
    QString m_promptForNewest;  ///< to be sent when the newest part is shown
    int m_heldAtOpening = 0;    ///< tokens in the transcript then
    bool m_errorPasses = true;
    bool m_follow = false;  ///< the selection follows the newest token
    bool m_following = false;
};

}  // namespace gatescope
