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

constexpr int kTokens = 1'000'000;

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

    void page(std::int64_t session, const char* shape) {
        const qint64 empty = memory("VmRSS:");
        QFile reset(QStringLiteral("/proc/self/clear_refs"));
        if (reset.open(QIODevice::WriteOnly)) {
            reset.write("5");  // the peak counts from here
            reset.close();
        }
        const double first =
            opening([&] { Q_EMIT m_window->docks()->sessionList()->opened(session); });
        QVERIFY(chat()->part() != nullptr);
        QCOMPARE(chat()->part()->sessionTokens, kTokens);
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
        QElapsedTimer watch;
        watch.start();
        ask("What is 2 + 2?");
        qInfo("%s: a further answer in %.2f s", shape, static_cast<double>(watch.elapsed()) / 1000);
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
        const std::filesystem::path file = m_dir->filePath("sessions.db").toStdString();
        const SessionStore store(file);
        const StoredSession sample = store.load(store.list().front().id);
        chat()->newSession();
        const auto log = SessionLog::open(file);
        QElapsedTimer watch;
        watch.start();
        LongSession many(*log, sample);
        for (int i = 0; i < kTokens / 250; ++i) {
            many.add(250);
        }
        m_many = many.session();
        LongSession few100(*log, sample);
        for (int i = 0; i < kTokens / 100'000; ++i) {
            few100.add(100'000);
        }
        m_few = few100.session();
        qInfo("written: %.0f tokens/s, file %lld MB",
              2.0 * kTokens * 1000 / static_cast<double>(watch.elapsed()),
              static_cast<long long>(std::filesystem::file_size(file) >> 20));
    }
    void cleanupTestCase() { end(); }

    void thousandsOfAnswers() { page(m_many, "4,000 answers of 250 tokens"); }
    void longAnswers() { page(m_few, "10 answers of 100,000 tokens"); }

  private:
    std::int64_t m_many = 0;
    std::int64_t m_few = 0;
};

QTEST_MAIN(MillionTokens)
#include "million_tokens.moc"
