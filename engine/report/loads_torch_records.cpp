// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "engine/report/torch_archive.h"

namespace gatescope {
namespace {

constexpr std::size_t kMostBlocks = 64;
constexpr const char* kMap = "last_physical_to_logical_map";
constexpr const char* kRecord = "global_physical_count";

/// Which expert each physical one of a layer is.
struct SlotExperts {
    int layers = 0;
    int slots = 0;
    int experts = 0;
    std::vector<int> of;  ///< [L * P]

    bool operator==(const SlotExperts&) const = default;
};

void checkShapes(const TorchArchive& dump, const TorchRecords& records) {
    const std::vector<std::int64_t>& shape = records.slotExperts.shape;
    if (shape.size() != 2)
        throw fileError(dump.file(), kMap, "its dimensions are not [layers, physical experts]");
    checkLoadExtents(1, shape[0], shape[1], dump.file(), kMap);
    for (const TorchRecord& record : records.records) {
        if (record.counts.shape != shape)
            throw fileError(dump.file(), kRecord,
                            fmt::format("pass {} has other dimensions than {}", record.pass, kMap));
    }
}

SlotExperts slotExperts(const TorchArchive& dump, const TorchRecords& records) {
    checkShapes(dump, records);
    const TorchNumbers numbers = dump.numbers(records.slotExperts, kMap);
    SlotExperts map;
    map.layers = static_cast<int>(records.slotExperts.shape[0]);
    map.slots = static_cast<int>(records.slotExperts.shape[1]);
    for (int layer = 0; layer < map.layers; ++layer) {
        for (int slot = 0; slot < map.slots; ++slot) {
            const double expert = numbers.at({layer, slot});
            // Every expert has a slot, so there are no more of them.
            if (!(expert >= 0 && expert < map.slots) || expert != std::floor(expert))
                throw fileError(dump.file(), fmt::format("{}[{}][{}]", kMap, layer, slot),
                                fmt::format("{} is no expert", expert));
            map.of.push_back(static_cast<int>(expert));
            map.experts = std::max(map.experts, map.of.back() + 1);
        }
    }
    return map;
}

/// Passes as blocks that follow each other.
class PassLoads {
  public:
    PassLoads(const SlotExperts& map, const std::set<std::int64_t>& passes)
        : m_map(map), m_bySlot(static_cast<std::size_t>(map.slots)) {
        const std::size_t blocks = std::min(passes.size(), kMostBlocks);
        std::size_t i = 0;
        for (const std::int64_t pass : passes) m_blockOf[pass] = i++ * blocks / passes.size();
        ExpertLoads zeros{map.layers, map.experts, {}};
        zeros.values.resize(static_cast<std::size_t>(map.layers) *
                            static_cast<std::size_t>(map.experts));
        m_blocks.assign(blocks, zeros);
    }

    void add(const TorchArchive& dump, const TorchRecord& record) {
        const TorchNumbers numbers = dump.numbers(record.counts, kRecord);
        ExpertLoads& block = m_blocks[m_blockOf.at(record.pass)];
        std::size_t i = 0;
        for (int layer = 0; layer < m_map.layers; ++layer) {
            for (int slot = 0; slot < m_map.slots; ++slot) {
                const double count = checkedCount(numbers.at({layer, slot}), dump.file(), kRecord);
                m_bySlot[static_cast<std::size_t>(slot)] += count;
                block.values[static_cast<std::size_t>(layer * m_map.experts + m_map.of[i++])] +=
                    count;
            }
        }
    }

    /// Some modes count on each rank only what its own GPU computes.
    void checkComplete(const std::string& file) const {
        const auto used = [](double count) { return count > 0; };
        const auto first = std::ranges::find_if(m_bySlot, used);
        const auto last = std::find_if(m_bySlot.rbegin(), m_bySlot.rend(), used).base();
        if (first != m_bySlot.end() && 2 * (last - first) <= std::ssize(m_bySlot))
            throw fileError(file, kRecord,
                            fmt::format("counts nothing outside physical experts {} to {} of {}: "
                                        "name the folder with the dumps of all ranks",
                                        first - m_bySlot.begin(), last - m_bySlot.begin() - 1,
                                        m_bySlot.size()));
    }

    RecordedLoads result(const std::string& file) const {
        StepArray array;
        array.file = file;
        array.item = kRecord;
        array.steps = std::ssize(m_blocks);
        array.layers = m_map.layers;
        array.experts = m_map.experts;
        array.at = [this](std::int64_t step, int layer, int expert) {
            return m_blocks[static_cast<std::size_t>(step)].row(
                layer)[static_cast<std::size_t>(expert)];
        };
        return loadsOfSglang(array);
    }

  private:
    const SlotExperts& m_map;
    std::map<std::int64_t, std::size_t> m_blockOf;
    std::vector<ExpertLoads> m_blocks;
    std::vector<double> m_bySlot;
};

/// The passes. Throws Error where one is recorded twice, and where records share their numbers:
/// adding these up would take longer than the file is large.
std::set<std::int64_t> passesOf(std::span<const TorchArchive> dumps,
                                std::span<const TorchRecords> records) {
    std::set<std::int64_t> passes;
    std::set<std::pair<std::int64_t, std::int64_t>> seen;
    for (std::size_t i = 0; i < dumps.size(); ++i) {
        std::set<std::string_view> storages;
        for (const TorchRecord& record : records[i].records) {
            passes.insert(record.pass);
            if (!seen.emplace(record.pass, record.rank).second)
                throw fileError(
                    dumps[i].file(), "records",
                    fmt::format("pass {} of rank {} is there twice", record.pass, record.rank));
            if (!storages.insert(record.counts.storageKey).second)
                throw fileError(dumps[i].file(), "records", "two have the same numbers");
        }
    }
    return passes;
}

}  // namespace

RecordedLoads loadsOfTorchRecords(std::span<const TorchArchive> dumps,
                                  std::span<const TorchRecords> records) {
    const SlotExperts map = slotExperts(dumps[0], records[0]);
    for (std::size_t i = 1; i < dumps.size(); ++i) {
        if (slotExperts(dumps[i], records[i]) != map)
            throw fileError(dumps[i].file(), kMap,
                            "differs from that of " + dumps[0].file() +
                                ": experts moved while this was recorded");
    }
    const std::set<std::int64_t> passes = passesOf(dumps, records);
    if (passes.empty()) throw fileError(dumps[0].file(), "records", "nothing was recorded");
    PassLoads loads(map, passes);
    for (std::size_t i = 0; i < dumps.size(); ++i) {
        for (const TorchRecord& record : records[i].records) loads.add(dumps[i], record);
    }
    loads.checkComplete(dumps[0].file());
    return loads.result(dumps[0].file());
}

}  // namespace gatescope
