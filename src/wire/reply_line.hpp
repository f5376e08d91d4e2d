// What a native lock server answers, one line for one reply, numbered as the request was; 0 where
// not even the number could be read.
//
//   NUMBER VERDICT DURABLE BOOT BEATS TICKETS     what it knows of the lock, whatever the verdict
//   NUMBER fault KIND TEXT                        it could not do it; TEXT may contain blanks
//   NUMBER group GROUP EPOCH MEMBERS              the proposal that stands, whoever made it
//   NUMBER active WHERE                           it votes there now
//   NUMBER keys more|end NAMES                    a,b,c in order, or -; after `more` follows
//                                                 another such line of the same number
//   NUMBER pong
//   NUMBER history HOLDS                          as in past_hold.hpp, the newest first
//   NUMBER facts FACTS                            as in server_facts.hpp
//
//   VERDICT  promise accepted beating state low far held alive fenced behind gone two-values
//   KIND     unreachable not-member corrupt full busy refused denied
//   DURABLE  as in durable_text.hpp           BEATS, TICKETS  as in soft_lists.hpp
//
// Invariants:  every reply fits into a line: junior tickets are left out of it until it does.
// Threads:     pure functions. Every line is hostile until parse_reply_line has accepted it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lock/ids.hpp"
#include "register/message.hpp"
#include "wire/past_hold.hpp"
#include "wire/request_line.hpp"
#include "wire/server_facts.hpp"
#include "wire/where.hpp"

namespace dexlock {

struct GroupStands {
  std::string group;
  Epoch epoch{1};
  std::vector<std::string> members;
};

struct Activated {
  Where where;
};

// Part of the names of all locks: sorted, each once, no more than a line holds.
struct Keys {
  std::vector<std::string> names;
  bool more = false;
};

struct Pong {};

struct PastHolds {
  std::vector<PastHold> holds;
};

using ServerReply =
    std::variant<Answer, Fault, GroupStands, Activated, Keys, Pong, PastHolds, ServerFacts>;

struct NumberedReply {
  std::uint32_t id = 0;
  ServerReply reply;
};

// Longer texts of a fault are cut; bytes that are not printable ASCII become ?.
inline constexpr std::size_t kFaultBytesMax = 1000;

// Without the newline.
[[nodiscard]] std::string reply_line(const NumberedReply& reply);
[[nodiscard]] std::expected<NumberedReply, WireError> parse_reply_line(std::string_view line);

// What became of the request, as one word of the line: its verdict, the kind of its fault, or what
// else the reply is.
[[nodiscard]] std::string_view outcome_of(std::string_view reply_line);

// The answer to a line that is no request.
[[nodiscard]] NumberedReply refusal(const WireError& error);

// All names as replies that each fit into a line; one with no names if there are none.
[[nodiscard]] std::vector<Keys> keys_in_lines(std::vector<std::string> names);

}  // namespace dexlock
