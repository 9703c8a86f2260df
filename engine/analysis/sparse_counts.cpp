// SPDX-License-Identifier: Apache-2.0
#include "engine/analysis/sparse_counts.h"

#include <utility>

namespace gatescope {

namespace {

constexpr std::size_t kFirstPlaces = 1024;  // a power of two, as every later size

/// Spreads keys whose differences lie in few bits (splitmix64's finaliser).
std::uint64_t mixed(std::uint64_t key) {
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9ULL;
    key = (key ^ (key >> 27)) * 0x94D049BB133111EBULL;
    return key ^ (key >> 31);
}

}  // namespace

std::size_t SparseCounts::place(std::uint64_t key) const {
    const std::size_t mask = m_entries.size() - 1;
    std::size_t at = static_cast<std::size_t>(mixed(key)) & mask;
    while (m_entries[at].count != 0 && m_entries[at].key != key) {
        at = (at + 1) & mask;
    }
    return at;
}

void SparseCounts::grow() {
    const std::vector<Entry> old = std::move(m_entries);
    m_entries.assign(old.empty() ? kFirstPlaces : old.size() * 2, Entry{});
    for (const Entry& entry : old) {
        if (entry.count != 0) m_entries[place(entry.key)] = entry;
    }
}

void SparseCounts::add(std::uint64_t key) {
    if (m_entries.empty() || m_size * 8 >= m_entries.size() * 5) grow();
    Entry& entry = m_entries[place(key)];
    if (entry.count == 0) {
        entry.key = key;
        ++m_size;
    }
    if (entry.count != UINT32_MAX) ++entry.count;
}

std::uint32_t SparseCounts::count(std::uint64_t key) const {
    return m_entries.empty() ? 0 : m_entries[place(key)].count;
}

}  // namespace gatescope
