// SPDX-License-Identifier: Apache-2.0
// Time and memory of a report over many sessions of made-up routing in the demo model's shape (5
// MoE layers and the MTP layer, 32 experts, top-4), read from a session file:
//   report_bench FILE.db [SESSIONS [TOKENS [THREADS]]]
// The file is made first where it is not there: about 1 KB a token.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "engine/report/collect_report.h"
#include "engine/report/html_writer.h"
#include "engine/report/report_document.h"
#include "engine/session/session_log.h"

using namespace gatescope;

namespace {

SessionInfo madeUpModel() {
    SessionInfo info;
    info.title = "made up";
    info.modelName = "made up";
    info.modelFingerprint = "0123456789abcdef";
    info.configJson = "{}";
    info.device = "cpu";
    info.shape.layers = {1, 2, 3, 4, 5};
    info.shape.mtpLayer = 6;
    info.shape.totalLayers = 6;
    info.shape.experts = 32;
    info.shape.topK = 4;
    info.shape.hasBias = true;
    return info;
}

RoutedToken routed(std::mt19937_64& random, std::int32_t position, Phase phase, int rows) {
    RoutedToken token;
    token.position = position;
    token.phase = phase;
    for (int row = 0; row < rows; ++row) {
        const auto first = random() % 32;
        for (std::uint64_t i = 0; i < 4; ++i) {
            token.routing.experts.push_back(static_cast<std::uint16_t>((first + 7 * i) % 32));
            token.routing.weights.push_back(0.5F);
        }
        token.routing.margins.push_back(0.1F);
        token.routing.biasDecided.push_back(static_cast<std::uint32_t>(random() % 16));
    }
    return token;
}

/// Answers of verify steps with one accepted draft: two tokens a step.
void makeSession(SessionLog& log, int tokens, std::mt19937_64& random) {
    const std::int64_t session = log.beginSession(madeUpModel());
    log.addUserTurn(session, "Hello");
    const int turn = log.beginAnswer(session, {}, 0);
    for (int i = 0; i < tokens; i += 2) {
        StepTrace step;
        step.step = i / 2;
        step.timing = {1000, 100, 10, 1};
        step.cache.positions = i + 2;
        step.cache.bytesPerPosition = 1;
        for (int j = 0; j < 2; ++j) {
            step.tokens.push_back(routed(random, i + j, Phase::Decode, 5));
            step.mtp.push_back(routed(random, i + j, Phase::Draft, 1));
        }
        SpeculativeStep& verify = step.speculation.emplace();
        verify.drafts.push_back({7, 0.5F, 0.5F});
        verify.accepted = 1;
        log.step(session, turn, step);
    }
    GenerationResult end;
    end.finish = Finish::Length;
    log.endAnswer(session, turn, end);
    log.flush();
}

double secondsSince(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("report_bench FILE.db [SESSIONS [TOKENS [THREADS]]]\n", stderr);
        return 2;
    }
    const auto argument = [&](int index, int otherwise) {
        return argc > index ? std::atoi(argv[index]) : otherwise;
    };
    const std::filesystem::path file = argv[1];
    const int sessions = argument(2, 1000);
    const int tokens = argument(3, 5000);
    if (!std::filesystem::exists(file)) {
        const auto log = SessionLog::open(file);
        std::mt19937_64 random(1);
        for (int i = 0; i < sessions; ++i) makeSession(*log, tokens, random);
        return 0;  // what it took is not to be measured
    }
    ReportRequest request;
    request.threads = argument(4, 0);
    const auto start = std::chrono::steady_clock::now();
    const ReportValue report = collectReport(file, request);
    const double collected = secondsSince(start);
    const std::string page = htmlPage(reportDocument(report, ReportLanguage::English), {});
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "%zu sessions, %lld positions: collected in %.2f s, page of %zu bytes in %.2f s, "
        "largest resident size %ld MB\n",
        report.sessions.size(), static_cast<long long>(report.load->tokens(0, kDefaultPhases)),
        collected, page.size(), secondsSince(start) - collected, usage.ru_maxrss / 1024);
    return 0;
}
