// SPDX-License-Identifier: Apache-2.0
#include "kernels/timed_device.h"

#include <algorithm>
#include <map>

namespace gatescope {

double TimedPass::secondsOf(const std::string& name) const {
    double sum = 0;
    for (const auto& operation : operations)
        if (operation.name.starts_with(name)) sum += operation.seconds;
    return sum;
}

void TimedDevice::start() {
    m_device.clearMarks();
    m_calls.clear();
    m_timing = true;
    m_start = m_device.mark();
}

TimedPass TimedDevice::stop() {
    const auto end = m_device.mark();
    m_timing = false;
    TimedPass pass;
    pass.seconds = m_device.secondsBetween(m_start, end);
    std::map<std::string, OperationTime> byName;
    for (const auto& call : m_calls) {
        auto& operation = byName[call.name];
        operation.name = call.name;
        ++operation.calls;
        operation.seconds += m_device.secondsBetween(call.begin, call.end);
    }
    for (auto& [name, operation] : byName) pass.operations.push_back(std::move(operation));
    std::stable_sort(pass.operations.begin(), pass.operations.end(),
                     [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
    m_device.clearMarks();
    return pass;
}

template <typename Operation>
void TimedDevice::timed(const char* name, const Operation& operation, const Weight* weight) {
    if (!m_timing) return operation();
    const auto begin = m_device.mark();
    operation();
    const auto end = m_device.mark();
    std::string label = name;
    if (weight != nullptr)
        label += " [" + std::to_string(weight->rows) + ", " + std::to_string(weight->cols) + "]";
    m_calls.push_back({std::move(label), begin, end});
}

void TimedDevice::runStep(const StepKey& key, const std::function<void()>& operations) {
    if (m_timing) return operations();
    m_device.runStep(key, operations);
}

void TimedDevice::embed(Matrix out, const Weight& table, const std::int32_t* ids) {
    timed("embed", [&] { m_device.embed(out, table, ids); });
}

void TimedDevice::rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) {
    timed("rmsNorm", [&] { m_device.rmsNorm(out, in, weight, eps); });
}

void TimedDevice::addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                             float eps) {
    timed("addRmsNorm", [&] { m_device.addRmsNorm(out, x, block, weight, eps); });
}

void TimedDevice::matmul(Matrix out, ConstMatrix in, const Weight& weight) {
    timed(
        "matmul", [&] { m_device.matmul(out, in, weight); }, &weight);
}

void TimedDevice::routerMatmul(Matrix out, ConstMatrix in, const Weight& weight) {
    timed(
        "routerMatmul", [&] { m_device.routerMatmul(out, in, weight); }, &weight);
}

void TimedDevice::gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) {
    timed(
        "gatedMatmul", [&] { m_device.gatedMatmul(out, in, gate, up); }, &gate);
}

void TimedDevice::rotary(Matrix q, const AttentionShape& shape, const float* cosSin) {
    timed("rotary", [&] { m_device.rotary(q, shape, cosSin); });
}

void TimedDevice::latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                               const AttentionShape& shape, const float* norm, float eps,
                               const float* cosSin) {
    timed("latentAppend",
          [&] { m_device.latentAppend(cache, position, kv, shape, norm, eps, cosSin); });
}

void TimedDevice::absorbedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                    LatentCacheView cache, const StepPosition& position,
                                    const AttentionShape& shape) {
    timed("absorbedAttention",
          [&] { m_device.absorbedAttention(out, q, kvB, cache, position, shape); });
}

void TimedDevice::expandedAttention(Matrix out, ConstMatrix q, const Weight& kvB,
                                    LatentCacheView cache, const StepPosition& position,
                                    const AttentionShape& shape) {
    timed("expandedAttention",
          [&] { m_device.expandedAttention(out, q, kvB, cache, position, shape); });
}

void TimedDevice::route(Routing routing, ConstMatrix logits, const float* bias,
                        const RouteParams& params) {
    timed("route", [&] { m_device.route(routing, logits, bias, params); });
}

void TimedDevice::expertFfn(Matrix out, ConstMatrix in, const Routing& routing,
                            const ExpertWeights& experts) {
    timed("expertFfn", [&] { m_device.expertFfn(out, in, routing, experts); });
}

void TimedDevice::clear(Matrix out) {
    timed("clear", [&] { m_device.clear(out); });
}

void TimedDevice::add(Matrix out, ConstMatrix in) {
    timed("add", [&] { m_device.add(out, in); });
}

void TimedDevice::topLogits(TopLogits top, ConstMatrix logits) {
    timed("topLogits", [&] { m_device.topLogits(top, logits); });
}

}  // namespace gatescope
