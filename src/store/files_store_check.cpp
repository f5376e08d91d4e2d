#include "store/files_store_check.hpp"

#include <signal.h>

#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "lock/fields.hpp"
#include "system/small_file.hpp"
#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFilesFormat = "dex-lock files 1\n";
constexpr std::size_t kContentBytesMax = 64 * 1024;

// Temporary names begin with the number of the process that made them.
std::size_t remove_leftovers(const fs::path& directory) {
  std::size_t removed = 0;
  std::error_code error;
  std::vector<fs::path> dead;
  for (fs::directory_iterator at(directory, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    const auto pid =
        parse_number(std::string_view(name).substr(0, name.find('.')), kSmallNumberMax);
    if (pid && *pid > 0 && ::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) {
      dead.push_back(at->path());
    }
  }
  for (const fs::path& path : dead) {
    removed += fs::remove_all(path, error) > 0 && !error ? 1U : 0U;
  }
  return removed;
}

std::optional<std::string> pointer_of(const fs::path& lock, std::size_t& pointers) {
  std::optional<std::string> pointer;
  pointers = 0;
  std::error_code error;
  for (fs::directory_iterator at(lock, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with("p.")) {
      pointer = name.substr(2);
      ++pointers;
    }
  }
  return pointer;
}

// What is wrong with one lock's directory; nothing if it is sound.
std::optional<std::string> damage(const fs::path& lock) {
  std::size_t pointers = 0;
  const auto pointer = pointer_of(lock, pointers);
  if (pointers != 1) {
    return pointers == 0 ? "has no pointer file" : "has more than one pointer file";
  }
  const auto parts = split_fields(*pointer, '.', 3);
  if (!parts || parts->size() != 3) {
    return "has a pointer file with a damaged name";
  }
  const auto content = read_small(lock / ("c." + std::string((*parts)[1])), kContentBytesMax);
  const auto words = content ? split_fields(*content, ' ', 3) : std::optional<Fields>{};
  if (!words || words->size() != 3 || (*words)[2] != "end\n") {
    return "has no whole content file";
  }
  const std::string_view value = (*words)[1];
  if (!parse_durable(value.substr(0, value.find('~')))) {
    return "has a content file that cannot be understood";
  }
  return std::nullopt;
}

}  // namespace

bool is_files_store(const fs::path& path) {
  const auto format = read_small(path / "format", kFilesFormat.size() + 1);
  return format && *format == kFilesFormat;
}

Result<std::string> check_files_store(const fs::path& path) {
  const std::size_t removed = remove_leftovers(path / "tmp") + remove_leftovers(path / "proposed");
  std::size_t locks = 0;
  std::error_code error;
  for (fs::directory_iterator epoch(path, error); !error && epoch != fs::directory_iterator();
       epoch.increment(error)) {
    const std::string name = epoch->path().filename().string();
    if (name.find(".e") == std::string::npos || name.starts_with("sealed.")) {
      continue;
    }
    std::error_code inner;
    for (fs::directory_iterator lock(epoch->path(), inner);
         !inner && lock != fs::directory_iterator(); lock.increment(inner)) {
      const std::string key = lock->path().filename().string();
      const bool mark = key.starts_with("m.");
      const fs::path directory = mark ? epoch->path() / key.substr(2) : lock->path();
      std::error_code ignored;
      if (!fs::is_directory(directory, ignored)) {
        return fail(Errc::store_damaged,
                    directory.string() +
                        " was removed: this server has no vote on that lock; put it "
                        "back from no backup, but make this server anew");
      }
      if (mark) {
        continue;
      }
      ++locks;
      if (const auto wrong = damage(directory)) {
        return fail(Errc::store_damaged, directory.string() + " " + *wrong +
                                             ": this server has no vote on that lock until it is "
                                             "made anew");
      }
    }
  }
  if (error) {
    return fail(Errc::io, "cannot read " + path.string() + ": " + error.message());
  }
  return path.string() + ": store of plain files, " + std::to_string(locks) + " locks, sound, " +
         std::to_string(removed) + " leftovers removed";
}

}  // namespace dexlock
