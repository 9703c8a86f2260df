// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gatescope {

/// Counts by 64-bit key in one flat hash table (open addressing, 16 bytes a place): far smaller
/// than a node-based map where millions of different keys are counted.
class SparseCounts {
  public:
    void add(std::uint64_t key);
    std::uint32_t count(std::uint64_t key) const;  ///< 0 for a key never added
    std::size_t size() const { return m_size; }

    template <class F>
    void forEach(F&& visit) const {
        for (const Entry& entry : m_entries) {
            if (entry.count != 0) visit(entry.key, entry.count);
        }
    }

  private:
    struct Entry {
        std::uint64_t key = 0;
        std::uint32_t count = 0;  ///< 0: the place is free
    };
    std::size_t place(std::uint64_t key) const;
    void grow();

    std::vector<Entry> m_entries;
    std::size_t m_size = 0;
};

}  // namespace gatescope
