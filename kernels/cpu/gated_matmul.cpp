// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/dot_rows.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/simd.h"

namespace gatescope {

void CpuDevice::gatedMatmul(Matrix out, ConstMatrix in, const Weight& gate, const Weight& up) {
    std::vector<const float*> xs(static_cast<std::size_t>(in.rows));
    for (std::int64_t t = 0; t < in.rows; ++t) xs[static_cast<std::size_t>(t)] = in.row(t);
    const auto grain = taskGrain(2 * gate.cols * in.rows, simd::kMaxTileRows);
    m_pool.parallelFor(gate.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        const auto rows = end - begin;
        std::vector<float> ups(static_cast<std::size_t>(in.rows * rows));
        dotRows(gate, begin, rows, xs.data(), in.rows, out.data + begin, out.stride);
        dotRows(up, begin, rows, xs.data(), in.rows, ups.data(), rows);
        for (std::int64_t t = 0; t < in.rows; ++t) {
            float* row = out.row(t) + begin;
            simd::swiglu(row, row, ups.data() + t * rows, rows);
        }
    });
}

}  // namespace gatescope
