// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/simd.h"

namespace gatescope {

void CpuDevice::addRmsNorm(Matrix out, Matrix x, ConstMatrix block, const float* weight,
                           float eps) {
    m_pool.parallelFor(out.rows, taskGrain(2 * out.cols),
                       [&](std::int64_t begin, std::int64_t end) {
                           for (auto t = begin; t < end; ++t) {
                               simd::add(x.row(t), block.row(t), x.cols);
                               simd::rmsNorm(out.row(t), x.row(t), weight, out.cols, eps);
                           }
                       });
}

}  // namespace gatescope
