// SPDX-License-Identifier: Apache-2.0
#include <cublas_v2.h>
#include <dlfcn.h>

#include <limits>
#include <string>
#include <type_traits>

#include "kernels/cuda/blas.h"
#include "kernels/device_error.h"

// cuBLAS is loaded when it is needed and only its types are known when this is built: the program
// runs without it.

namespace gatescope::cuda {

namespace {

// The header has a second function of this name for older callers.
using GemmEx = cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                              const void*, const void*, cudaDataType, int, const void*,
                              cudaDataType, int, const void*, void*, cudaDataType, int,
                              cublasComputeType_t, cublasGemmAlgo_t);

static_assert(std::is_same_v<GemmEx*, decltype(static_cast<GemmEx*>(&cublasGemmEx))>);

// The functions, as cublas_v2.h declares them; their symbols carry the suffix of its macros.
struct Functions {
    decltype(&cublasCreate_v2) create;
    decltype(&cublasDestroy_v2) destroy;
    decltype(&cublasSetStream_v2) setStream;
    decltype(&cublasSetWorkspace_v2) setWorkspace;
    decltype(&cublasSetMathMode) setMathMode;
    GemmEx* gemm;
    decltype(&cublasGetStatusString) statusString;
};

template <typename Function>
bool find(void* library, const char* symbol, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, symbol));
    return function != nullptr;
}

bool findAll(void* library, Functions& f) {
    return find(library, "cublasCreate_v2", f.create) &&
           find(library, "cublasDestroy_v2", f.destroy) &&
           find(library, "cublasSetStream_v2", f.setStream) &&
           find(library, "cublasSetWorkspace_v2", f.setWorkspace) &&
           find(library, "cublasSetMathMode", f.setMathMode) &&
           find(library, "cublasGemmEx", f.gemm) &&
           find(library, "cublasGetStatusString", f.statusString);
}

// The first library there is with all functions. It stays loaded: CUDA libraries register with the
// runtime and are not made to be unloaded.
bool load(Functions& functions) {
    for (const char* name : {"libcublas.so.13", "libcublas.so.12", "libcublas.so"})
        if (void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL))
            if (findAll(library, functions)) return true;
    return false;
}

int checkedInt(std::int64_t value) {
    if (value < 0 || value > std::numeric_limits<int>::max())
        throw DeviceError("cuda: cuBLAS product: a size of " + std::to_string(value) +
                          " is beyond what cuBLAS takes");
    return static_cast<int>(value);
}

class CublasProducts final : public Blas {
  public:
    CublasProducts(const Functions& functions, cublasHandle_t handle)
        : m_functions(functions), m_handle(handle) {}
    ~CublasProducts() override { m_functions.destroy(m_handle); }
    CublasProducts(const CublasProducts&) = delete;
    CublasProducts& operator=(const CublasProducts&) = delete;

    void configure(cudaStream_t stream, void* workspace, std::size_t bytes) {
        check(m_functions.setStream(m_handle, stream), "cuBLAS stream");
        // An own workspace lets products be recorded in graphs.
        check(m_functions.setWorkspace(m_handle, workspace, bytes), "cuBLAS workspace");
        // Sums are never kept in a type shorter than float32.
        const auto mode = static_cast<cublasMath_t>(
            CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
        check(m_functions.setMathMode(m_handle, mode), "cuBLAS math mode");
    }

    // cuBLAS counts matrices column by column. Our rows are its columns, so `out` [T, N] is its
    // matrix out^T [N, T] = weight in^T: the weight, which it sees as [K, N], is to be transposed,
    // `in` is what it should be.
    void matmulBf16(float* out, std::int64_t outStride, const std::uint16_t* in,
                    std::int64_t inStride, const std::uint16_t* weight, std::int64_t weightStride,
                    std::int64_t tokens, std::int64_t rows, std::int64_t cols) override {
        const float one = 1;
        const float zero = 0;
        check(m_functions.gemm(m_handle, CUBLAS_OP_T, CUBLAS_OP_N, checkedInt(rows),
                               checkedInt(tokens), checkedInt(cols), &one, weight, CUDA_R_16BF,
                               checkedInt(weightStride), in, CUDA_R_16BF, checkedInt(inStride),
                               &zero, out, CUDA_R_32F, checkedInt(outStride), CUBLAS_COMPUTE_32F,
                               CUBLAS_GEMM_DEFAULT),
              "cuBLAS product");
    }

  private:
    void check(cublasStatus_t status, const char* operation) const {
        if (status == CUBLAS_STATUS_SUCCESS) return;
        throw DeviceError(std::string("cuda: ") + operation + ": " +
                          m_functions.statusString(status));
    }

    Functions m_functions;
    cublasHandle_t m_handle;
};

}  // namespace

std::unique_ptr<Blas> makeBlas(cudaStream_t stream, void* workspace, std::size_t workspaceBytes) {
    Functions functions{};
    if (!load(functions)) return nullptr;
    // A library that cannot work here, too old for the GPU or without memory, is as good as none.
    cublasHandle_t handle = nullptr;
    if (functions.create(&handle) != CUBLAS_STATUS_SUCCESS) return nullptr;
    auto products = std::make_unique<CublasProducts>(functions, handle);
    products->configure(stream, workspace, workspaceBytes);
    return products;
}

std::string blasProblem() {
    Functions functions{};
    if (load(functions)) return {};
    return "cuBLAS was not found, so large products run in the slower kernels of this program";
}

}  // namespace gatescope::cuda
