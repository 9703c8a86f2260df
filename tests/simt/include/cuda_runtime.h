// SPDX-License-Identifier: Apache-2.0
#pragma once

// What kernel sources include: the host interface and the kernel language.

#include <cuda_runtime_api.h>
#include <simt/arithmetic.h>
#include <simt/atomics.h>
#include <simt/kernel_language.h>
#include <simt/warp.h>

template <typename... Params>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Params...), cudaFuncAttribute attribute,
                                 int value) {
    return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}

template <typename T>
cudaError_t cudaMalloc(T** memory, std::size_t bytes) {
    return cudaMalloc(reinterpret_cast<void**>(memory), bytes);
}

template <typename T>
cudaError_t cudaMallocHost(T** memory, std::size_t bytes) {
    return cudaMallocHost(reinterpret_cast<void**>(memory), bytes);
}
