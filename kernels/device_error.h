// SPDX-License-Identifier: Apache-2.0
#pragma once

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

/// A device has not enough memory left; the sentence says how much is needed and free. What was
/// allocated before stays valid.
class DeviceMemoryError : public std::bad_alloc {
  public:
    explicit DeviceMemoryError(std::string message) : m_message(std::move(message)) {}
    const char* what() const noexcept override { return m_message.c_str(); }

  private:
    std::string m_message;
};

}  // namespace gatescope
