// A directory of this process for targets that read files; gone when the process ends in order.
//
// Threads: one.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace dexlock::fuzz {

inline const std::filesystem::path& scratch_place() {
  static const struct Place {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("fuzz" + std::to_string(::getpid()));
    Place() { std::filesystem::create_directories(path); }
    ~Place() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
  } place;
  return place.path;
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
}

}  // namespace dexlock::fuzz
