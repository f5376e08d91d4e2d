// Facts about this machine that a store depends on: which boot this is, which machine, whether a
// path is on a file system that other machines share, and random ids.
//
// Threads: any.      Never does: writes anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

// The kernel's random id of this boot, without dashes; empty where there is none. Nothing else will
// do: clocks step, and times of boot are computed from them.
[[nodiscard]] std::string machine_boot_id();

// What tells this machine from others with which it may share a home directory: /etc/machine-id,
// else "host-" and the host's name. Never empty.
[[nodiscard]] std::string machine_id();

// The name of the network (or otherwise not purely local) file system with this statfs() magic;
// nothing for a local one.
[[nodiscard]] std::optional<std::string_view> network_file_system(std::uint32_t magic);

// The same for the file system that `path`, or its nearest ancestor that exists, is on.
[[nodiscard]] std::optional<std::string_view> network_file_system_of(
    const std::filesystem::path& path);
[[nodiscard]] bool on_network_file_system(const std::filesystem::path& path);

// 2 * `bytes` lower-case hexadecimal digits from the kernel's random source.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace dexlock
