// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint/checkpoint.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/checkpoint/json.h"
#include "engine/checkpoint/mapped_file.h"
#include "engine/checkpoint/printable.h"
#include "engine/error.h"

namespace gatescope {
namespace {

constexpr const char* singleName = "model.safetensors";
constexpr const char* indexName = "model.safetensors.index.json";
constexpr std::size_t maxIndexBytes = 64 << 20;  // the largest published index has 14 MB
constexpr std::size_t sampledBytes = 4096;       // of either end of a tensor, in the fingerprint

/// There is something of this name, be it a broken link: then opening it gives the reason.
bool present(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

void requireFolder(const std::filesystem::path& dir) {
    std::error_code error;
    const auto status = std::filesystem::status(dir, error);
    const std::string name = printable(dir.native(), 1000);
    if (!std::filesystem::exists(status)) throw fileError(name, "", "there is no such folder");
    if (!std::filesystem::is_directory(status)) throw fileError(name, "", "is not a folder");
}

/// An index may name files inside the folder only. Decided from the name alone, before the file
/// system is asked anything.
void requirePlainName(const JsonValue& field) {
    const std::string& name = field.string();
    const bool separators = name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos;
    if (name.empty() || name == "." || name == ".." || separators) {
        throw field.error(
            fmt::format("\"{}\" is not a plain file name inside the folder", printable(name)));
    }
}

/// What the index says: tensor name -> file name.
std::map<std::string, std::string, std::less<>> readIndex(const std::filesystem::path& path) {
    const auto document = JsonDocument::read(path, maxIndexBytes);
    std::map<std::string, std::string, std::less<>> placement;
    document.root()
        .at("weight_map")
        .forEachMember([&](const std::string& tensor, const JsonValue& field) {
            requirePlainName(field);
            placement.emplace(tensor, field.string());
        });
    return placement;
}

void report(const Progress& progress, std::string_view what, std::size_t done, std::size_t total) {
    if (progress && !progress(what, done, total)) throw Cancelled();
}

class Fnv1a {
  public:
    void add(std::span<const std::byte> bytes) {
        for (const std::byte byte : bytes) {
            m_hash = (m_hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
        }
    }
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    std::uint64_t value() const { return m_hash; }

  private:
    std::uint64_t m_hash = 0xcbf29ce484222325;
};

}  // namespace

Checkpoint::Checkpoint(std::filesystem::path dir, const Progress& progress)
    : m_dir(std::move(dir)) {
    requireFolder(m_dir);
    m_configJson = readFile(m_dir / "config.json", ConfigLimits::fileBytes);
    m_config = parseModelConfig(m_configJson, readGenerationConfig(m_dir));
    if (present(m_dir / singleName)) {
        openSingle(progress);
    } else if (present(m_dir / indexName)) {
        openSharded(progress);
    } else {
        throw fileError(printable(m_dir.native(), 1000), "",
                        fmt::format("holds neither {} nor {}", singleName, indexName));
    }
}

SafetensorsFile& Checkpoint::openFile(const std::string& name) {
    m_files.push_back(std::make_unique<SafetensorsFile>(m_dir / name));
    return *m_files.back();
}

void Checkpoint::openSingle(const Progress& progress) {
    report(progress, "Opening weights", 0, 1);
    m_description = singleName;
    for (const TensorView& tensor : openFile(singleName).tensors()) {
        m_byName.emplace(tensor.name, &tensor);
    }
    report(progress, "Opening weights", 1, 1);
}

void Checkpoint::openSharded(const Progress& progress) {
    m_description = indexName;
    const auto placement = readIndex(m_dir / indexName);
    std::set<std::string> names;
    for (const auto& [tensor, file] : placement) names.insert(file);
    if (names.empty()) throw fileError(indexName, "weight_map", "names no file");

    for (const std::string& file : names) {
        report(progress, "Opening weights", m_files.size(), names.size());
        for (const TensorView& tensor : openFile(file).tensors()) {
            const auto [other, isNew] = m_byName.emplace(tensor.name, &tensor);
            if (!isNew) {
                throw fileError(printable(file), printable(tensor.name),
                                fmt::format("is in {} too", other->second->file));
            }
        }
    }
    for (const auto& [tensor, file] : placement) {
        const TensorView* found = find(tensor);
        if (found && found->file == printable(file)) continue;
        throw fileError(indexName, printable(tensor),
                        fmt::format("said to be in {}, but {}", printable(file),
                                    found ? "is in " + found->file : "is not there"));
    }
    report(progress, "Opening weights", names.size(), names.size());
}

const TensorView* Checkpoint::find(std::string_view name) const {
    const auto place = m_byName.find(name);
    return place == m_byName.end() ? nullptr : place->second;
}

std::uint64_t Checkpoint::weightBytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, tensor] : m_byName) sum += tensor->bytes.size();
    return sum;
}

std::vector<const TensorView*> Checkpoint::tensors() const {
    std::vector<const TensorView*> all;
    all.reserve(m_byName.size());
    for (const auto& [name, tensor] : m_byName) all.push_back(tensor);
    return all;
}

std::string Checkpoint::fingerprint() const {
    Fnv1a hash;
    hash.add(m_configJson);
    for (const auto& [name, tensor] : m_byName) {
        hash.add(fmt::format("\n{}\n{}\n{}\n", name, tensor->dtype, fmt::join(tensor->shape, ",")));
        const auto bytes = tensor->bytes;
        const std::size_t count = std::min(bytes.size(), sampledBytes);
        hash.add(bytes.first(count));
        hash.add(bytes.last(count));
    }
    return fmt::format("{:016x}", hash.value());
}

}  // namespace gatescope
