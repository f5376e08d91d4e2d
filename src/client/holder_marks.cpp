#include "client/holder_marks.hpp"

#include <sys/stat.h>

#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "client/process_proof.hpp"
#include "process/process_stat.hpp"

namespace dexlock {
namespace {

constexpr const char* kFormat = "dex-lock-holder 1";
constexpr auto kOld = std::chrono::hours(24);  // any lease that was not renewed so long is over

// `own`: of this process.
std::optional<ProcessMark> mark_of(pid_t pid, const ProcessMark& own) {
  const auto stat = read_process_stat(pid);
  if (!stat) {
    return std::nullopt;
  }
  ProcessMark mark = own;
  mark.pid = pid;
  mark.start = stat->start;
  return mark;
}

// Also below it.
bool is_empty(const std::string& cgroup) {
  std::ifstream events(cgroup + "/cgroup.events");
  for (std::string line; std::getline(events, line);) {
    if (line == "populated 0") {
      return true;
    }
  }
  return false;
}

}  // namespace

struct HolderMarks::Mark {
  ProcessMark holder;
  ProcessMark filler;
  std::string cgroup;
};

HolderMarks::HolderMarks(const std::filesystem::path& state_dir)
    : directory_(state_dir / "holders") {}

std::filesystem::path HolderMarks::file_of(const ClientId& client) const {
  return directory_ / client.text;
}

void HolderMarks::leave(const ClientId& client, const WorkPlace& work) const {
  const auto holder = own_mark();
  const auto filler = holder ? mark_of(work.process, *holder) : std::nullopt;
  if (!filler || work.cgroup.empty() || work.cgroup.find('\n') != std::string::npos) {
    return;
  }
  ::mkdir(directory_.c_str(), 0700);
  forget_old();
  const std::filesystem::path temporary = file_of(client).string() + ".new";
  std::ofstream file(temporary, std::ios::trunc);
  file << kFormat << '\n'
       << mark_text(*holder) << '\n'
       << mark_text(*filler) << '\n'
       << work.cgroup << '\n';
  file.close();
  std::error_code ignored;
  if (file) {
    std::filesystem::rename(temporary, file_of(client), ignored);
  } else {
    std::filesystem::remove(temporary, ignored);
  }
}

void HolderMarks::take_back(const ClientId& client) const {
  std::error_code ignored;
  std::filesystem::remove(file_of(client), ignored);
}

void HolderMarks::forget_old() const {
  std::error_code error;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (std::filesystem::directory_iterator at(directory_, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code ignored;
    const auto written = at->last_write_time(ignored);
    if (!ignored && now - written > kOld) {
      std::filesystem::remove(at->path(), ignored);
    }
  }
}

std::optional<HolderMarks::Mark> HolderMarks::read(const ClientId& client) const {
  std::ifstream file(file_of(client));
  std::string format;
  std::string holder;
  std::string filler;
  std::string cgroup;
  if (!std::getline(file, format) || format != kFormat || !std::getline(file, holder) ||
      !std::getline(file, filler) || !std::getline(file, cgroup)) {
    return std::nullopt;
  }
  auto of_holder = parse_mark(holder);
  auto of_filler = parse_mark(filler);
  return of_holder && of_filler
             ? std::optional(Mark{std::move(*of_holder), std::move(*of_filler), std::move(cgroup)})
             : std::nullopt;
}

bool HolderMarks::is_proven_dead(const ClientId& client) const {
  const auto mark = read(client);
  return mark && is_proven_gone(mark->holder) && is_proven_gone(mark->filler) &&
         is_empty(mark->cgroup);
}

}  // namespace dexlock
