#include "transport/greeting.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

#include "transport/printable_line.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kName = "dex-lock ";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kVersionDigitsMax = 9;
constexpr std::size_t kShownNoise = 80;

// The version of a line "dex-lock VERSION ...". A version is written one way only, without leading
// zeros.
std::optional<std::uint32_t> version_of(std::string_view line) {
  if (!line.starts_with(kName)) {
    return std::nullopt;
  }
  line.remove_prefix(kName.size());
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos || blank == 0 || blank > kVersionDigitsMax) {
    return std::nullopt;
  }
  const std::string_view digits = line.substr(0, blank);
  std::uint32_t version = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), version);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() ||
      (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  return version;
}

}  // namespace

std::optional<Result<std::string>> GreetingFinder::feed(std::string_view line) {
  if (decision_) {
    return decision_;
  }
  if (const auto version = version_of(line)) {
    if (*version == kVersion) {
      decision_ = std::string(line);
    } else if (*version > kVersion) {
      decision_ = fail(Errc::bad_config,
                       fmt::format("lock server {} is newer: it speaks version {}, this dex-lock "
                                   "version {}; upgrade dex-lock on this machine",
                                   shown_, *version, kVersion));
    } else {
      decision_ = fail(Errc::bad_config,
                       fmt::format("this dex-lock is newer: it speaks version {}, lock server {} "
                                   "version {}; upgrade dex-lock on that server",
                                   kVersion, shown_, *version));
    }
    return decision_;
  }
  ++lines_;
  bytes_ += line.size() + 1;
  if (first_noise_.empty()) {
    first_noise_ = printable_line(line, kShownNoise);
  }
  if (lines_ > kGreetingNoiseLines || bytes_ > kGreetingNoiseBytes) {
    decision_ = too_much();
  }
  return decision_;
}

Result<std::string> GreetingFinder::too_much() const {
  return fail(Errc::bad_config,
              fmt::format("lock server {} prints too much and no greeting: {} lines, the first is "
                          "'{}'; silence its login files for logins without a terminal",
                          shown_, lines_, first_noise_));
}

}  // namespace dexlock
