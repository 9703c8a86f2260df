// SPDX-License-Identifier: Apache-2.0
#include "engine/report/torch_unpickler.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/checkpoint/printable.h"

// Opcodes: Lib/pickletools.py of Python.

namespace gatescope {
namespace {

using Kind = PickledKind;
using Value = PickledValue;

constexpr std::string_view kRebuildTensor = "_rebuild_tensor_v2";
constexpr std::string_view kOrderedDict = "OrderedDict";
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kGlobals = {
    {{"torch._utils", kRebuildTensor},
     {"collections", kOrderedDict},
     {"torch", "IntStorage"},
     {"torch", "LongStorage"},
     {"torch", "FloatStorage"},
     {"torch", "DoubleStorage"},
     {"torch", "HalfStorage"}}};

}  // namespace

const char* nameOf(PickledKind kind) {
    constexpr std::array names = {"None",   "a boolean", "an integer", "a number",
                                  "a text", "a tuple",   "a list",     "a dict",
                                  "a type", "a storage", "a tensor"};
    return names[static_cast<std::size_t>(kind)];
}

const PickledValue& TorchUnpickler::run() {
    for (;;) {
        const auto opcode = static_cast<std::uint8_t>(take(1)[0]);
        if (opcode == '.') {
            return pop();
        }
        if (!simple(opcode) && !numberOrText(opcode) && !container(opcode) && !memo(opcode) &&
            !object(opcode)) {
            throw error(
                fmt::format("byte {}: opcode 0x{:02X} is none that PyTorch writes for "
                            "tensors; nothing was run",
                            m_size - m_left.size() - 1, opcode));
        }
    }
}

std::string_view TorchUnpickler::take(std::uint64_t size) {
    if (size > m_left.size()) {
        throw error("the pickle ends too early");
    }
    const std::string_view taken = m_left.substr(0, size);
    m_left.remove_prefix(size);
    return taken;
}

std::string_view TorchUnpickler::takeLine() {
    const std::string_view line = take(m_left.find('\n'));  // npos is beyond any end
    m_left.remove_prefix(1);
    return line;
}

std::uint64_t TorchUnpickler::number(std::size_t size) {
    const std::string_view bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
        value |= std::uint64_t{static_cast<std::uint8_t>(bytes[i])} << (8 * i);
    }
    return value;
}

/// Two's complement of any length.
void TorchUnpickler::longInteger(std::size_t size) {
    if (size > 8) {
        throw error("a number does not fit into 64 bits");
    }
    const std::uint64_t low = number(size);
    const bool negative = size > 0 && (low >> (8 * size - 1) & 1) != 0;
    const std::uint64_t sign = negative && size < 8 ? ~std::uint64_t{0} << (8 * size) : 0;
    push({Kind::Integer, static_cast<std::int64_t>(low | sign), {}, {}});
}

void TorchUnpickler::push(Value value) {
    m_values.push_back(std::move(value));
    m_stack.push_back(m_values.size() - 1);
}

ValueId TorchUnpickler::popId() {
    if (m_stack.size() <= (m_marks.empty() ? 0 : m_marks.back())) {
        throw error("the pickle takes a value where it has put none");
    }
    const ValueId id = m_stack.back();
    m_stack.pop_back();
    return id;
}

std::vector<ValueId> TorchUnpickler::popToMark() {
    if (m_marks.empty()) {
        throw error("the pickle ends a list that it has not begun");
    }
    const auto begin = m_stack.begin() + static_cast<std::ptrdiff_t>(m_marks.back());
    std::vector<ValueId> items(begin, m_stack.end());
    m_stack.erase(begin, m_stack.end());
    m_marks.pop_back();
    return items;
}

void TorchUnpickler::tuple(std::size_t size) {
    std::vector<ValueId> items(size);
    for (std::size_t i = size; i-- > 0;) {
        items[i] = popId();
    }
    push({Kind::Tuple, 0, {}, std::move(items)});
}

/// Appends to the list or dict on top of the stack.
void TorchUnpickler::addTo(Kind kind, const std::vector<ValueId>& items) {
    m_stack.push_back(popId());  // stays
    Value& value = m_values[m_stack.back()];
    if (value.kind != kind || (kind == Kind::Dict && items.size() % 2 != 0)) {
        throw error("the pickle puts an element where it has no container for it");
    }
    value.items.insert(value.items.end(), items.begin(), items.end());
}

bool TorchUnpickler::simple(std::uint8_t opcode) {
    switch (opcode) {
        case 0x80:  // PROTO
            take(1);
            return true;
        case 0x95:  // FRAME
            take(8);
            return true;
        case 'N':
            push({});
            return true;
        case 0x88:  // NEWTRUE
        case 0x89:  // NEWFALSE
            push({Kind::Boolean, opcode == 0x88 ? 1 : 0, {}, {}});
            return true;
        default:
            return false;
    }
}

bool TorchUnpickler::numberOrText(std::uint8_t opcode) {
    switch (opcode) {
        case 'K':  // BININT1
            push({Kind::Integer, static_cast<std::int64_t>(number(1)), {}, {}});
            return true;
        case 'M':  // BININT2
            push({Kind::Integer, static_cast<std::int64_t>(number(2)), {}, {}});
            return true;
        case 'J':  // BININT, with a sign
            longInteger(4);
            return true;
        case 0x8A:  // LONG1
            longInteger(number(1));
            return true;
        case 'G':  // BINFLOAT; nobody asks for its value
            take(8);
            push({Kind::Real, 0, {}, {}});
            return true;
        case 'U':   // SHORT_BINSTRING
        case 0x8C:  // SHORT_BINUNICODE
            push({Kind::Text, 0, take(number(1)), {}});
            return true;
        case 'X':  // BINUNICODE
            push({Kind::Text, 0, take(number(4)), {}});
            return true;
        default:
            return false;
    }
}

bool TorchUnpickler::container(std::uint8_t opcode) {
    switch (opcode) {
        case '(':  // MARK
            m_marks.push_back(m_stack.size());
            return true;
        case ')':  // EMPTY_TUPLE
        case ']':  // EMPTY_LIST
        case '}':  // EMPTY_DICT
            push({opcode == ')'   ? Kind::Tuple
                  : opcode == ']' ? Kind::List
                                  : Kind::Dict,
                  0,
                  {},
                  {}});
            return true;
        case 't':  // TUPLE
            push({Kind::Tuple, 0, {}, popToMark()});
            return true;
        case 0x85:  // TUPLE1
        case 0x86:
        case 0x87:
            tuple(opcode - 0x84U);
            return true;
        case 'a':  // APPEND
            addTo(Kind::List, {popId()});
            return true;
        case 'e':  // APPENDS
            addTo(Kind::List, popToMark());
            return true;
        case 's': {  // SETITEM
            const ValueId value = popId();
            const ValueId key = popId();
            addTo(Kind::Dict, {key, value});
            return true;
        }
        case 'u':  // SETITEMS
            addTo(Kind::Dict, popToMark());
            return true;
        default:
            return false;
    }
}

bool TorchUnpickler::memo(std::uint8_t opcode) {
    const auto put = [this](std::uint64_t index) {
        m_stack.push_back(popId());  // stays
        m_memo[index] = m_stack.back();
    };
    const auto get = [this](std::uint64_t index) {
        const auto found = m_memo.find(index);
        if (found == m_memo.end()) {
            throw error(fmt::format("value {} is used and never set", index));
        }
        m_stack.push_back(found->second);
    };
    switch (opcode) {
        case 'q':  // BINPUT
        case 'r':  // LONG_BINPUT
            put(number(opcode == 'q' ? 1 : 4));
            return true;
        case 0x94:  // MEMOIZE
            put(m_memo.size());
            return true;
        case 'h':  // BINGET
        case 'j':  // LONG_BINGET
            get(number(opcode == 'h' ? 1 : 4));
            return true;
        default:
            return false;
    }
}

bool TorchUnpickler::object(std::uint8_t opcode) {
    switch (opcode) {
        case 'c':    // GLOBAL
        case 'i': {  // INST, which would also make an object of it
            const std::string_view module = takeLine();
            global(module, takeLine());
            return opcode == 'c';
        }
        case 0x93: {  // STACK_GLOBAL
            const Value name = pop();
            const Value& module = pop();
            if (name.kind != Kind::Text || module.kind != Kind::Text) {
                throw error("the name of a type is no text");
            }
            global(module.text, name.text);
            return true;
        }
        case 'R':  // REDUCE
            reduce();
            return true;
        case 'b': {  // BUILD: attributes, which containers and tensors have none of that matter
            pop();
            m_stack.push_back(popId());  // stays
            const Kind kind = m_values[m_stack.back()].kind;
            if (kind != Kind::Dict && kind != Kind::Tensor) {
                throw error(fmt::format("{} has no attributes; nothing was run", nameOf(kind)));
            }
            return true;
        }
        case 'Q':  // BINPERSID
            persistent();
            return true;
        default:
            return false;
    }
}

void TorchUnpickler::global(std::string_view module, std::string_view name) {
    if (std::ranges::find(kGlobals, std::pair(module, name)) == kGlobals.end()) {
        const bool isStorage = module == "torch" && name.ends_with("Storage");
        throw error(fmt::format("{}.{} is not a {} type; nothing was run", printable(module, 80),
                                printable(name, 80), isStorage ? "count" : "tensor"));
    }
    push({Kind::Global, 0, name, {}});
}

/// Stands for the call of a type with arguments.
void TorchUnpickler::reduce() {
    const ValueId id = popId();
    const Value& arguments = m_values[id];
    const Value& called = pop();
    if (called.kind != Kind::Global || arguments.kind != Kind::Tuple) {
        throw error("the pickle calls what is no type; nothing was run");
    }
    if (called.text == kRebuildTensor) {
        push({Kind::Tensor, 0, {}, {id}});
    } else if (called.text == kOrderedDict && arguments.items.empty()) {
        push({Kind::Dict, 0, {}, {}});
    } else {
        throw error(fmt::format("{} is called; nothing was run", called.text));
    }
}

bool TorchUnpickler::hasKinds(const Value& tuple, std::span<const Kind> kinds) const {
    return tuple.kind == Kind::Tuple && tuple.items.size() >= kinds.size() &&
           std::ranges::equal(std::span(tuple.items).first(kinds.size()), kinds, {},
                              [this](ValueId i) { return m_values[i].kind; });
}

/// Stands for a storage: ("storage", type, key, device, elements).
void TorchUnpickler::persistent() {
    const ValueId id = popId();
    constexpr std::array parts = {Kind::Text, Kind::Global, Kind::Text, Kind::Text, Kind::Integer};
    const Value& tuple = m_values[id];
    if (!hasKinds(tuple, parts) || m_values[tuple.items[0]].text != "storage") {
        throw error("refers to something outside that is no storage of a tensor");
    }
    push({Kind::Storage, 0, {}, {id}});
}

}  // namespace gatescope
