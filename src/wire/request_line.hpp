// What a client asks a native lock server, one line for one request. Replies (reply_line.hpp) are
// paired with requests by number and may come in any order.
//
//   NUMBER ping
//   NUMBER watch WHERE NAME CLIENT                 an answer at once, and one more of the same
//   number
//                                                 whenever the lock has changed so that CLIENT may
//                                                 care
//   NUMBER unwatch WATCH                           no more of those; WATCH is the number it had
//   NUMBER propose GROUP EPOCH MEMBERS             set once: what this store's group is to be
//   NUMBER activate GROUP EPOCH                    it stands on all members: vote from now on
//   NUMBER keys WHERE                              the names of all locks
//   NUMBER history WHERE NAME                      who had it, as far as it is kept
//   NUMBER facts                                   of the machine
//   NUMBER prepare WHERE NAME BALLOT plain
//   NUMBER prepare WHERE NAME BALLOT acquire CLAIM
//   NUMBER prepare WHERE NAME BALLOT evict TOKEN BEAT BOOTS
//   NUMBER prepare WHERE NAME BALLOT force TOKEN
//   NUMBER accept WHERE NAME BALLOT NEXT open|closed RECORD
//   NUMBER beat WHERE NAME TOKEN BEAT BALLOT
//   NUMBER read WHERE NAME shown|durable
//   NUMBER post WHERE NAME set|remove TICKET
//   NUMBER fast WHERE NAME OPERATION TICKET
//
//   NUMBER   1 to 2^31 - 1, chosen by the client       WHERE   group.incarnation.eEPOCH
//   MEMBERS  incarnations, in order: a,b,c             NAME    of the lock
//   CLAIM    client:mode:weight:capacity               BOOTS   a,b,c or -
//   NEXT     a ballot to promise on top, or -          RECORD, TICKET, BALLOT as in their headers
//
// Fields that an intent has no use for are not sent and come back as defaults. Threads: pure
// functions. Every line is hostile until parse_request_line has accepted it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lock/ids.hpp"
#include "register/message.hpp"
#include "wire/where.hpp"

namespace dexlock {

struct ProposeGroup {
  std::string group;
  Epoch epoch{1};
  std::vector<std::string> members;
};

struct ActivateGroup {
  std::string group;
  Epoch epoch{1};
};

struct ListKeys {
  Where where;
};

struct ListHolds {
  Where where;
  std::string key;  // the name of the lock
};

struct AskFacts {};

struct Ping {};

// Only a hint: what is not told is found out by reading.
struct Watch {
  Where where;
  std::string key;  // the name of the lock
  ClientId client;
};

struct Unwatch {
  std::uint32_t watch = 0;
};

struct KeyRequest {
  Where where;
  std::string key;  // the name of the lock
  Request request;
};

using ClientLine = std::variant<KeyRequest, ProposeGroup, ActivateGroup, ListKeys, Ping, Watch,
                                Unwatch, ListHolds, AskFacts>;

struct NumberedRequest {
  std::uint32_t id = 0;
  ClientLine line;
};

// Why a line was not understood. A server answers it as FaultKind::refused and goes on.
struct WireError {
  std::uint32_t id = 0;  // 0: not even the number could be read
  std::string text;      // one line
};

// The word of the line: "accept".
[[nodiscard]] std::string_view verb_of(const ClientLine& line);
// The name of the lock that it is about; null where it is about none.
[[nodiscard]] const std::string* lock_of(const ClientLine& line);

// Without the newline.
[[nodiscard]] std::string request_line(const NumberedRequest& request);
[[nodiscard]] std::expected<NumberedRequest, WireError> parse_request_line(std::string_view line);

}  // namespace dexlock
