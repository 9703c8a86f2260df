// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/rotate_pairs.h"

namespace gatescope {

void CpuDevice::rotary(Matrix q, const AttentionShape& shape, const float* cosSin) {
    const auto grain = taskGrain(shape.heads * shape.ropeDim * 2);
    m_pool.parallelFor(q.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        for (auto t = begin; t < end; ++t) {
            float* head = q.row(t) + shape.nopeDim;
            for (int h = 0; h < shape.heads; ++h, head += shape.queryDim())
                rotatePairs(head, cosSin + t * shape.ropeDim, shape.ropeDim);
        }
    });
}

}  // namespace gatescope
