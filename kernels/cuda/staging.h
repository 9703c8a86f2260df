// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>

namespace gatescope::cuda {

/// Copies between host and device through pinned memory, in the order of one stream. Pageable
/// memory (a mapped file) cannot be copied at full speed by the device itself, and a pinned copy of
/// it lets the host go on while the device reads.
class Staging {
  public:
    explicit Staging(cudaStream_t stream);
    ~Staging();
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    void upload(void* device, const void* host, std::size_t bytes) {
        uploadRun(static_cast<std::byte*>(device), static_cast<const std::byte*>(host), bytes);
    }
    /// `rows` rows of rowBytes each to rows `pitch` bytes apart; the gaps become zero.
    void uploadRows(void* device, std::size_t pitch, const void* host, std::size_t rowBytes,
                    std::size_t rows);
    /// Waits for the stream, then copies.
    void download(void* host, const void* device, std::size_t bytes);

  private:
    // Two halves take turns: one is filled while the device reads the other.
    static constexpr std::size_t kHalf = 8 << 20;
    struct Half {
        std::byte* memory = nullptr;
        cudaEvent_t read = nullptr;  ///< the device has read what was last in it
        std::size_t used = 0;
    };
    /// Room for `bytes` in the running half, or else in the other once it has been read.
    std::byte* room(std::size_t bytes);
    void uploadRun(std::byte* device, const std::byte* host, std::size_t bytes);
    void send(void* device, const std::byte* from, std::size_t bytes);

    cudaStream_t m_stream;
    std::array<Half, 2> m_halves{};
    std::size_t m_current = 0;
};

}  // namespace gatescope::cuda
