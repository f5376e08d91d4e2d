// The native lock server for one connection that is a pair of streams: one greeting, then a reply
// for every request line until the end of input. Over ssh it runs for the life of the connection.
//
// Invariants:  a reply leaves only after what it depends on is durable; a line that cannot be
// understood gets
//              an error reply, and the connection goes on.
// Threads:     one.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "store/embedded_acceptor.hpp"

namespace dexlock {

class LineServer {
 public:
  explicit LineServer(EmbeddedAcceptor& acceptor) : acceptor_(acceptor) {}

  // One request line; the reply lines, each with its newline.
  [[nodiscard]] std::string answer(std::string_view line);

 private:
  [[nodiscard]] std::string list_keys(std::uint32_t id, const Where& where);
  [[nodiscard]] std::string change_group(std::uint32_t id, GroupStep step);

  EmbeddedAcceptor& acceptor_;
};

// Serves the store at `path` on the descriptors until end of input. The exit status of the process.
[[nodiscard]] int serve_streams(const std::filesystem::path& path, int in, int out);

}  // namespace dexlock
