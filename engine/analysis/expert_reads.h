// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/trace/step_trace.h"

namespace gatescope {

/// Points in time at which a layer's read counts are kept; 4 E bytes each.
inline constexpr std::size_t kReadMarks = 32;

/// Experts pinned by what was read in the first half of the steps, scored on the second half: what
/// a fixed choice made from past traffic would have given on traffic it has not seen. A later half
/// about other things tells of that, too.
struct PinnedForecast {
    std::int64_t stepsLearned = 0;  ///< the choice is made from these, the first ones
    std::int64_t readsLearned = 0;
    std::int64_t stepsScored = 0;    ///< all the others
    std::int64_t n = 0;              ///< reads in these
    std::vector<std::int64_t> hits;  ///< [E + 1] of n, by the C experts pinned; rising with C

    /// Hits / n for C pinned experts, C held to 0..E. NaN without scored reads.
    double hitRate(int cacheExperts) const;
};

/// What a cache of C experts would have spared in one MoE layer, for every C at once.
///
/// A read is one expert's weights needed in one step: a step of several positions reads each
/// distinct expert once, in ascending order of id. Everything that runs is read, so rejected drafts
/// and special tokens count here, unlike in the measures of specialisation.
struct ExpertReadsValue {
    int row = 0;
    int layer = -1;                    ///< absolute index
    std::int64_t n = 0;                ///< reads
    std::int64_t steps = 0;            ///< steps with a read in this layer
    std::vector<std::int64_t> counts;  ///< [E] reads of the expert
    /// [E] reads by reuse distance: different experts read since this one's last read.
    std::vector<std::int64_t> reuse;
    std::int64_t coldReads = 0;  ///< first reads; n = coldReads + sum of reuse
    /// [E] reads by the smallest least-frequently-used cache that holds them, less one.
    std::vector<std::int64_t> lfuDepth;

    // Hits of n by cache size C = 0..E, all [E + 1], all rising with C.
    std::vector<std::int64_t> lruHits;  ///< least recently used goes; a first read is a miss
    /// Fewest reads since the start goes (reads before an earlier eviction count too; tie: least
    /// recently used); a first read is a miss.
    std::vector<std::int64_t> lfuHits;
    /// The C most read experts are there from the start and stay: chosen with hindsight, and their
    /// first reads are hits too, so this bounds every fixed choice from above and is not a
    /// forecast.
    std::vector<std::int64_t> pinnedHits;
    /// The same with the C most read experts of the first half (ties: lower id), scored on the
    /// second: no hindsight, and another n.
    PinnedForecast forecast;

    int experts() const { return static_cast<int>(counts.size()); }
    /// Hits / n for a cache of C experts, C held to 0..E. NaN without reads.
    double lruHitRate(int cacheExperts) const;
    double lfuHitRate(int cacheExperts) const;
    double pinnedHitRate(int cacheExperts) const;
    /// Median of the reuse distances, first reads left out. NaN without any.
    double medianReuseDistance() const;
};

/// The main rows together (the MTP layer apart), each with a cache of the same size.
struct ExpertReadsTotal {
    int cacheExpertsPerLayer = 0;  ///< C, held to 0..E
    std::int64_t n = 0;            ///< reads
    std::int64_t lruHits = 0;
    std::int64_t lfuHits = 0;
    std::int64_t pinnedHits = 0;    ///< chosen with hindsight
    std::int64_t forecastN = 0;     ///< reads in each layer's second half
    std::int64_t forecastHits = 0;  ///< of these; each layer's choice is from its own first half

    double lruHitRate() const;  ///< NaN without reads, as the others
    double lfuHitRate() const;
    double pinnedHitRate() const;
    double forecastHitRate() const;
};

/// Follows which experts each step reads. LRU and LFU are stack algorithms (Mattson, Gecsei, Slutz
/// and Traiger, "Evaluation techniques for storage hierarchies", 1970): a cache of C holds the
/// first C of one list whatever C is, so the depth at which a read is found tells its fate in
/// caches of all sizes. Where the first half of the steps ends moves while they arrive, so the
/// counts are kept at up to kReadMarks points of the second half: up to that many steps the halves
/// are equal, beyond it the first is up to a sixteenth of itself shorter.
class ExpertReads {
  public:
    /// Throws Error if there are MoE layers without experts or with more than 4096.
    explicit ExpertReads(RoutingShape shape);
    /// Throws Error, and counts nothing, if routing in the step does not fit the shape. Positions
    /// whose routing was not recorded are passed over.
    void add(const StepTrace& step);
    /// The shape's layers, then the MTP layer if there is one.
    int rows() const { return static_cast<int>(m_rows.size()); }
    ExpertReadsValue value(int row) const;
    /// The main rows together for C = 0..E: [E + 1].
    std::vector<ExpertReadsTotal> totals() const;
    /// The one of totals() for this C.
    ExpertReadsTotal total(int cacheExpertsPerLayer) const;

  private:
    struct Ranked {
        std::uint64_t rank = 0;  ///< reads, then time of the last one; the lowest goes first
        std::uint16_t expert = 0;
    };
    /// The counts after so many steps.
    struct Mark {
        std::int64_t steps = 0;
        std::vector<std::uint32_t> counts;  ///< [E]
    };
    struct Row {
        std::int64_t steps = 0;
        std::int64_t cold = 0;
        std::uint32_t clock = 0;             ///< reads so far; enough for 2^32 reads of a layer
        std::vector<std::int64_t> counts;    ///< [E]
        std::vector<std::int64_t> reuse;     ///< [E]
        std::vector<std::int64_t> lfuDepth;  ///< [E]
        std::vector<std::uint16_t> recent;   ///< experts read, latest first
        std::vector<Ranked> frequent;        ///< experts read, in LFU stack order
        /// Ascending; only the first may lie in the first half: it ends the part to learn from.
        std::vector<Mark> marks;
        std::int64_t markEvery = 1;  ///< steps
    };
    void check(const std::vector<RoutedToken>& tokens, bool mtp) const;
    void addRow(Row& row, const std::vector<RoutedToken>& tokens, std::size_t firstSlot);
    static void read(Row& row, std::uint16_t expert);
    static void readFrequent(Row& row, std::uint16_t expert);
    static void mark(Row& row);
    static PinnedForecast forecast(const Row& row);

    RoutingShape m_shape;
    std::vector<Row> m_rows;
    std::vector<std::uint64_t> m_needed;  ///< a bit per expert: needed in this step and layer
};

}  // namespace gatescope
