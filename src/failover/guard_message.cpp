#include "failover/guard_message.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>

#include "lock/fields.hpp"

namespace dexlock {
namespace {

constexpr std::uint64_t kLimitMax = 1ULL << 31U;

std::optional<std::size_t> count_at(const Words& words, std::size_t at) {
  const auto count = at < words.size() ? parse_number(words[at], words.size()) : std::nullopt;
  return count && *count <= words.size() - at - 1 ? std::optional<std::size_t>(*count)
                                                  : std::nullopt;
}

bool take_list(const Words& words, std::size_t& at, Words& list) {
  const auto count = count_at(words, at);
  if (!count) {
    return false;
  }
  const auto begin = words.begin() + static_cast<std::ptrdiff_t>(at) + 1;
  list.assign(begin, begin + static_cast<std::ptrdiff_t>(*count));
  at += *count + 1;
  return true;
}

void append_list(Words& words, const Words& list) {
  words.push_back(std::to_string(list.size()));
  words.insert(words.end(), list.begin(), list.end());
}

}  // namespace

bool send_words(int socket, const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    text += word;
    text += '\0';
  }
  return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(text.size());
}

Heard receive_words(int socket, Words& words) {
  const auto take = [&](void* to, std::size_t size, int flags) {
    ssize_t got = 0;
    do {
      got = ::recv(socket, to, size, MSG_DONTWAIT | flags);
    } while (got < 0 && errno == EINTR);
    return got;
  };
  const ssize_t size = take(nullptr, 0, MSG_PEEK | MSG_TRUNC);
  std::string text(static_cast<std::size_t>(std::max<ssize_t>(size, 0)), '\0');
  const ssize_t got = size > 0 ? take(text.data(), text.size(), 0) : size;
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return Heard::nothing;
  }
  if (got <= 0 || text[static_cast<std::size_t>(got) - 1] != '\0') {
    return Heard::closed;
  }
  words.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\0', at);
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return Heard::message;
}

std::optional<HeldLease> read_lease(const Words& words, std::size_t at) {
  if (words.size() != at + 4) {
    return std::nullopt;
  }
  std::array<std::int64_t, 4> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = parse_number(words[at + i], std::numeric_limits<std::int64_t>::max());
    if (!number) {
      return std::nullopt;
    }
    numbers[i] = static_cast<std::int64_t>(*number);
  }
  using std::chrono::nanoseconds;
  return HeldLease{.token = static_cast<std::uint64_t>(numbers[0]),
                   .term = nanoseconds(numbers[1]),
                   .signal_at = nanoseconds(numbers[2]),
                   .kill_at = nanoseconds(numbers[3])};
}

Words words_of(const Will& will) {
  Words words{"will", will.fence ? "fence" : "stop"};
  for (const Step& step : will.stop) {
    append_step(words, step);
  }
  if (will.fence) {
    append_step(words, *will.fence);
  }
  return words;
}

std::optional<Will> read_will(const Words& words) {
  Will will;
  std::size_t at = 2;
  Step step;
  while (take_step(words, at, step)) {
    will.stop.push_back(step);
  }
  if (words.size() < 2 || at != words.size()) {
    return std::nullopt;
  }
  if (words[1] == "fence" && !will.stop.empty()) {
    will.fence = will.stop.back();
    will.stop.pop_back();
  }
  return will;
}

void append_step(Words& words, const Step& step) {
  words.push_back(step.label);
  words.push_back(std::to_string(std::chrono::ceil<std::chrono::milliseconds>(step.limit).count()));
  append_list(words, step.words);
  append_list(words, step.settings);
}

bool take_step(const Words& words, std::size_t& at, Step& step) {
  if (words.size() - std::min(at, words.size()) < 4) {
    return false;
  }
  const auto limit = parse_number(words[at + 1], kLimitMax);
  step.label = words[at];
  at += 2;
  if (!limit || !take_list(words, at, step.words) || step.words.empty() ||
      !take_list(words, at, step.settings)) {
    return false;
  }
  step.limit = std::chrono::milliseconds(*limit);
  return true;
}

}  // namespace dexlock
