#include "store/hold_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "lock/fields.hpp"

namespace dexlock {
namespace {

// FNV-1a: against tearing, not against malice.
std::uint32_t checksum(std::string_view text) {
  std::uint32_t sum = 2166136261U;
  for (const char c : text) {
    sum = (sum ^ static_cast<unsigned char>(c)) * 16777619U;
  }
  return sum;
}

std::size_t slot_of(std::string_view lock) { return checksum(lock) % kHoldSlots; }

std::string line_of(std::string_view lock, const PastHold& hold) {
  std::string line;
  append(line, lock, ' ', past_hold_text(hold));
  append(line, ' ', checksum(line), '\n');
  return line;
}

// The lines of a slot, each with its newline.
std::vector<std::string_view> lines_of(std::string_view slot) {
  std::vector<std::string_view> lines;
  slot = slot.substr(0, slot.find('\0'));
  for (auto end = slot.find('\n'); end != std::string_view::npos; end = slot.find('\n')) {
    lines.push_back(slot.substr(0, end + 1));
    slot.remove_prefix(end + 1);
  }
  return lines;
}

// Nothing if the line is torn, or of another lock.
std::optional<PastHold> hold_in(std::string_view line, std::string_view lock) {
  const auto blank = line.rfind(' ');
  if (blank == std::string_view::npos || blank <= lock.size() ||
      parse_number(line.substr(blank + 1, line.size() - blank - 2), UINT32_MAX) !=
          checksum(line.substr(0, blank))) {
    return std::nullopt;
  }
  return parse_past_hold(line.substr(lock.size() + 1, blank - lock.size() - 1));
}

bool has_token(std::string_view line, std::string_view lock, FencingToken token) {
  std::string begin;
  append(begin, lock, ' ', token.value, ':');
  return line.starts_with(begin);
}

bool is_of(std::string_view line, std::string_view lock) {
  return line.size() > lock.size() && line[lock.size()] == ' ' && line.starts_with(lock);
}

bool lists(const Record& record, const Holder& holder) {
  return record.find(GrantId{holder.token, holder.op}) != nullptr;
}

std::vector<const Holder*> only_in(const Record& record, const Record& other) {
  std::vector<const Holder*> found;
  for (const Holder& holder : record.holders) {
    if (!lists(other, holder)) {
      found.push_back(&holder);
    }
  }
  return found;
}

}  // namespace

void HoldFile::note(std::string_view lock, const Record& before, const Record& after,
                    std::chrono::milliseconds now) {
  constexpr std::size_t kNotedMax = 1024;
  constexpr std::chrono::seconds kKeptFor{1};
  const auto came = only_in(after, before);
  const auto left = only_in(before, after);
  for (const Holder* holder : left) {
    noted_.push_back(
        {std::string(lock), holder->token, holder->who, now, how_ended(*holder, after)});
  }
  for (const Holder* holder : came) {
    noted_.push_back({std::string(lock), holder->token, holder->who, now, std::nullopt});
  }
  const bool due = now - flushed_at_ >= kKeptFor || now < flushed_at_;
  if (!noted_.empty() && (due || noted_.size() >= kNotedMax)) {
    flush();
    flushed_at_ = now;
  }
}

void HoldFile::flush() {
  if (!noted_.empty() && open(O_CREAT)) {
    std::map<std::size_t, std::vector<Noted>> by_slot;
    for (Noted& one : noted_) {
      by_slot[slot_of(one.lock)].push_back(std::move(one));
    }
    for (const auto& [slot, noted] : by_slot) {
      write(slot, noted);
    }
  }
  noted_.clear();
}

void HoldFile::write(std::size_t slot, std::span<const Noted> noted) const {
  struct Line {
    std::string_view text;  // as it was; empty: it is new
    std::string_view lock;
    PastHold hold;  // only of a new one
  };
  const std::string old = read_slot(slot);
  std::deque<Line> lines;  // the newest first
  for (const std::string_view line : lines_of(old)) {
    lines.push_back({line, line.substr(0, line.find(' ')), {}});
  }
  for (const Noted& one : noted) {
    Line line{.text = {}, .lock = one.lock, .hold = {.token = one.token, .who = one.who}};
    if (!one.ended) {
      line.hold.from = one.at;
    } else {
      const auto at = std::ranges::find_if(lines, [&](const Line& known) {
        return known.lock == one.lock &&
               (known.text.empty() ? known.hold.token == one.token
                                   : has_token(known.text, one.lock, one.token));
      });
      if (at != lines.end()) {
        auto granted = at->text.empty() ? std::optional(at->hold) : hold_in(at->text, one.lock);
        if (granted && granted->who == one.who) {
          line.hold = std::move(*granted);
          lines.erase(at);
        }
      }
      line.hold.to = one.at;
      line.hold.state = *one.ended;
    }
    lines.push_front(std::move(line));
  }
  std::string text;
  text.reserve(kHoldSlotBytes);
  std::map<std::string_view, std::size_t> of_lock;
  for (const Line& line : lines) {
    if (++of_lock[line.lock] > kPastHoldsMax) {
      continue;
    }
    const std::string made = line.text.empty() ? line_of(line.lock, line.hold) : std::string();
    const std::string_view whole = line.text.empty() ? made : line.text;
    if (text.size() + whole.size() < kHoldSlotBytes) {
      text += whole;
    }
  }
  text += '\0';  // what stands behind it is old
  // Where it fails, there is no more history than there was.
  static_cast<void>(
      ::pwrite(fd_.get(), text.data(), text.size(), static_cast<off_t>(slot * kHoldSlotBytes)) < 0);
}

std::vector<PastHold> HoldFile::holds_of(std::string_view lock) {
  flush();
  std::vector<PastHold> holds;
  if (!open(0)) {
    return holds;
  }
  const std::string slot = read_slot(slot_of(lock));
  for (const std::string_view line : lines_of(slot)) {
    auto hold = is_of(line, lock) ? hold_in(line, lock) : std::nullopt;
    if (hold && holds.size() < kPastHoldsMax) {
      holds.push_back(std::move(*hold));
    }
  }
  return holds;
}

bool HoldFile::open(int flags) {
  struct stat facts {};
  if (fd_.get() >= 0 && (::fstat(fd_.get(), &facts) != 0 || facts.st_nlink == 0)) {
    fd_.reset();  // it was removed
  }
  if (fd_.get() < 0) {
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags,
                     S_IRUSR | S_IWUSR));
    if (fd_.get() >= 0 && (::fstat(fd_.get(), &facts) != 0 || !S_ISREG(facts.st_mode))) {
      fd_.reset();
    }
  }
  return fd_.get() >= 0;
}

std::string HoldFile::read_slot(std::size_t slot) const {
  std::string text(kHoldSlotBytes, '\0');
  const ssize_t got =
      ::pread(fd_.get(), text.data(), text.size(), static_cast<off_t>(slot * kHoldSlotBytes));
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

}  // namespace dexlock
