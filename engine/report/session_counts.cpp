// SPDX-License-Identifier: Apache-2.0
#include "engine/report/session_counts.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/analysis/placement_score.h"
#include "engine/error.h"
#include "engine/report/session_loads.h"
#include "engine/report/sha256.h"
#include "engine/session/answer_stream.h"
#include "engine/session/compared_session.h"
#include "engine/session/settings_json.h"

namespace gatescope {

namespace {

/// How far a thread may run ahead of the session that is merged next: bounds what waits.
constexpr std::size_t kMostAhead = 16;

/// What one session adds. Sums of integers that are large (pairs) are kept by thread instead.
struct SessionPart {
    ReportedSession session;
    std::int64_t changedRouting = 0;
    std::optional<RoutingLoadCounter> load;
    SpeculationCounter speculation;
    std::optional<ReportedCache> cache;
    std::vector<ExpertLoads> blocks;
};

/// Counts of one thread whose order does not matter.
struct ThreadSums {
    explicit ThreadSums(const RoutingShape& shape)
        : pairs(shape), decided(rowsOf(shape)), judged(rowsOf(shape)) {}
    static std::size_t rowsOf(const RoutingShape& shape) {
        return shape.layers.size() + (shape.mtpLayer >= 0 ? 1 : 0);
    }
    CoactivationCounter pairs;
    std::vector<std::int64_t> decided;
    std::vector<std::int64_t> judged;
};

/// Throws Error unless both are of one model.
void checkModel(const std::filesystem::path& file, const SessionInfo& model, std::int64_t first,
                const SessionInfo& other, std::int64_t session) {
    const RoutingShape& a = model.shape;
    const RoutingShape& b = other.shape;
    if (model.modelFingerprint == other.modelFingerprint && a.layers == b.layers &&
        a.experts == b.experts && a.topK == b.topK && a.mtpLayer == b.mtpLayer &&
        a.groups == b.groups && a.topkGroups == b.topkGroups && a.hasBias == b.hasBias) {
        return;
    }
    const char* differs = model.modelFingerprint == other.modelFingerprint
                              ? ", of other layers, experts or groups"
                              : "";
    throw fileError(
        file.string(), fmt::format("session {}", session),
        fmt::format(
            "it is of model {} ({}), session {} is of {} ({}){}: choose sessions of one model",
            other.modelName, other.modelFingerprint, first, model.modelName, model.modelFingerprint,
            differs));
}

bool isPromptStep(const StepTrace& step) {
    return std::all_of(step.tokens.begin(), step.tokens.end(),
                       [](const RoutedToken& token) { return token.phase == Phase::Prefill; });
}

bool counts(const RoutedToken& token, unsigned phases) {
    return (phases >> static_cast<unsigned>(token.phase) & 1U) != 0 &&
           (!token.special || (phases & kSpecialTokens) != 0);
}

/// Counts one session after another, with a connection of its own.
class SessionReader {
  public:
    SessionReader(const std::filesystem::path& file, const RoutingShape& shape,
                  PromptDetail prompts, unsigned phases)
        : m_stream(file), m_shape(shape), m_prompts(prompts), m_phases(phases), m_sums(shape) {}

    /// `tick` is called now and then.
    SessionPart read(std::int64_t number, const std::function<void()>& tick) {
        SessionPart part;
        part.load.emplace(m_shape);
        part.speculation = SpeculationCounter(m_shape);
        const AnswerStream::Head head = m_stream.head(number);
        part.session.id = number;
        part.session.createdMs = head.createdMs;
        part.session.device = head.info.device;
        part.session.precision = head.info.precision;
        if (m_prompts == PromptDetail::Texts) part.session.title = head.info.title;
        for (const StreamedAnswer& answer : m_stream.answers(number)) {
            readAnswer(number, answer, part, tick);
        }
        return part;
    }
    const ThreadSums& sums() const { return m_sums; }

  private:
    void readAnswer(std::int64_t number, const StreamedAnswer& answer, SessionPart& part,
                    const std::function<void()>& tick) {
        const GenerationParams params = settingsFromJson(answer.settingsJson);
        if (params.interventions) {
            part.changedRouting += answer.replaced ? 0 : 1;
            return;
        }
        ExpertLoads block;
        block.layers = static_cast<int>(m_shape.layers.size());
        block.experts = m_shape.experts;
        block.values.resize(m_shape.layers.size() * static_cast<std::size_t>(m_shape.experts));
        bool routed = false, cached = false;
        m_stream.forEachStep(number, answer.turn, m_shape.layers.size(),
                             [&](const StepTrace& step) {
                                 tick();
                                 if (answer.replaced && !isPromptStep(step)) return;
                                 routed = addStep(step, part, block) || routed;
                                 if (!answer.replaced) {
                                     part.speculation.add(step);
                                     cached = addCache(step.cache, part) || cached;
                                 }
                             });
        if (cached) ++part.cache->answers;
        if (routed) part.blocks.push_back(std::move(block));
        if (!answer.replaced) part.session.answers.push_back(reported(answer, params));
    }

    ReportedAnswer reported(const StreamedAnswer& answer, const GenerationParams& params) const {
        ReportedAnswer out;
        out.turn = answer.turn;
        out.promptTokens = answer.promptTokens;
        out.answerTokens = answer.answerTokens;
        out.settings = settingsText(params);
        out.seed = answer.seed;
        out.finish = answer.finish;
        if (m_prompts != PromptDetail::None) out.promptHash = sha256Hex(answer.prompt);
        if (m_prompts == PromptDetail::Texts) out.prompt = answer.prompt;
        return out;
    }

    bool addStep(const StepTrace& step, SessionPart& part, ExpertLoads& block) {
        part.load->add(step);
        bool routed = false;
        for (const auto* tokens : {&step.tokens, &step.mtp}) {
            const bool mtp = tokens == &step.mtp;
            for (const RoutedToken& token : *tokens) {
                if (token.routing.rows() == 0) continue;
                m_sums.pairs.add(token, mtp);
                addDecided(token, mtp);
                if (mtp || token.phase == Phase::Rejected) continue;
                routed = true;
                addChoices(token, block);
            }
        }
        return routed;
    }

    void addDecided(const RoutedToken& token, bool mtp) {
        if (!m_shape.hasBias || !counts(token, m_phases)) return;
        const std::size_t first = mtp ? m_shape.layers.size() : 0;
        const std::vector<std::uint32_t>& bits = token.routing.biasDecided;
        for (std::size_t row = 0; row < bits.size(); ++row) {
            ++m_sums.judged[first + row];
            m_sums.decided[first + row] += std::popcount(bits[row]);
        }
    }

    void addChoices(const RoutedToken& token, ExpertLoads& block) const {
        const std::vector<std::uint16_t>& experts = token.routing.experts;
        const auto k = static_cast<std::size_t>(m_shape.topK);
        for (std::size_t i = 0; i < experts.size(); ++i) {
            ++block.values[i / k * static_cast<std::size_t>(m_shape.experts) + experts[i]];
        }
    }

    static bool addCache(const CacheUse& use, SessionPart& part) {
        if (use.positions == 0) return false;
        if (!part.cache) part.cache.emplace();
        if (use.positions > part.cache->largest.positions) part.cache->largest = use;
        return true;
    }

    AnswerStream m_stream;
    const RoutingShape& m_shape;
    PromptDetail m_prompts;
    unsigned m_phases;
    ThreadSums m_sums;
};

/// Takes the sessions' parts in their order, whoever has them first.
class Merging {
  public:
    Merging(SessionCounts& out, std::span<const std::int64_t> sessions, const Progress& progress)
        : m_out(out), m_sessions(sessions), m_progress(progress) {}

    /// The next session to be read; nothing when all are taken or somebody failed. Waits while the
    /// one that is merged next is too far behind.
    std::optional<std::size_t> take() {
        std::unique_lock lock(m_mutex);
        m_changed.wait(lock, [this] { return m_failed || m_taken < m_merged + kMostAhead; });
        if (m_failed || m_taken == m_sessions.size()) return {};
        return m_taken++;
    }

    std::int64_t number(std::size_t index) const { return m_sessions[index]; }

    void give(std::size_t index, SessionPart part) {
        {
            const std::lock_guard lock(m_mutex);
            m_waiting.emplace(index, std::move(part));
            for (auto next = m_waiting.begin(); next != m_waiting.end() && next->first == m_merged;
                 next = m_waiting.begin()) {
                merge(std::move(next->second));
                m_waiting.erase(next);
                ++m_merged;
            }
        }
        m_changed.notify_all();
        tick();
    }

    /// Throws Cancelled. Cheap enough for every step.
    void tick() {
        if (m_failed) throw Cancelled();
        if (m_ticks.fetch_add(1, std::memory_order_relaxed) % 64 != 0) return;
        const std::unique_lock lock(m_progressMutex, std::try_to_lock);
        if (!lock.owns_lock() || !m_progress) return;
        if (!m_progress("reading sessions", m_merged, m_sessions.size())) throw Cancelled();
    }

    void fail(std::exception_ptr cause) {
        {
            const std::lock_guard lock(m_mutex);
            if (!m_cause) m_cause = cause;
            m_failed = true;
        }
        m_changed.notify_all();
    }
    void rethrow() const {
        if (m_cause) std::rethrow_exception(m_cause);
    }

  private:
    void merge(SessionPart part) {
        m_out.load.merge(part.load->load());
        m_out.speculation.merge(part.speculation);
        m_out.changedRoutingAnswers += part.changedRouting;
        m_out.sessions.push_back(std::move(part.session));
        if (part.cache) {
            if (!m_out.cache) m_out.cache.emplace();
            m_out.cache->answers += part.cache->answers;
            if (part.cache->largest.positions > m_out.cache->largest.positions) {
                m_out.cache->largest = part.cache->largest;
            }
        }
        for (ExpertLoads& block : part.blocks) {
            m_out.blocks.push_back(std::move(block));
            if (m_out.blocks.size() == 2 * kMostLoadBlocks) joinNeighbours(m_out.blocks);
        }
    }

    SessionCounts& m_out;
    std::span<const std::int64_t> m_sessions;
    const Progress& m_progress;
    std::mutex m_mutex;
    std::mutex m_progressMutex;
    std::condition_variable m_changed;
    std::map<std::size_t, SessionPart> m_waiting;
    std::size_t m_taken = 0;
    std::atomic<std::size_t> m_merged = 0;
    std::atomic<std::uint64_t> m_ticks = 0;
    std::atomic<bool> m_failed = false;
    std::exception_ptr m_cause;
};

void readAll(Merging& merging, SessionReader& reader) {
    try {
        while (const auto index = merging.take()) {
            merging.give(*index,
                         reader.read(merging.number(*index), [&merging] { merging.tick(); }));
        }
    } catch (...) {
        merging.fail(std::current_exception());
    }
}

/// Sessions in the order in which they count, all of the model of the first.
std::vector<std::int64_t> chosen(const std::filesystem::path& file,
                                 std::span<const std::int64_t> wanted, SessionInfo& model) {
    AnswerStream stream(file);
    std::vector<std::int64_t> sessions(wanted.begin(), wanted.end());
    if (sessions.empty()) sessions = stream.sessions();
    std::sort(sessions.begin(), sessions.end());
    sessions.erase(std::unique(sessions.begin(), sessions.end()), sessions.end());
    if (sessions.empty()) throw fileError(file.string(), "", "it has no sessions");
    model = stream.head(sessions.front()).info;
    for (const std::int64_t session : sessions) {
        checkModel(file, model, sessions.front(), stream.head(session).info, session);
    }
    if (model.shape.layers.empty() || model.shape.experts <= 0) {
        throw fileError(file.string(), fmt::format("session {}", sessions.front()),
                        "its model has no routed experts");
    }
    return sessions;
}

}  // namespace

SessionCounts countSessions(const std::filesystem::path& file,
                            std::span<const std::int64_t> sessions, PromptDetail prompts,
                            unsigned phases, int threads, const Progress& progress) {
    SessionCounts out;
    const std::vector<std::int64_t> numbers = chosen(file, sessions, out.model);
    const RoutingShape& shape = out.model.shape;
    out.load.shape = shape;
    out.speculation = SpeculationCounter(shape);
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t count =
        std::min(threads > 0 ? static_cast<std::size_t>(threads) : cores, numbers.size());
    Merging merging(out, numbers, progress);
    std::vector<std::unique_ptr<SessionReader>> readers;
    for (std::size_t i = 0; i < count; ++i) {
        readers.push_back(std::make_unique<SessionReader>(file, shape, prompts, phases));
    }
    {
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i < count; ++i) {
            others.emplace_back([&merging, &reader = *readers[i]] { readAll(merging, reader); });
        }
        readAll(merging, *readers.front());
    }
    merging.rethrow();
    ThreadSums sums(shape);
    for (const auto& reader : readers) {
        sums.pairs.merge(reader->sums().pairs);
        for (std::size_t row = 0; row < sums.decided.size(); ++row) {
            sums.decided[row] += reader->sums().decided[row];
            sums.judged[row] += reader->sums().judged[row];
        }
    }
    out.pairs = std::move(sums.pairs);
    out.decided = std::move(sums.decided);
    out.judged = std::move(sums.judged);
    if (out.blocks.empty()) {
        throw fileError(file.string(), "",
                        out.changedRoutingAnswers > 0
                            ? "in all of these answers the routing was changed by interventions"
                            : "no routing was recorded in these sessions");
    }
    return out;
}

}  // namespace gatescope
