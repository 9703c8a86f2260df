// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/bench_limits.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/device_buffer.h"

namespace gatescope::cli {
namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr int kRuns = 7;

/// Median of several, after one to warm up.
double secondsOf(Device& device, const std::function<void()>& operation) {
    operation();
    device.synchronize();
    std::vector<double> seconds;
    for (int i = 0; i < kRuns; ++i) {
        const std::size_t begin = device.mark();
        operation();
        const std::size_t end = device.mark();
        seconds.push_back(device.secondsBetween(begin, end));
    }
    device.clearMarks();
    return median(seconds);
}

/// Large beside every cache on the way, and small beside what is free.
std::size_t copyBytes(const Device& device) {
    const auto memory = device.memory();
    if (!memory) return 128 * kMiB;
    return std::min(std::size_t{1024} * kMiB, memory->free / 4 / kMiB * kMiB);
}

double measureCopy(Device& device) {
    const std::size_t bytes = copyBytes(device);
    DeviceBuffer<float> from(device);
    DeviceBuffer<float> to(device);
    const std::size_t count = bytes / sizeof(float);
    float* source = from.require(count);
    float* target = to.require(count);
    // Pages that were never written would all be one.
    device.clear({source, 1, static_cast<std::int64_t>(count)});
    const double seconds = secondsOf(device, [&] { device.copy(target, source, bytes); });
    return 2 * static_cast<double>(bytes) / seconds;
}

double measureProduct(Device& device) {
    const std::int64_t rows = device.preferredPass();
    const std::int64_t side = device.memory() ? 8192 : 1024;
    const Weight weight = device.random(
        {.dtype = DType::BF16, .rows = side, .cols = side, .deviation = 0.02F, .seed = 1});
    DeviceBuffer<float> in(device);
    DeviceBuffer<float> out(device);
    const auto count = static_cast<std::size_t>(rows * side);
    const Matrix input(in.require(count), rows, side);
    const Matrix output(out.require(count), rows, side);
    const std::vector<float> ones(count, 1.0F);
    device.upload(input.data, ones.data(), count * sizeof(float));
    const double seconds = secondsOf(device, [&] { device.matmul(output, input, weight); });
    return static_cast<double>(rows * side * side) / seconds;
}

/// Keeps a device with a queue of its own busy while the host issues a step: the operations then
/// follow each other at once, and none is charged for the time its launch took.
class Backlog {
  public:
    explicit Backlog(Device& device) : m_device(device), m_from(device), m_to(device) {}

    void add() {
        if (!m_device.memory()) return;
        const std::size_t bytes = copyBytes(m_device);
        void* from = m_from.require(bytes);
        void* to = m_to.require(bytes);
        for (int i = 0; i < kCopies; ++i) m_device.copy(to, from, bytes);
    }

  private:
    static constexpr int kCopies = 50;  ///< of 1 GiB: 30 ms and more

    Device& m_device;
    DeviceBuffer<std::byte> m_from;
    DeviceBuffer<std::byte> m_to;
};

ForwardOptions mostProbable(AttentionPath path) {
    return {path, LogitsOf::Last, TopRequest{.k = 1}, nullptr, {}};
}

}  // namespace

DeviceRates measureRates(Device& device) {
    return {measureCopy(device), measureProduct(device)};
}

Limits compareWithLimits(Decoder& decoder, const WeightSource& source, const DeviceRates& rates,
                         const SpeedMeasurement& speeds, const BenchOptions& options) {
    Limits limits;
    limits.rates = rates;
    limits.contextRows = options.depth + options.promptTokens + (options.genTokens + 1) / 2;
    limits.decode = decodeBytes(source, decoder.cache().layout().type, limits.contextRows);
    limits.prefillMultiplyAdds =
        prefillMultiplyAdds(decoder.config(), options.promptTokens, options.depth);
    if (decoder.hostExpertLayers() > 0) return limits;
    limits.memoryShare = static_cast<double>(limits.decode.total()) * median(speeds.off.decode) /
                         rates.copyBytesPerSecond;
    limits.denseShare = static_cast<double>(limits.prefillMultiplyAdds) *
                        median(speeds.off.prefill) / options.promptTokens /
                        rates.multiplyAddsPerSecond;
    return limits;
}

OperationProfile profileOperations(Decoder& decoder, TimedDevice& device,
                                   const WeightSource& source, const DeviceRates& rates,
                                   const BenchOptions& options) {
    OperationProfile profile;
    profile.prefillTokens = std::min<std::int64_t>(options.promptTokens, decoder.maxPass());
    const auto prompt = randomIds(profile.prefillTokens, decoder.config().vocabSize);
    decoder.truncate(options.depth);
    device.start();
    decoder.forward(prompt, mostProbable(AttentionPath::Expanded));
    profile.prefill = device.stop();

    const std::int64_t position = decoder.length();
    const auto next = std::span(prompt).first(1);
    decoder.forward(next, mostProbable(AttentionPath::Absorbed));  // warm-up
    decoder.truncate(position);
    Backlog backlog(device);
    backlog.add();
    device.start();
    decoder.forward(next, mostProbable(AttentionPath::Absorbed));
    profile.decode = device.stop();

    profile.contextRows = position + 1;
    profile.attentionBytes =
        latentAttentionBytes(source, decoder.cache().layout().type, profile.contextRows);
    profile.attentionShare = static_cast<double>(profile.attentionBytes) /
                             profile.decode.secondsOf("absorbedAttention") /
                             rates.copyBytesPerSecond;
    return profile;
}

}  // namespace gatescope::cli
