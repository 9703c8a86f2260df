// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <random>
#include <string>

#include "engine/session/session_log.h"

namespace gatescope::test {

/// Sessions of a model that does not exist, with random routing; as a program would write them.
class ReportSessions {
  public:
    explicit ReportSessions(const std::filesystem::path& file) : m_log(SessionLog::open(file)) {
        info.title = "a title";
        info.modelName = "made up";
        info.modelFingerprint = "0123456789abcdef";
        info.configJson = R"({"torch_dtype": "bfloat16"})";
        info.device = "cpu";
        info.shape.layers = {1, 2, 3};
        info.shape.mtpLayer = 4;
        info.shape.totalLayers = 4;
        info.shape.experts = 8;
        info.shape.topK = 2;
        info.shape.hasBias = true;
    }

    std::int64_t begin() { return m_log->beginSession(info); }

    /// A prompt of 5 tokens in one step, then steps of which every second drafts one token.
    int answer(std::int64_t session, const std::string& prompt, int steps,
               const GenerationParams& params = {}) {
        m_log->addUserTurn(session, prompt);
        const int turn = m_log->beginAnswer(session, params, 0);
        m_log->promptTokens(session, turn, {1, 2, 3, 4, 5});
        m_position = 0;
        StepTrace prefill = stepAt(0);
        for (int i = 0; i < 5; ++i) prefill.tokens.push_back(routed(Phase::Prefill, i == 0, 3));
        m_log->step(session, turn, prefill);
        GenerationResult result;
        for (int i = 1; i <= steps; ++i) {
            m_log->step(session, turn, i % 2 == 0 ? drafting(i) : plain(i));
            TokenEvent token;
            token.id = i;
            token.bytes = "x";
            token.step = i - 1;
            m_log->token(session, turn, token);
            result.ids.push_back(i);
        }
        result.finish = Finish::Length;
        m_log->endAnswer(session, turn, result);
        return turn;
    }

    SessionLog& log() { return *m_log; }
    SessionInfo info;

  private:
    StepTrace stepAt(int number) {
        StepTrace step;
        step.step = number;
        step.timing = {1000 + number, 10, 5, 1};
        step.cache.positions = m_position + 1;
        step.cache.bytesPerPosition = 96;
        step.cache.used = 96 * step.cache.positions;
        step.cache.expandedBytesPerPosition = 960;
        step.cache.maxPositions = 512;
        return step;
    }

    StepTrace plain(int number) {
        StepTrace step = stepAt(number);
        step.tokens.push_back(routed(Phase::Decode, false, 3));
        return step;
    }

    StepTrace drafting(int number) {
        StepTrace step = stepAt(number);
        const bool accepted = m_random() % 2 == 0;
        step.tokens.push_back(routed(Phase::Decode, false, 3));
        step.tokens.push_back(routed(accepted ? Phase::Decode : Phase::Rejected, false, 3));
        step.mtp.push_back(routed(Phase::Draft, false, 1));
        SpeculativeStep& verify = step.speculation.emplace();
        verify.drafts.push_back({number, 0.5F, 0.25F});
        verify.accepted = accepted ? 1 : 0;
        return step;
    }

    RoutedToken routed(Phase phase, bool special, int rows) {
        RoutedToken token;
        token.position = m_position++;
        token.phase = phase;
        token.special = special;
        for (int row = 0; row < rows; ++row) {
            const auto first = static_cast<std::uint16_t>(std::min(m_random() % 8, m_random() % 8));
            const auto second = static_cast<std::uint16_t>((first + 1 + m_random() % 7) % 8);
            token.routing.experts.insert(token.routing.experts.end(), {first, second});
            const float weight = static_cast<float>(m_random() % 1000) / 1000;
            token.routing.weights.insert(token.routing.weights.end(), {weight, 1 - weight});
            token.routing.margins.push_back(0.1F);
            token.routing.biasDecided.push_back(static_cast<std::uint32_t>(m_random() % 4));
        }
        return token;
    }

    std::unique_ptr<SessionLog> m_log;
    std::mt19937_64 m_random{7};
    std::int32_t m_position = 0;
};

}  // namespace gatescope::test
