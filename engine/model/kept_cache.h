// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/model/latent_cache.h"

namespace gatescope {

class Decoder;

/// A decoder's cache as it stands, to come back to after passes that write only positions [first,
/// last): those rows are copied, in the main layers and in the MTP layer; rows outside are in the
/// cache still, whatever it was truncated to.
class KeptCache {
  public:
    KeptCache(Decoder& decoder, std::int64_t first, std::int64_t last);

    /// The cache is what it was at construction, to the bit. MTP pairs that were added to it since
    /// stay, up to `pairs` of them in all.
    void restore(std::int64_t pairs);

  private:
    struct Rows {
        std::int64_t first = 0;
        std::int64_t length = 0;       ///< of the cache
        std::vector<std::byte> bytes;  ///< [layers, count, row bytes]
    };

    Decoder* m_decoder;
    std::vector<std::int32_t> m_tokens;
    Rows m_main;
    Rows m_pairs;
};

}  // namespace gatescope
