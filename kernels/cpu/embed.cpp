// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/simd.h"

namespace gatescope {

void CpuDevice::embed(Matrix out, const Weight& table, const std::int32_t* ids) {
    m_pool.parallelFor(out.rows, taskGrain(out.cols), [&](std::int64_t begin, std::int64_t end) {
        for (auto t = begin; t < end; ++t) simd::expandRow(out.row(t), table, ids[t]);
    });
}

}  // namespace gatescope
