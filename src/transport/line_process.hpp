// A child process whose stdin and stdout carry lines, such as an ssh connection to a lock server.
//
// Invariants:  on_end comes exactly once, after every on_line, unless stop() came first; after
//              stop() nothing comes. Memory per child is bounded: one line, what is queued for the
//              child, and the end of its stderr.
// Threads:     every call on the thread that runs the io_context; callbacks come from its run(),
//              never from inside a call to this class. A callback may call anything here, and may
//              destroy it.
// Never does:  block, raise SIGPIPE, handle SIGCHLD, interpret a line, start the child again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "system/unique_fd.hpp"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace dexlock {

class ChildProcess;
struct ChildStreams;

// The longest line taken from a child, without its newline. More than any message of the protocol.
constexpr std::size_t kChildLineMax = 32 * 1024;
// What may wait for a child that does not read: far more than one round of requests for one server.
constexpr std::size_t kChildQueueMax = 1024 * 1024;
// How much of a child's stderr is kept, from its end: an ssh failure with its warning block fits.
constexpr std::size_t kChildErrorTextMax = 4 * 1024;
// How long a child may go on after it closed its stdin or stdout, and how long a killed one may
// take to vanish before its end is reported all the same (a process in uninterruptible disk wait
// can take hours).
constexpr std::chrono::seconds kChildEndGrace{2};

// How a child's connection ended.
struct ProcessEnd {
  int exit_status = -1;    // -1: it was killed, or its status is not known
  int signal = 0;          // the signal that ended it, if one did
  std::string error_text;  // the last kChildErrorTextMax bytes of its stderr, raw
  std::string why;         // why this side ended it; empty if the child ended by itself
};

// A running child without its owner.
struct DetachedProcess {
  UniqueFd stdin_socket;
  UniqueFd stdout_pipe;
  UniqueFd stderr_pipe;
  UniqueFd pidfd;
};

class LineProcess {
 public:
  struct Handlers {
    // One line without its newline and without one '\r' before it. Any other byte may be in it. The
    // view ends with the call. A last line without a newline is dropped.
    std::function<void(std::string_view line)> on_line;
    std::function<void(const ProcessEnd&)> on_end;
  };

  // Runs argv[0], looked up in PATH, in a session of its own: a Ctrl-C at the caller's terminal
  // does not reach it. The io_context must outlive the result. Errors as ChildProcess::start, and
  // io.
  static Result<std::unique_ptr<LineProcess>> start(boost::asio::io_context& io,
                                                    const std::vector<std::string>& argv,
                                                    Handlers handlers);
  // One that another process has started and detached.
  static Result<std::unique_ptr<LineProcess>> adopt(boost::asio::io_context& io,
                                                    DetachedProcess process, Handlers handlers);
  LineProcess(const LineProcess&) = delete;
  LineProcess& operator=(const LineProcess&) = delete;
  ~LineProcess();  // as stop()

  // Lets go of the child, which runs on; nothing if it does not run, or if a line has come or gone
  // in part only. Afterwards as after stop().
  std::optional<DetachedProcess> detach();

  // Queues bytes for the child's stdin, in order. Dropped once the child has ended or does not read
  // any more; on_end tells. More than kChildQueueMax unread bytes end the connection.
  void write(std::string_view bytes);

  // Kills the child and its process group (SIGKILL) and reaps it in the background;
  // io_context::run() stays busy with that until the child is gone. The handlers are destroyed, not
  // called.
  void stop();

  // For messages only: after the end the number may be anybody's.
  [[nodiscard]] pid_t pid() const;

 private:
  class Impl;
  explicit LineProcess(std::shared_ptr<Impl> impl);
  static Result<std::unique_ptr<LineProcess>> begin(boost::asio::io_context& io, ChildProcess child,
                                                    ChildStreams streams, Handlers handlers);

  std::shared_ptr<Impl> impl_;
};

}  // namespace dexlock
