// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace gatescope {

/// splitmix64 (Steele, Lea and Flood 2014): good enough to shuffle with, and its state is one word,
/// so that every permutation can have a generator of its own.
class SplitRandom {
  public:
    SplitRandom(std::uint64_t seed, std::uint64_t stream) : m_state(seed) {
        m_state = next() ^ ((stream + 1) * 0xD1342543DE82EF95ULL);
        next();
    }
    /// Below `bound` (> 0), all alike (Lemire 2019).
    std::uint32_t below(std::uint32_t bound) {
        std::uint64_t product = (next() >> 32) * bound;
        if (static_cast<std::uint32_t>(product) < bound) {
            const std::uint32_t least = (0U - bound) % bound;
            while (static_cast<std::uint32_t>(product) < least) product = (next() >> 32) * bound;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

  private:
    std::uint64_t next() {
        std::uint64_t z = (m_state += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    std::uint64_t m_state;
};

}  // namespace gatescope
