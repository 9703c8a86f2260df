// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/dot_rows.h"
#include "kernels/cpu/grain.h"

namespace gatescope {

void CpuDevice::matmul(Matrix out, ConstMatrix in, const Weight& weight) {
    std::vector<const float*> xs(static_cast<std::size_t>(in.rows));
    for (std::int64_t t = 0; t < in.rows; ++t) xs[static_cast<std::size_t>(t)] = in.row(t);
    const auto grain = taskGrain(weight.cols * in.rows, simd::kMaxTileRows);
    m_pool.parallelFor(weight.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        dotRows(weight, begin, end - begin, xs.data(), in.rows, out.data + begin, out.stride);
    });
}

}  // namespace gatescope
