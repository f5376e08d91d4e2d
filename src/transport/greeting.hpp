// Finds the greeting of a lock server in what a login prints: motd, profile output and banners may
// come before it. The greeting is the one line that begins exactly with "dex-lock 1 ".
//
// Invariants:  the first decision is final. At most kGreetingNoiseLines and kGreetingNoiseBytes of
//              noise are accepted, so a server that prints for ever is given up.
// Threads:     plain value.        Never does: read, wait, interpret the rest of the greeting.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "dexlock/error.hpp"

namespace dexlock {

// A long motd has some forty lines; a login that prints more than this is no login for programs.
constexpr std::size_t kGreetingNoiseLines = 200;
constexpr std::size_t kGreetingNoiseBytes = 64 * 1024;

class GreetingFinder {
 public:
  // `shown`: what messages call the server.
  explicit GreetingFinder(std::string shown) : shown_(std::move(shown)) {}

  // Nothing: it was noise, feed the next line. Otherwise the decision, and again at every later
  // call: the whole greeting line, or bad_config when the server speaks another version of the
  // protocol or prints too much before it.
  std::optional<Result<std::string>> feed(std::string_view line);

 private:
  Result<std::string> too_much() const;

  std::string shown_;
  std::string first_noise_;  // for the message: it tells people which file prints it
  std::size_t lines_ = 0;
  std::size_t bytes_ = 0;
  std::optional<Result<std::string>> decision_;
};

}  // namespace dexlock
