// SPDX-License-Identifier: Apache-2.0
#include "engine/model/kept_cache.h"

#include <algorithm>

#include "engine/model/decoder.h"
#include "engine/model/mtp_module.h"

namespace gatescope {

KeptCache::KeptCache(Decoder& decoder, std::int64_t first, std::int64_t last)
    : m_decoder(&decoder), m_tokens(decoder.tokens().begin(), decoder.tokens().end()) {
    const auto keep = [first, last](const LatentCache& cache) {
        const auto from = std::min(first, cache.length());
        const auto to = std::min(last, cache.length());
        return Rows{from, cache.length(), cache.copyRows(from, to - from)};
    };
    m_main = keep(decoder.m_cache);
    if (decoder.mtp()) m_pairs = keep(decoder.mtp()->m_cache);
}

void KeptCache::restore(std::int64_t pairs) {
    m_decoder->m_cache.writeRows(m_main.first, m_main.bytes);
    m_decoder->m_cache.setLength(m_main.length);
    m_decoder->m_tokens = m_tokens;
    if (auto* mtp = m_decoder->mtp()) {
        mtp->m_cache.writeRows(m_pairs.first, m_pairs.bytes);
        mtp->m_cache.setLength(std::max(m_pairs.length, std::min(pairs, mtp->length())));
    }
}

}  // namespace gatescope
