// What the native lock server says: one greeting, then a reply for every request line. With a pair
// of streams for its one connection, as over ssh, it runs until the end of input.
//
// Invariants:  a reply leaves only after what it depends on is durable; a line that cannot be
// understood gets
//              an error reply, and the connection goes on.
// Threads:     one.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/embedded_acceptor.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

class LineServer {
 public:
  explicit LineServer(EmbeddedAcceptor& acceptor) : acceptor_(acceptor) {}

  // One request line; the reply lines, each with its newline.
  [[nodiscard]] std::string answer(std::string_view line);
  // The same for several requests, whose changes share a commit.
  [[nodiscard]] std::vector<std::string> answer(std::span<const NumberedRequest> requests);

  // What a connection hears first, with its newline. `usable`: it may go on.
  struct Greeted {
    std::string line;
    bool usable = false;
  };
  [[nodiscard]] Greeted greet(const std::filesystem::path& path);

 private:
  [[nodiscard]] std::string answer_other(const NumberedRequest& request);
  [[nodiscard]] std::string list_keys(std::uint32_t id, const Where& where);
  [[nodiscard]] std::string list_holds(std::uint32_t id, const ListHolds& asked);
  [[nodiscard]] std::string change_group(std::uint32_t id, GroupStep step);

  EmbeddedAcceptor& acceptor_;
};

// The greeting of a server whose store cannot be used.
[[nodiscard]] std::string trouble_line(const Error& error);

// Serves the store at `path` on the descriptors until end of input. The exit status of the process.
[[nodiscard]] int serve_streams(const std::filesystem::path& path, int in, int out);

}  // namespace dexlock
