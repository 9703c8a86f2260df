// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/error.h"

namespace gatescope {

enum class PickledKind : std::uint8_t {
    Nothing,
    Boolean,
    Integer,
    Real,
    Text,
    Tuple,
    List,
    Dict,
    Global,
    Storage,
    Tensor
};
const char* nameOf(PickledKind kind);  ///< for messages: "a tuple"

/// Values refer to each other by number, not by pointer: a pickle can nest them without bound, and
/// in circles.
using ValueId = std::size_t;

struct PickledValue {
    PickledKind kind = PickledKind::Nothing;
    std::int64_t integer = 0;
    std::string_view text;  ///< of a text, or the name of a type without its module
    /// Dict: key, value, key, ... Tensor, storage: the tuple it is made of; not a copy of that,
    /// because a pickle can name a long one again and again.
    std::vector<ValueId> items;
};

/// Interprets a pickle. Nothing is executed: opcodes and types that PyTorch does not write for
/// tensors of counts are refused by name. Takes no recursion, and memory in proportion to the
/// pickle. Throws Error "FILE: data.pkl: CAUSE". The pickle must outlive it.
class TorchUnpickler {
  public:
    TorchUnpickler(std::string_view pickle, const std::string& file)
        : m_left(pickle), m_size(pickle.size()), m_file(file) {}

    /// Reads all of it, once; gives the value that is pickled.
    const PickledValue& run();
    const PickledValue& value(ValueId id) const { return m_values[id]; }
    /// Whether a value is a tuple that begins with values of these kinds.
    bool hasKinds(const PickledValue& tuple, std::span<const PickledKind> kinds) const;
    Error error(const std::string& cause) const { return fileError(m_file, "data.pkl", cause); }

  private:
    bool simple(std::uint8_t opcode);
    bool numberOrText(std::uint8_t opcode);
    bool container(std::uint8_t opcode);
    bool memo(std::uint8_t opcode);
    bool object(std::uint8_t opcode);

    std::string_view take(std::uint64_t size);
    std::string_view takeLine();
    std::uint64_t number(std::size_t size);
    void longInteger(std::size_t size);
    void push(PickledValue value);
    ValueId popId();
    const PickledValue& pop() { return m_values[popId()]; }
    std::vector<ValueId> popToMark();
    void tuple(std::size_t size);
    void addTo(PickledKind kind, const std::vector<ValueId>& items);
    void global(std::string_view module, std::string_view name);
    void reduce();
    void persistent();

    std::string_view m_left;
    std::size_t m_size;
    const std::string& m_file;
    std::vector<PickledValue> m_values;
    std::vector<ValueId> m_stack;
    std::vector<std::size_t> m_marks;  ///< heights of the stack
    std::unordered_map<std::uint64_t, ValueId> m_memo;
};

}  // namespace gatescope
