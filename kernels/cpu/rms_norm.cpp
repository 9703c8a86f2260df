// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/simd.h"

namespace gatescope {

void CpuDevice::rmsNorm(Matrix out, ConstMatrix in, const float* weight, float eps) {
    m_pool.parallelFor(out.rows, taskGrain(out.cols), [&](std::int64_t begin, std::int64_t end) {
        for (auto t = begin; t < end; ++t)
            simd::rmsNorm(out.row(t), in.row(t), weight, out.cols, eps);
    });
}

}  // namespace gatescope
