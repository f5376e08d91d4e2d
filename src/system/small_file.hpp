// What stores and others do with small files: which file a path means at the moment, small synced
// texts, and how a refusal of the operating system is reported.
//
// Threads: any; plain values.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

// Which file something is, whatever it is called. An inode number is used again at once after a
// file is removed; with the time of birth a copy put in its place is told from the original.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t born_ns = 0;  // 0 where the file system does not know

  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

// The file that `path` leads to, or that is open as `fd`. The error value is the errno.
[[nodiscard]] std::expected<FileIdentity, int> identity_of(const std::filesystem::path& path);
[[nodiscard]] std::expected<FileIdentity, int> identity_of(int fd);
[[nodiscard]] std::string text_of(const FileIdentity& identity);

// "PATH: ACTION: reason; advice" with the code that fits the errno.
[[nodiscard]] Error os_error(const std::filesystem::path& path, std::string_view action, int error);

// To read; -1 inside and errno otherwise. Never waits for a writer if it is a pipe.
[[nodiscard]] UniqueFd open_small(const std::filesystem::path& path);
// The text of a small file, or its first `bytes_max` bytes. The error value is the errno.
[[nodiscard]] std::expected<std::string, int> read_small(const std::filesystem::path& path,
                                                         std::size_t bytes_max);
[[nodiscard]] std::expected<std::string, int> read_small(int fd, std::size_t bytes_max);
// A new file with this text, synced; the directory is left to the caller.
[[nodiscard]] Result<void> write_synced(const std::filesystem::path& path, std::string_view text);
// Makes the names in this directory durable.
[[nodiscard]] Result<void> sync_directory(const std::filesystem::path& path);

}  // namespace dexlock
