// Who may use which locks: a file with one line for each certificate.
//
//   web1      web/  deploy         locks whose names begin with web/ or deploy
//   backup    *                    all locks
//
// The first word is the common name in a client's certificate. Who is not named may use none; what
// follows # is a comment.
//
// Threads: plain values.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"

namespace dexlock {

class NamePermissions {
 public:
  // bad_config: with the line.
  static Result<NamePermissions> read(const std::filesystem::path& file);
  static Result<NamePermissions> parse(std::string_view text);

  [[nodiscard]] bool may_use(const std::string& client, std::string_view lock) const;
  // May use all of them, and so see their names.
  [[nodiscard]] bool may_list(const std::string& client) const;

 private:
  std::map<std::string, std::vector<std::string>> prefixes_;
};

}  // namespace dexlock
