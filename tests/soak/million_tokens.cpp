// SPDX-License-Identifier: Apache-2.0
#include <QElapsedTimer>
#include <QFile>

#include "app/window_docks.h"
#include "tests/app/long_session.h"
#include "tests/app/window_harness.h"
#include "views/session_list_view.h"
#include "views/transcript_view.h"

using namespace gatescope;

namespace {

/// An answer of a model with 58 MoE layers, 256 experts, 8 chosen, and an MTP layer.
StoredSession fullSizeSample() {
    StoredSession sample;
    RoutingShape& shape = sample.info.shape;
    for (int layer = 3; layer < 61; ++layer) {
        shape.layers.push_back(layer);
    }
    shape.mtpLayer = 61;
    shape.totalLayers = 61;
    shape.experts = 256;
    shape.topK = 8;
    sample.info.modelName = "full size";
    sample.info.modelFingerprint = "another model";
    StoredTurn& turn = sample.turns.emplace_back();
    turn.promptIds = {1, 2, 3};
    const auto routing = [](std::size_t rows) {
        TokenRouting all;
        for (std::size_t i = 0; i < rows * 8; ++i) {
            all.experts.push_back(static_cast<std::uint16_t>((i * 37 + i / 8) % 256));
            all.weights.push_back(0.3F);
        }
        all.margins.assign(rows, 0.01F);
        all.biasDecided.assign(rows, 1);
        return all;
    };
    for (int i = 0; i < 10; ++i) {
        turn.tokens.emplace_back().bytes = i % 3 == 0 ? " expert" : " a";
        StepTrace& step = turn.steps.emplace_back();
        step.tokens.emplace_back().routing = routing(58);
        step.mtp.emplace_back().routing = routing(1);
    }
    return sample;
}

/// VmRSS or VmHWM in MB.
qint64 memory(const QByteArray& name) {
    QFile status(QStringLiteral("/proc/self/status"));
    if (status.open(QIODevice::ReadOnly)) {
        for (const QByteArray& line : status.readAll().split('\n')) {
            if (line.startsWith(name)) {
                return line.mid(name.size() + 1).simplified().split(' ').front().toLongLong() /
                       1024;
            }
        }
    }
    return -1;
}

}  // namespace

/// A session of a million tokens in the real window, in two shapes.
class MillionTokens : public QObject, WindowHarness {
    Q_OBJECT

  private:
    ChatController* chat() const { return m_window->chat(); }

    /// Until the part is shown, in seconds.
    template <class Go>
    double opening(Go go) {
        QSignalSpy opened(chat(), &ChatController::sessionChanged);
        QElapsedTimer watch;
        watch.start();
        go();
        while (opened.isEmpty() && watch.elapsed() < kPatience) {
            QCoreApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents,
                                            50);
        }
        m_window->grab();  // painted, too
        return static_cast<double>(watch.elapsed()) / 1000;
    }

    std::filesystem::path file() const { return m_dir->filePath("sessions.db").toStdString(); }

    std::int64_t write(const StoredSession& sample, int answers, int tokens) {
        const auto log = SessionLog::open(file());
        LongSession session(*log, sample);
        for (int i = 0; i < answers; ++i) {
            session.add(tokens);
        }
        return session.session();
    }

    void page(const char* shape, const StoredSession& sample, int answers, int tokens) {
        const std::int64_t session = write(sample, answers, tokens);
        const qint64 empty = memory("VmRSS:");
        QFile reset(QStringLiteral("/proc/self/clear_refs"));
        if (reset.open(QIODevice::WriteOnly)) {
            reset.write("5");  // the peak counts from here
            reset.close();
        }
        const double first =
            opening([&] { Q_EMIT m_window->docks()->sessionList()->opened(session); });
        QVERIFY(chat()->part() != nullptr);
        QCOMPARE(chat()->part()->sessionTokens, std::int64_t{answers} * tokens);
        double worst = 0;
        int parts = 1;
        const int most = qEnvironmentVariableIntValue("GATESCOPE_PARTS");
        while (!chat()->part()->begin && (most == 0 || parts < most)) {
            const double took = opening([&] { chat()->goToPart(ChatController::Part::Earlier); });
            worst = std::max(worst, took);
            ++parts;
        }
        const double toEnd = opening([&] { chat()->goToPart(ChatController::Part::Newest); });
        const qint64 peak = memory("VmHWM:");
        qInfo(
            "%s: opened in %.2f s; %d parts to the beginning, the slowest %.2f s; to the end "
            "%.2f s; peak %lld MB, %lld MB above the window before",
            shape, first, parts, worst, toEnd, static_cast<long long>(peak),
            static_cast<long long>(peak - empty));
        QVERIFY(first < 2.0);
        QVERIFY(peak - empty < 300);
        if (chat()->state() == ChatState::Ready) {
            QElapsedTimer watch;
            watch.start();
            ask("What is 2 + 2?");
            qInfo("%s: a further answer in %.2f s", shape,
                  static_cast<double>(watch.elapsed()) / 1000);
        }
        chat()->newSession();
    }

  private Q_SLOTS:
    void initTestCase() {
        begin();
        ChatSettings few = m_settings->chat();
        few.maxNewTokens = 24;
        m_settings->setChat(few);
        open();
        ask("Tell me a story about a fox named Mia.");
        const SessionStore store(file());
        m_sample = store.load(store.list().front().id);
        chat()->newSession();
    }
    void cleanupTestCase() { end(); }

    void thousandsOfAnswers() { page("4,000 answers of 250 tokens", m_sample, 4000, 250); }
    void longAnswers() { page("10 answers of 100,000 tokens", m_sample, 10, 100'000); }
    void fullSizeRouting() {
        page("58 x 256, k = 8, 100 answers of 400 tokens", fullSizeSample(), 100, 400);
    }

  private:
    StoredSession m_sample;
};

QTEST_MAIN(MillionTokens)
#include "million_tokens.moc"
