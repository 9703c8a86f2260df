// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device.h"

// The pointers inside structs that kernels take as arguments. The test shim looks at them when a
// kernel starts and refuses those that do not lead into device memory. (Found by the argument's
// namespace; a struct that has no overload here is not looked into.)

namespace gatescope {

template <typename T, typename Visit>
void forEachPointer(const BasicMatrix<T>& m, const Visit& visit) {
    visit(m.data);
}

template <typename Visit>
void forEachPointer(const Weight& w, const Visit& visit) {
    visit(w.data);
    visit(w.scales);
}

template <typename Visit>
void forEachPointer(const LatentCacheView& v, const Visit& visit) {
    visit(v.blocks);
}

template <typename Visit>
void forEachPointer(const Routing& r, const Visit& visit) {
    visit(r.scores);
    visit(r.ids);
    visit(r.weights);
}

template <typename Visit>
void forEachPointer(const TopLogits& t, const Visit& visit) {
    visit(t.ids);
    visit(t.values);
    visit(t.logSum);
    visit(t.finite);
}

}  // namespace gatescope
