// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>

#include "kernels/device.h"

namespace gatescope {

/// Owns memory of a device; grows, never shrinks, and does not keep its content when it grows.
template <typename T>
class DeviceBuffer {
  public:
    explicit DeviceBuffer(Device& device) : m_device(&device) {}
    ~DeviceBuffer() { m_device->release(m_data); }
    DeviceBuffer(DeviceBuffer&& other) noexcept
        : m_device(other.m_device),
          m_data(std::exchange(other.m_data, nullptr)),
          m_size(std::exchange(other.m_size, 0)) {}
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
        std::swap(m_device, other.m_device);
        std::swap(m_data, other.m_data);
        std::swap(m_size, other.m_size);
        return *this;
    }
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;

    /// At least `count` elements.
    T* require(std::size_t count) {
        if (count > m_size) {
            m_device->release(std::exchange(m_data, nullptr));
            m_size = 0;
            m_data = static_cast<T*>(m_device->allocate(count * sizeof(T)));
            m_size = count;
        }
        return m_data;
    }
    T* data() const { return m_data; }
    std::size_t size() const { return m_size; }

  private:
    Device* m_device;
    T* m_data = nullptr;
    std::size_t m_size = 0;
};

}  // namespace gatescope
