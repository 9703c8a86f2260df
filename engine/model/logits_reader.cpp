// SPDX-License-Identifier: Apache-2.0
#include "engine/model/logits_reader.h"

#include <algorithm>

namespace gatescope {

namespace {

std::int64_t rowsOf(LogitsOf which, std::int64_t tokens) {
    if (which == LogitsOf::None) return 0;
    return which == LogitsOf::All ? tokens : 1;
}

}  // namespace

TopLogits LogitsReader::onDevice(std::int64_t rows, std::int64_t vocabSize, const TopRequest& top) {
    const auto entries = static_cast<std::size_t>(rows * top.k);
    const auto count = static_cast<std::size_t>(rows);
    float* floats = m_floats.require(entries + count);
    return {.ids = m_ids.require(entries),
            .values = floats,
            .logSum = floats + entries,
            .finite = m_finite.require(count),
            .k = top.k,
            .limit = top.limit > 0 ? std::min(top.limit, vocabSize) : vocabSize};
}

void LogitsReader::project(ConstMatrix normed, const Weight& head, LogitsOf which,
                           const TopRequest& top) {
    const auto rows = rowsOf(which, normed.rows);
    if (rows == 0) return;
    const Matrix logits(m_logits.require(static_cast<std::size_t>(rows * head.rows)), rows,
                        head.rows);
    m_device->matmul(logits, normed.slice(normed.rows - rows, rows), head);
    if (top.k > 0) m_device->topLogits(onDevice(rows, head.rows, top), logits);
}

bool LogitsReader::fetch(std::int64_t tokens, std::int64_t vocabSize, LogitsOf which,
                         const TopRequest& top) {
    const auto rows = rowsOf(which, tokens);
    m_vocabSize = vocabSize;
    m_host.clear();
    m_rows = 0;
    if (rows == 0) return true;
    if (top.k > 0) return fetchTop(rows, top.k);
    m_host.resize(static_cast<std::size_t>(rows * vocabSize));
    m_device->download(m_host.data(), m_logits.data(), m_host.size() * sizeof(float));
    return std::all_of(m_host.begin(), m_host.end(), [](float v) { return std::isfinite(v); });
}

bool LogitsReader::fetchTop(std::int64_t rows, int k) {
    m_rows = static_cast<std::size_t>(rows);
    m_k = static_cast<std::size_t>(k);
    m_hostIds.resize(m_rows * m_k);
    m_hostFloats.resize(m_rows * (m_k + 1));
    m_hostFinite.resize(m_rows);
    m_device->download(m_hostIds.data(), m_ids.data(), m_hostIds.size() * sizeof(std::int32_t));
    m_device->download(m_hostFloats.data(), m_floats.data(), m_hostFloats.size() * sizeof(float));
    m_device->download(m_hostFinite.data(), m_finite.data(),
                       m_hostFinite.size() * sizeof(std::int32_t));
    return std::all_of(m_hostFinite.begin(), m_hostFinite.end(), [](auto v) { return v != 0; });
}

std::span<const float> LogitsReader::row(std::int64_t row) const {
    return std::span(m_host).subspan(static_cast<std::size_t>(row * m_vocabSize),
                                     static_cast<std::size_t>(m_vocabSize));
}

TopRow LogitsReader::top(std::int64_t row) const {
    const auto first = static_cast<std::size_t>(row) * m_k;
    return {.ids = std::span(m_hostIds).subspan(first, m_k),
            .values = std::span(m_hostFloats).subspan(first, m_k),
            .logSum = m_hostFloats[m_rows * m_k + static_cast<std::size_t>(row)]};
}

}  // namespace gatescope
