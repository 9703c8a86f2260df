// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/cpu_device.h"
#include "kernels/cpu/grain.h"
#include "kernels/cpu/simd.h"

namespace gatescope {

void CpuDevice::swiglu(Matrix out, ConstMatrix gate, ConstMatrix up) {
    // An exponential costs about as much as eight multiply-adds.
    const auto grain = taskGrain(8 * out.cols);
    m_pool.parallelFor(out.rows, grain, [&](std::int64_t begin, std::int64_t end) {
        for (auto t = begin; t < end; ++t)
            simd::swiglu(out.row(t), gate.row(t), up.row(t), out.cols);
    });
}

}  // namespace gatescope
