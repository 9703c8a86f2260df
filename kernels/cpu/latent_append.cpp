// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/rotate_pairs.h"
#include "kernels/cpu/simd.h"

namespace gatescope {

void CpuDevice::latentAppend(LatentCacheView cache, const StepPosition& position, ConstMatrix kv,
                             const AttentionShape& shape, const float* norm, float eps,
                             const float* cosSin) {
    const auto grain = taskGrain(2 * shape.latentWidth());
    m_pool.parallelFor(kv.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        for (auto t = begin; t < end; ++t) {
            float* row = cache.floatRow(position.first + t);
            float* rope = row + shape.latentDim;
            simd::rmsNorm(row, kv.row(t), norm, shape.latentDim, eps);
            std::copy_n(kv.row(t) + shape.latentDim, shape.ropeDim, rope);
            rotatePairs(rope, cosSin + t * shape.ropeDim, shape.ropeDim);
        }
    });
}

}  // namespace gatescope
