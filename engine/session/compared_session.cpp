// SPDX-License-Identifier: Apache-2.0
#include "engine/session/compared_session.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "engine/error.h"
#include "engine/session/settings_json.h"

namespace gatescope {

namespace {

constexpr std::string_view kMixed = "different settings";

std::int64_t numberOf(std::string_view text, std::string_view whole) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 1) {
        throw Error(fmt::format("sessions \"{}\": expected numbers as in 1,3-5", whole));
    }
    return number;
}

/// The line that all answers share; another one makes it "different settings".
void merge(std::string& shared, const std::string& own, bool first) {
    if (first) {
        shared = own;
    } else if (shared != own) {
        shared = kMixed;
    }
}

/// Adds sessions to a run one by one.
class RunBuilder {
  public:
    explicit RunBuilder(std::string label) { m_run.label = std::move(label); }

    void add(StoredSession stored) {
        takeModel(stored);
        std::string message;
        bool answered = false;
        for (StoredTurn& turn : stored.turns) {
            if (turn.role != Role::Assistant) {
                message = std::move(turn.text);
            } else if (!turn.replaced) {
                addAnswer(stored, turn, message);
                answered = true;
            }
        }
        if (!answered) {
            throw Error(fmt::format("session {}: it has no answer", stored.summary.id));
        }
        ++m_sessions;
    }

    ComparedRun run() {
        if (m_sessions == 0) throw Error("a side of the comparison has no session");
        if (m_sessions > 1) {
            m_run.title += fmt::format(" and {} more", m_sessions - 1);
        }
        return std::move(m_run);
    }

  private:
    void takeModel(const StoredSession& stored) {
        const SessionInfo& info = stored.info;
        if (m_sessions == 0) {
            m_firstSession = stored.summary.id;
            m_run.title = stored.summary.title;
            m_run.modelName = info.modelName;
            m_run.modelPath = info.modelPath;
            m_run.modelFingerprint = info.modelFingerprint;
        } else if (m_run.modelFingerprint != info.modelFingerprint) {
            throw Error(fmt::format("session {}: it is of {}, session {} of another model, {}",
                                    stored.summary.id, info.modelName, m_firstSession,
                                    m_run.modelName));
        }
        merge(m_run.device, info.device, m_sessions == 0);
        merge(m_run.precision, info.precision, m_sessions == 0);
    }

    void addAnswer(const StoredSession& stored, StoredTurn& turn, const std::string& message) {
        const GenerationParams params = settingsFromJson(turn.paramsJson);
        RoutingShape shape = stored.info.shape;
        if (params.interventions) shape = runShape(shape, *params.interventions);
        const bool first = m_run.answers.empty();
        if (first) {
            m_run.shape = shape;
        } else if (m_run.shape.topK != shape.topK) {
            throw Error(
                fmt::format("session {}: it chooses {} experts for a token, session {} chooses {}",
                            stored.summary.id, shape.topK, m_firstSession, m_run.shape.topK));
        }
        merge(m_run.settings, settingsText(params), first);
        merge(m_run.interventions,
              params.interventions ? describe(*params.interventions, &stored.info.shape)
                                   : std::string(),
              first);
        ComparedAnswer& answer = m_run.answers.emplace_back();
        answer.session = stored.summary.id;
        answer.turn = turn.turn;
        answer.prompt = message;
        answer.promptIds = std::move(turn.promptIds);
        answer.tokens = std::move(turn.tokens);
        answer.steps = std::move(turn.steps);
        answer.result = std::move(turn.result);
        answer.interventions = params.interventions;
    }

    ComparedRun m_run;
    std::int64_t m_firstSession = -1;
    int m_sessions = 0;
};

}  // namespace

ComparedRun comparedRun(const SessionStore& store, std::span<const std::int64_t> sessions,
                        std::string label) {
    RunBuilder builder(std::move(label));
    for (const std::int64_t session : sessions) builder.add(store.load(session));
    return builder.run();
}

ComparedRun comparedRun(std::span<const StoredSession> sessions, std::string label) {
    RunBuilder builder(std::move(label));
    for (const StoredSession& session : sessions) builder.add(session);
    return builder.run();
}

std::vector<std::int64_t> sessionsFromText(std::string_view text) {
    std::vector<std::int64_t> sessions;
    std::set<std::int64_t> seen;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        const std::string_view part = text.substr(at, comma - at);
        const std::size_t dash = part.find('-');
        const std::int64_t first = numberOf(part.substr(0, dash), text);
        const std::int64_t last =
            dash == std::string_view::npos ? first : numberOf(part.substr(dash + 1), text);
        if (last < first || last - first >= kMostSessionsInText) {
            throw Error(fmt::format("sessions \"{}\": from {} to {}", text, first, last));
        }
        for (std::int64_t session = first; session <= last; ++session) {
            if (seen.insert(session).second) sessions.push_back(session);
        }
        if (static_cast<std::int64_t>(sessions.size()) > kMostSessionsInText) {
            throw Error(fmt::format("sessions \"{}\": more than {}", text, kMostSessionsInText));
        }
        at = comma + 1;
    }
    return sessions;
}

std::string settingsText(const GenerationParams& params) {
    const SamplingParams& sampling = params.sampling;
    std::string text = "greedy";
    if (sampling.temperature > 0) {
        text = fmt::format("temperature {:g}", sampling.temperature);
        if (sampling.topK > 0) text += fmt::format(" · top-k {}", sampling.topK);
        if (sampling.topP < 1) text += fmt::format(" · top-p {:g}", sampling.topP);
        if (sampling.minP > 0) text += fmt::format(" · min-p {:g}", sampling.minP);
        text += fmt::format(" · seed {}", sampling.seed);
    }
    if (sampling.repetitionPenalty != 1) {
        text += fmt::format(" · penalty {:g}", sampling.repetitionPenalty);
    }
    if (params.speculate != Speculate::Off) {
        text += fmt::format(" · drafts by {}", name(params.speculate));
        if (params.drafts > 0) text += fmt::format(" ({})", params.drafts);
    }
    return text;
}

}  // namespace gatescope
