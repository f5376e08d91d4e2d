// Requests and replies in a few words, for traces.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "etcd/service.hpp"
#include "register/message.hpp"

namespace dexlock::sim {

[[nodiscard]] std::string request_text(const Request& request);
[[nodiscard]] std::string reply_text(const Reply& reply);
[[nodiscard]] std::string txn_text(const EtcdTxn& txn);
[[nodiscard]] std::string holders_text(const Record& record);

}  // namespace dexlock::sim
