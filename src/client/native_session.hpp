// The conversation with a native lock server: requests and replies as they are, in any order.
//
// Threads: the event loop's.
#pragma once

#include <memory>
#include <string>

#include "client/conversation.hpp"

namespace dexlock {

// `server`: for messages. `before`: of another process on this connection.
[[nodiscard]] std::unique_ptr<Conversation> make_native_session(Conversation::Write write,
                                                                std::string server,
                                                                const Unfinished& before = {});

}  // namespace dexlock
