// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "kernels/cuda/flash_attention.h"
#include "tests/kernels/cuda/twins.h"

namespace gatescope::test {

/// What a test of attention asks for.
struct AttentionCase {
    AttentionShape shape;
    std::int64_t context = 1;  ///< cache rows the last query sees
    std::int64_t queries = 1;  ///< T, the last positions of the context
    CacheType cache = CacheType::F32;
    DType dtype = DType::F32;  ///< of kv_b
    int scaleBlock = 128;
    int blockPositions = 256;
    std::int64_t capacity = 0;  ///< 0: the context
    std::int64_t outGap = 0;    ///< values between the rows of the result
};

/// e4m3 codes by magnitude, the nearest to a value; ties to the even code.
inline std::uint8_t nearestF8(float value) {
    const float magnitude = std::abs(value);
    std::uint8_t best = 0;
    for (std::uint8_t code = 1; code < 0x7F; ++code) {
        const float error = std::abs(f8e4m3ToFloat(code) - magnitude);
        const float least = std::abs(f8e4m3ToFloat(best) - magnitude);
        if (error < least || (error == least && code % 2 == 0)) best = code;
    }
    return static_cast<std::uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}

/// The rows of a latent cache: bytes as they lie in a cache of some type, and what they are worth.
class LatentRows {
  public:
    LatentRows(const LatentLayout& layout, std::int64_t count, unsigned seed)
        : m_layout(layout),
          m_bytes(static_cast<std::size_t>(count * layout.rowBytes()), std::byte{0xFF}),
          m_values(randomFloats(static_cast<std::size_t>(count * layout.width()), seed)) {
        for (std::int64_t p = 0; p < count; ++p) store(p);
    }
    const std::byte* bytes(std::int64_t p) const {
        return m_bytes.data() + p * m_layout.rowBytes();
    }
    float* values(std::int64_t p) { return m_values.data() + p * m_layout.width(); }

  private:
    void store(std::int64_t p) {
        std::byte* row = m_bytes.data() + p * m_layout.rowBytes();
        float* v = values(p);
        if (m_layout.type == CacheType::F32) {
            std::memcpy(row, v, static_cast<std::size_t>(m_layout.rowBytes()));
            return;
        }
        for (std::int64_t i = 0; i < m_layout.ropeDim; ++i)
            storeBf16(row + m_layout.ropeOffset() + 2 * i, v[m_layout.latentDim + i]);
        for (std::int64_t i = 0; i < m_layout.latentDim; ++i)
            if (m_layout.type == CacheType::BF16) storeBf16(row + 2 * i, v[i]);
        if (m_layout.type == CacheType::F8) storeF8(row, v);
    }
    static void storeBf16(std::byte* to, float& value) {
        const auto bits = floatToBf16(value);
        std::memcpy(to, &bits, 2);
        value = bf16ToFloat(bits);
    }
    void storeF8(std::byte* row, float* v) const {
        for (std::int64_t b = 0; b < m_layout.scales(); ++b) {
            const auto begin = b * LatentLayout::kScaleBlock;
            const auto end = std::min(begin + LatentLayout::kScaleBlock, m_layout.latentDim);
            float largest = 0;
            for (auto i = begin; i < end; ++i) largest = std::max(largest, std::abs(v[i]));
            const float scale = largest / 448;
            std::memcpy(row + m_layout.scaleOffset() + 4 * b, &scale, 4);
            for (auto i = begin; i < end; ++i) {
                const auto code = nearestF8(v[i] / scale);
                row[i] = static_cast<std::byte>(code);
                v[i] = f8e4m3ToFloat(code) * scale;
            }
        }
    }

    LatentLayout m_layout;
    std::vector<std::byte> m_bytes;
    std::vector<float> m_values;
};

/// Queries, kv_b and a cache, and attention over them by the CPU and by a CUDA device. Cache rows
/// beyond the context are NaN in every type, entries of the block table beyond it lead nowhere.
class AttentionProblem {
  public:
    explicit AttentionProblem(const AttentionCase& c)
        : m_case(c),
          m_layout{c.cache, c.shape.latentDim, c.shape.ropeDim},
          m_kvB(randomWeight(c.dtype, c.shape.heads * (c.shape.nopeDim + c.shape.valueDim),
                             c.shape.latentDim, 5, 1, c.scaleBlock)),
          m_q(randomFloats(static_cast<std::size_t>(c.queries * c.shape.heads * c.shape.queryDim()),
                           6)),
          m_rows(m_layout, c.context, 7) {
        m_case.capacity = std::max(c.capacity, c.context);
        m_case.shape.scale = scoreScale();
    }

    const AttentionCase& what() const { return m_case; }
    std::int64_t first() const { return m_case.context - m_case.queries; }

    /// By the CPU, which reads the values the cache holds as float32.
    std::vector<float> expected() {
        CpuDevice device(1);
        std::vector<std::byte*> blocks;
        for (std::int64_t p = 0; p < m_case.context; p += m_case.blockPositions)
            blocks.push_back(reinterpret_cast<std::byte*>(m_rows.values(p)));
        const LatentCacheView cache{blocks.data(),
                                    m_case.blockPositions,
                                    {CacheType::F32, m_layout.latentDim, m_layout.ropeDim}};
        std::vector<float> out(outSize(m_case.queries));
        device.absorbedAttention({out.data(), m_case.queries, outCols()},
                                 {m_q.data(), m_case.queries, qCols()}, m_kvB.weight, cache,
                                 {first(), nullptr, m_case.context}, m_case.shape);
        return out;
    }

    /// By a CUDA device: queries [from, from + count).
    std::vector<float> actual(Device& device, bool absorbed, std::int64_t from = 0,
                              std::int64_t count = -1) {
        if (count < 0) count = m_case.queries - from;
        const OnDevice<float> q(device, m_q);
        const Weight kvB = device.place(m_kvB.weight);
        const DeviceCache cache(device, *this);
        const std::int64_t position = first() + from;
        const OnDevice<std::int64_t> onDevice(device, {position});
        // Absorbed attention is recorded and replayed: what the host says there is out of date.
        const StepPosition step{absorbed ? -987654321 : position, onDevice.data(), m_case.capacity};
        const std::int64_t stride = outCols() + m_case.outGap;
        const OnDevice<float> out(
            device, std::vector<float>(static_cast<std::size_t>(count * stride), kUntouched));
        const Matrix result(out.data(), count, outCols(), stride);
        const ConstMatrix queries(q.data() + from * qCols(), count, qCols());
        if (absorbed) {
            device.absorbedAttention(result, queries, kvB, cache.view, step, m_case.shape);
        } else {
            device.expandedAttention(result, queries, kvB, cache.view, step, m_case.shape);
        }
        return withoutGaps(out.host(), count, stride);
    }

    /// The same (absorbed, all queries) as the second run of a step whose first run, the one that
    /// is recorded, stood at the begin of the context.
    std::vector<float> replayed(Device& device) {
        const OnDevice<float> q(device, m_q);
        const Weight kvB = device.place(m_kvB.weight);
        const DeviceCache cache(device, *this);
        const OnDevice<std::int64_t> onDevice(device, {0});
        const OnDevice<float> out(device, std::vector<float>(outSize(m_case.queries)));
        const StepPosition step{0, onDevice.data(), m_case.capacity};
        const StepKey key{
            .owner = this, .tokens = m_case.queries, .capacity = m_case.capacity, .absorbed = true};
        for (const std::int64_t position : {std::int64_t{0}, first() / 2, first()}) {
            device.upload(onDevice.data(), &position, sizeof position);
            device.runStep(key, [&] {
                device.absorbedAttention({out.data(), m_case.queries, outCols()},
                                         {q.data(), m_case.queries, qCols()}, kvB, cache.view, step,
                                         m_case.shape);
            });
        }
        return out.host();
    }

    /// Flash attention with room for so many expanded positions. kv_b is BF16.
    std::vector<float> inStretches(Device& device, std::int64_t positions) {
        const auto& s = m_case.shape;
        const OnDevice<float> q(device, m_q);
        const Weight kvB = device.place(m_kvB.weight);
        const cuda::HalfWeight half{static_cast<const std::uint16_t*>(kvB.data), kvB.rows, kvB.cols,
                                    kvB.stride()};
        const DeviceCache cache(device, *this);
        const std::int64_t stride = outCols() + m_case.outGap;
        const OnDevice<float> out(
            device,
            std::vector<float>(static_cast<std::size_t>(m_case.queries * stride), kUntouched));
        const auto halves = [&](std::int64_t size) {
            return std::vector<std::uint16_t>(static_cast<std::size_t>(size), 0xFFFF);
        };
        const OnDevice<std::uint16_t> kv(device,
                                         halves(positions * s.heads * (s.nopeDim + s.valueDim)));
        const OnDevice<std::uint16_t> rows(device, halves(positions * s.latentWidth()));
        const OnDevice<float2> state(
            device, std::vector<float2>(static_cast<std::size_t>(m_case.queries * s.heads)));
        device.synchronize();
        cuda::flashAttention({out.data(), m_case.queries, outCols(), stride},
                             {q.data(), m_case.queries, qCols()}, half, cache.view, first(), s,
                             {positions, kv.data(), rows.data(), state.data()}, 99 << 10, nullptr);
        cuda::check(cudaStreamSynchronize(nullptr), "flash attention");
        return withoutGaps(out.host(), m_case.queries, stride);
    }

    struct DeviceCache {
        DeviceCache(Device& device, AttentionProblem& problem) {
            const auto& c = problem.m_case;
            const auto rowBytes = problem.m_layout.rowBytes();
            const auto blockBytes = static_cast<std::size_t>(c.blockPositions * rowBytes);
            const auto entries = (c.capacity + c.blockPositions - 1) / c.blockPositions;
            std::vector<std::byte*> table(static_cast<std::size_t>(entries), nullptr);
            for (std::int64_t p = 0; p < c.context; p += c.blockPositions) {
                std::vector<std::byte> bytes(blockBytes, std::byte{0xFF});
                const auto rows = std::min<std::int64_t>(c.blockPositions, c.context - p);
                std::memcpy(bytes.data(), problem.m_rows.bytes(p),
                            static_cast<std::size_t>(rows * rowBytes));
                blocks.push_back(std::make_unique<OnDevice<std::byte>>(device, bytes));
                table[static_cast<std::size_t>(p / c.blockPositions)] = blocks.back()->data();
            }
            pointers.emplace(device, table);
            view = {pointers->data(), c.blockPositions, problem.m_layout};
        }
        std::vector<std::unique_ptr<OnDevice<std::byte>>> blocks;
        std::optional<OnDevice<std::byte*>> pointers;
        LatentCacheView view;
    };

  private:
    static constexpr float kUntouched = -12345;

    std::int64_t qCols() const { return m_case.shape.heads * m_case.shape.queryDim(); }
    std::int64_t outCols() const { return m_case.shape.heads * m_case.shape.valueDim; }
    std::size_t outSize(std::int64_t queries) const {
        return static_cast<std::size_t>(queries * outCols());
    }
    // Scores with a deviation near 2, so that neither one row nor all of them decide.
    float scoreScale() const {
        double squares = 0;
        for (const double w : m_kvB.values) squares += w * w;
        const double w = std::sqrt(squares / static_cast<double>(m_kvB.values.size()));
        const auto& s = m_case.shape;
        const auto terms =
            static_cast<double>(s.nopeDim * s.latentDim) * w * w + static_cast<double>(s.ropeDim);
        return static_cast<float>(2 / std::sqrt(terms));
    }
    std::vector<float> withoutGaps(const std::vector<float>& from, std::int64_t rows,
                                   std::int64_t stride) const {
        std::vector<float> dense;
        for (std::int64_t t = 0; t < rows; ++t) {
            const auto row = from.begin() + t * stride;
            dense.insert(dense.end(), row, row + outCols());
            for (auto gap = outCols(); gap < stride; ++gap) EXPECT_EQ(row[gap], kUntouched);
        }
        return dense;
    }

    AttentionCase m_case;
    LatentLayout m_layout;
    ReferenceWeight m_kvB;
    std::vector<float> m_q;
    LatentRows m_rows;
};

inline std::ostream& operator<<(std::ostream& out, const AttentionCase& c) {
    return out << c.shape.heads << " heads, " << c.shape.nopeDim << "+" << c.shape.ropeDim << "/"
               << c.shape.valueDim << " of " << c.shape.latentDim << ", context " << c.context
               << ", queries " << c.queries << ", cache " << name(c.cache) << ", kv_b "
               << name(c.dtype);
}

/// Sizes with nothing to align, ones that tensor cores take (latent and rotary part multiples of
/// 8), ones expanded attention takes too, and DeepSeek-V3's latent part.
inline constexpr AttentionShape kOddShape{
    .heads = 5, .nopeDim = 6, .ropeDim = 4, .valueDim = 7, .latentDim = 19};
inline constexpr AttentionShape kOctetShape{
    .heads = 5, .nopeDim = 10, .ropeDim = 16, .valueDim = 24, .latentDim = 40};
inline constexpr AttentionShape kTileShape{
    .heads = 3, .nopeDim = 32, .ropeDim = 16, .valueDim = 48, .latentDim = 72};
inline constexpr AttentionShape kDeepSeekShape{
    .heads = 16, .nopeDim = 128, .ropeDim = 64, .valueDim = 128, .latentDim = 512};

inline constexpr std::array kCacheTypes{CacheType::F32, CacheType::BF16, CacheType::F8};
inline constexpr std::array kDTypes{DType::F32, DType::BF16, DType::F16, DType::F8E4M3};

}  // namespace gatescope::test
