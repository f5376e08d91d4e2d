// Random values of the messages between clients and servers, and the ways to damage their texts.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lock/fields.hpp"
#include "lock/random.hpp"
#include "lock/record_text.hpp"
#include "register/acceptor.hpp"
#include "wire/line_fields.hpp"
#include "wire/soft_lists.hpp"
#include "wire/where.hpp"

namespace dexlock {

class WireSamples {
 public:
  explicit WireSamples(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  bool coin() { return below(2) == 1; }

  // Small, at a limit, or anything in between: limits are where texts go wrong.
  std::uint64_t number(std::uint64_t max) {
    switch (below(4)) {
      case 0:
        return 0;
      case 1:
        return max;
      case 2:
        return below(10);
      default:
        return random_.next() % (max + 1);
    }
  }
  std::uint32_t small() { return static_cast<std::uint32_t>(number((1U << 31U) - 1)); }

  std::string id(std::size_t bytes_max = kIdBytesMax) {
    return text("abcdefghijklmnopqrstuvwxyz0123456789", 1 + below(bytes_max));
  }
  std::string free_text(std::size_t bytes_max) {
    std::string out;
    for (std::size_t n = below(bytes_max + 1); n > 0; --n) {
      out += static_cast<char>(below(256));
    }
    return out;
  }
  std::string lock_name() { return "n" + text("ABCXYZabcxyz0189_:@/+-", below(kLockNameBytes)); }
  FencingToken token() { return FencingToken{number(kTokenMax - 1) + 1}; }
  BootId boot() { return BootId{"b" + text("0123456789abcdef-", below(kBootIdBytesMax))}; }
  Where where() { return Where{id(), id(), Epoch{1 + number(kEpochMax - 1)}}; }
  Ballot ballot() {
    return Ballot{1 + static_cast<std::uint32_t>(number(1000)),
                  small(),
                  {small(), small()},
                  static_cast<std::uint32_t>(below(2))};
  }
  Mode mode() { return static_cast<Mode>(below(3)); }
  Claim claim() { return Claim{{id()}, mode(), small(), small()}; }
  Terms terms() {
    using std::chrono::milliseconds;
    return Terms{milliseconds(small()), milliseconds(small()), milliseconds(small()),
                 static_cast<std::uint32_t>(number(kDriftPpmMax))};
  }
  Ticket ticket() {
    return Ticket{.number = small(),
                  .claim = claim(),
                  .terms = terms(),
                  .refresh = small(),
                  .ttl = std::chrono::milliseconds(small()),
                  .proposer = {small(), small()},
                  .who = free_text(kWhoBytesMax / 3)};
  }
  Record record(bool free) {
    Record record{.count = number(kTokenCountMax), .op = {id()}};
    const Mode common = mode();
    for (std::size_t n = free ? 0 : 1 + below(4); n > 0; --n) {
      Holder holder{.token = token(), .client = {id()}, .op = {id()}, .mode = common};
      holder.terms = terms();
      holder.who = free_text(kWhoBytesMax / 3);
      if (coin()) {
        holder.ticket = small();
      }
      if (record.find(holder.token) == nullptr) {
        record.holders.push_back(holder);
      }
    }
    if (coin()) {
      record.last = Departed{token(), {id()}, EndKind::expired, coin(), free_text(20)};
    }
    if (coin()) {
      record.gate = Gate{coin() ? GateState::hold : GateState::moved, free_text(20)};
    }
    record.note = free_text(10);
    record.data = free_text(40);
    if (coin()) {
      record.later_fields = {"z=1"};
    }
    return record;
  }
  Durable durable() {
    Durable durable{.promised = ballot(), .fence = ballot(), .accepted = ballot()};
    durable.promised = std::max({durable.promised, durable.fence, durable.accepted});
    if (below(4) == 0) {
      durable.accepted = Ballot{.epoch = durable.accepted.epoch};
    } else {
      durable.value = record(coin());
    }
    durable.open = (!durable.value || durable.value->is_free()) && coin();
    durable.copied = coin();
    return durable;
  }
  Soft soft() {
    Soft soft;
    for (std::size_t n = below(5); n > 0; --n) {
      soft.beats[token()] = small();
    }
    for (std::size_t n = below(5); n > 0; --n) {
      soft.tickets.push_back(ticket());
    }
    soft.tickets = merge_tickets(soft.tickets);
    if (coin()) {
      soft.promised = ballot();
    }
    return soft;
  }
  std::vector<std::string> members() {
    std::vector<std::string> members;
    for (std::size_t n = 0, count = 1 + below(15); n < count; ++n) {
      members.push_back(std::string(1, static_cast<char>('a' + n)) + id(24));
    }
    return members;
  }

  // `text` with one to three bytes changed, inserted, removed or repeated.
  std::string damaged(std::string text) {
    static constexpr std::string_view kBytes(" -,;:.=%0129azA~^\"'\\\0\n\r\t\x7f\x80\xff", 27);
    for (std::size_t n = 1 + below(3); n > 0; --n) {
      const std::size_t at = below(text.size() + 1);
      const char byte = coin() ? kBytes[below(kBytes.size())] : static_cast<char>(below(256));
      switch (below(4)) {
        case 0:
          text.insert(at, 1, byte);
          break;
        case 1:
          text.erase(at, 1 + below(3));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size() + 1), below(30)));
          break;
        default:
          if (at < text.size()) {
            text[at] = byte;
          }
      }
    }
    return text;
  }

 private:
  static constexpr std::size_t kLockNameBytes = 199;

  std::string text(std::string_view alphabet, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
      out += alphabet[below(alphabet.size())];
    }
    return out;
  }

  Random random_;
};

// A record as long as records may be, with as many holders as there may be.
inline Record largest_record() {
  Record record{.count = kTokenCountMax, .op = {std::string(kIdBytesMax, 'o')}};
  for (std::uint64_t n = 0; n < kHoldersMax; ++n) {
    record.holders.push_back(Holder{.token = FencingToken{kTokenMax - n},
                                    .client = {std::string(kIdBytesMax, 'c')},
                                    .op = {std::string(kIdBytesMax, 'o')},
                                    .mode = Mode::shared});
  }
  std::size_t bytes = record_text(record).size();
  for (Holder& holder : record.holders) {
    holder.who.assign(std::min(kRecordBytesMax - bytes, kWhoBytesMax), 'w');
    bytes += holder.who.size();
  }
  return record;
}

inline Ballot largest_ballot() {
  const auto most = static_cast<std::uint32_t>(kSmallNumberMax);
  return Ballot{most, most, {most, most}, 1};
}

}  // namespace dexlock
