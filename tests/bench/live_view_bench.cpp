// SPDX-License-Identifier: Apache-2.0
// What watching costs the engine: decode speed on all cores with the routing heatmap of a full-size
// model updated 30 times a second beside it, against the same run with the view hidden.
//   QT_QPA_PLATFORM=offscreen live_view_bench [PAIRS [TOKENS [THREADS]]]
#include <QApplication>
#include <QThread>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <vector>

#include "engine/analysis/traffic_analysis.h"
#include "engine/decode/generator.h"
#include "engine/model/decoder.h"
#include "engine/model/make_device.h"
#include "engine/model/random_weights.h"
#include "engine/model/router.h"
#include "views/routing_view.h"
#include "views/selection.h"
#include "views/theme.h"

using namespace gatescope;

namespace {

constexpr std::chrono::milliseconds kFrameInterval{33};
constexpr int kPromptTokens = 64;

/// DeepSeek-V3's layers and routing at a fraction of its width: many tokens a second, so what they
/// cost to show weighs most.
ModelConfig narrowV3() {
    ModelConfig config = namedShape("deepseek-v3");
    config.vocabSize = 8192;
    config.hiddenSize = 256;
    config.intermediateSize = 1024;
    config.moeIntermediateSize = 64;
    config.numAttentionHeads = 8;
    config.qLoraRank = 128;
    config.kvLoraRank = 128;
    return config;
}

double threadMilliseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// As in the window: everything is counted on the engine's thread, which copies the counters 30
/// times a second for whoever looks.
class FrameSink final : public GenerationSink {
  public:
    FrameSink(const Decoder& decoder, RoutingView* view)
        : m_analysis(decoder.routingShape(), routerBiasByRow(decoder)), m_view(view) {}

    void onStep(const StepTrace& step) override {
        m_analysis.add(step);
        const auto now = std::chrono::steady_clock::now();
        if (m_view == nullptr || now - m_last < kFrameInterval || m_waiting.exchange(true)) {
            return;
        }
        m_last = now;
        const double before = threadMilliseconds();
        QMetaObject::invokeMethod(
            m_view,
            [this, load = m_analysis.load().snapshot()] {
                m_waiting = false;
                m_view->setLoad(load);
            },
            Qt::QueuedConnection);
        m_copying += threadMilliseconds() - before;
        ++m_frames;
    }
    int frames() const { return m_frames; }
    double copying() const { return m_copying; }

  private:
    TrafficAnalysis m_analysis;
    RoutingView* m_view;  ///< nullptr: no one looks
    std::chrono::steady_clock::time_point m_last{};
    std::atomic<bool> m_waiting{false};
    int m_frames = 0;
    double m_copying = 0;  ///< ms of the engine's thread
};

struct Run {
    double tokensPerSecond = 0;
    double seconds = 0;  ///< of decoding
    int frames = 0;
    double copying = 0;  ///< ms a frame, engine's thread
    double showing = 0;  ///< ms a frame, window's thread
};

Run run(Decoder& decoder, int tokens, RoutingView* view) {
    std::vector<std::int32_t> prompt(kPromptTokens);
    for (int i = 0; i < kPromptTokens; ++i) {
        prompt[static_cast<std::size_t>(i)] = (i * 97 + 5) % 8192;
    }
    GenerationParams params;
    params.maxNewTokens = tokens + 1;  // the first comes from the prefill
    decoder.truncate(0);
    FrameSink sink(decoder, view);
    GenerationResult result;
    const double before = threadMilliseconds();
    std::thread engine([&] {
        result = generate(decoder, nullptr, prompt, params, sink);
        QMetaObject::invokeMethod(qApp, &QApplication::quit, Qt::QueuedConnection);
    });
    QApplication::exec();
    engine.join();
    Run out;
    const double shown = threadMilliseconds() - before;
    out.seconds = result.timing.decodeSeconds;
    out.tokensPerSecond = static_cast<double>(result.timing.decodeTokens) / out.seconds;
    out.frames = sink.frames();
    out.copying = sink.copying() / std::max(1, out.frames);
    out.showing = shown / std::max(1, out.frames);
    QApplication::processEvents();  // nothing of this run reaches into the next
    return out;
}

int number(const QStringList& arguments, int index, int otherwise) {
    return arguments.size() > index ? std::max(1, arguments[index].toInt()) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    applyTheme(Theme::Light);
    const QStringList arguments = QApplication::arguments();
    const int pairs = number(arguments, 1, 9);
    const int tokens = number(arguments, 2, 600);
    DeviceOptions where;
    where.threads = number(arguments, 3, QThread::idealThreadCount());
    const auto device = makeDevice(where);
    const RandomWeights weights(narrowV3(), DType::BF16);
    DecoderOptions options;
    options.maxContext = kPromptTokens + tokens + 2;
    Decoder decoder(weights, *device, options);
    std::printf("%d layers, %d experts, %.2f GB, %d threads, %d tokens a run\n",
                decoder.config().numHiddenLayers, decoder.config().nRoutedExperts,
                static_cast<double>(weights.weightBytes()) / 1e9, where.threads, tokens);

    Selection selection;
    RoutingView view(&selection);
    view.resize(700, 368);
    run(decoder, tokens, nullptr);  // warm-up
    std::vector<double> ratios;
    std::vector<double> own;
    for (int pair = 0; pair < pairs; ++pair) {
        Run with;
        Run without;
        for (const bool shown : {pair % 2 == 0, pair % 2 != 0}) {
            view.setVisible(shown);
            QApplication::processEvents();
            (shown ? with : without) = run(decoder, tokens, shown ? &view : nullptr);
        }
        ratios.push_back(with.tokensPerSecond / without.tokensPerSecond);
        own.push_back(with.copying + with.showing);
        std::printf(
            "with %6.2f  without %6.2f tokens/s  ratio %.4f   %4.1f frames/s  copy %.3f ms  "
            "show %.3f ms  %.2f %% of %d cores\n",
            with.tokensPerSecond, without.tokensPerSecond, ratios.back(),
            with.frames / with.seconds, with.copying, with.showing,
            own.back() * with.frames / with.seconds / 10 / where.threads, where.threads);
        std::fflush(stdout);
    }
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    std::printf(
        "median ratio %.4f (%.4f to %.4f), processor time of a frame %.3f ms: %.2f %% of %d "
        "cores at 30/s\n",
        median(ratios), *least, *most, median(own), median(own) * 3 / where.threads, where.threads);
    return 0;
}
