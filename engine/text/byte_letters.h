// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatescope {

/// Byte-level BPE writes every byte as one printable character, so that a vocabulary of any bytes
/// is valid JSON: printable Latin-1 stands for itself, the other 68 bytes for U+0100 upwards (space
/// is U+0120). This is the table GPT-2 introduced.

/// The letter of a byte, as UTF-8.
std::string_view byteLetter(unsigned char byte);

/// Bytes written as letters.
std::string toByteLetters(std::string_view bytes);

/// The bytes behind a text of letters; nothing if it holds a character that is no byte letter.
std::optional<std::string> fromByteLetters(std::string_view letters);

}  // namespace gatescope
