// The conversation with a shell store: one acceptor per lock runs here, over get and
// compare-and-set.
//
// Threads: the event loop's.
#pragma once

#include <memory>
#include <string>

#include "client/conversation.hpp"

namespace dexlock {

struct FilesSessionOptions {
  BootId boot;
  std::string writer;  // [a-z0-9]{1,12}, unique to this connection
  std::string server;  // for messages
  Unfinished before;   // of another process on this connection
};

[[nodiscard]] std::unique_ptr<Conversation> make_files_session(Conversation::Write write,
                                                               FilesSessionOptions options);

}  // namespace dexlock
