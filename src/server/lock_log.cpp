#include "server/lock_log.hpp"

#include <fmt/format.h>

#include "lock/quoted_text.hpp"
#include "wire/past_hold.hpp"

namespace dexlock {
namespace {

std::string line_of(std::string_view event, std::string_view lock, const Holder& holder) {
  return fmt::format("{} lock={} token={} owner={}", event, lock, holder.token.value,
                     quoted_text(holder.who, kWhoBytesMax));
}

// With a blank in front, or nothing.
std::string lock_field(const ClientLine& asked) {
  const std::string* lock = lock_of(asked);
  return lock != nullptr ? " lock=" + *lock : "";
}

bool lists(const Record& record, const Holder& holder) {
  return record.find(GrantId{holder.token, holder.op}) != nullptr;
}

}  // namespace

std::vector<std::string> lines_of_change(std::string_view lock, const Record& before,
                                         const Record& after) {
  std::vector<std::string> lines;
  for (const Holder& holder : before.holders) {
    if (!lists(after, holder)) {
      lines.push_back(line_of(hold_word(how_ended(holder, after)), lock, holder));
    }
  }
  for (const Holder& holder : after.holders) {
    if (!lists(before, holder)) {
      lines.push_back(line_of(holder.ticket ? "handed-over" : "granted", lock, holder));
    }
  }
  return lines;
}

std::string line_of_denial(const ClientLine& asked, std::string_view certificate) {
  return fmt::format("denied verb={}{} certificate={}", verb_of(asked), lock_field(asked),
                     quoted_text(certificate));
}

std::string line_of_request(const ClientLine& asked, std::string_view outcome,
                            std::uint64_t connection) {
  return fmt::format("request verb={}{} outcome={} connection={}", verb_of(asked),
                     lock_field(asked), outcome, connection);
}

}  // namespace dexlock
