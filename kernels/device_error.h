// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace gatescope {

/// A device failed: the sentence names the device, the operation and the cause.
class DeviceError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// A device has not enough memory left. What was allocated before stays valid.
class DeviceMemoryError : public std::bad_alloc {
  public:
    DeviceMemoryError(std::string message, std::size_t needed, std::size_t free)
        : m_message(std::move(message)), m_needed(needed), m_free(free) {}
    const char* what() const noexcept override { return m_message.c_str(); }
    std::size_t needed() const { return m_needed; }
    std::size_t free() const { return m_free; }

  private:
    std::string m_message;
    std::size_t m_needed;
    std::size_t m_free;
};

}  // namespace gatescope
