#include "transport/line_process.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <tuple>
#include <utility>

#include "transport/child_process.hpp"

namespace dexlock {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kReadChunk = 16 * 1024;
// Read from one stream before other work of the io_context gets its turn.
constexpr std::size_t kReadTurn = 64 * 1024;
// Read after the child's end: all a pipe can hold, and no more, for a descendant may still be
// writing.
constexpr std::size_t kReadRest = 1024 * 1024;

static_assert(kReadChunk <= kReadTurn && kReadTurn <= kReadRest);

enum class ReadEnd { again, closed };

std::unexpected<Error> cannot_watch(const error_code& ec) {
  return fail(Errc::io, fmt::format("cannot watch a child process: {}; free memory, descriptors or "
                                    "epoll watches (fs.epoll.max_user_watches)",
                                    ec.message()));
}

}  // namespace

// Kept alive by its pending operations, so that it can reap its child after the LineProcess is
// gone.
class LineProcess::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, ChildProcess child, Handlers handlers)
      : child_(std::move(child)),
        handlers_(std::move(handlers)),
        in_(io),
        out_(io),
        err_(io),
        exit_watch_(io),
        grace_(io) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { release_exit_watch(); }

  Result<void> begin(ChildStreams streams);
  void write(std::string_view bytes);
  void stop();
  std::optional<DetachedProcess> detach();
  [[nodiscard]] pid_t pid() const { return child_.pid(); }

 private:
  // running: lines are delivered. killed: this side ended it, the child's end is awaited. over:
  // on_end was called, or stop(); only reaping is left.
  enum class State { running, killed, over };

  void wait_output();
  void wait_error_text();
  void wait_exit();
  void on_output_ready(const error_code& ec);
  void on_error_text_ready(const error_code& ec);
  void on_exit_ready(const error_code& ec);
  void on_grace_over();

  template <class Take>
  ReadEnd read_some(asio::posix::stream_descriptor& from, std::size_t budget, Take take);
  ReadEnd read_lines(std::size_t budget);
  ReadEnd read_error_text(std::size_t budget);
  void take_lines(std::string_view bytes);
  void deliver(std::string_view line);

  void send_queued();
  void expect_end(std::string_view why);
  void end_with(std::string why);
  void start_grace();
  void finish(const ChildStatus& status);
  void close_streams();
  void release_exit_watch();

  ChildProcess child_;
  Handlers handlers_;
  asio::local::stream_protocol::socket in_;
  asio::posix::stream_descriptor out_;
  asio::posix::stream_descriptor err_;
  asio::posix::stream_descriptor exit_watch_;  // borrows the descriptor from child_
  asio::steady_timer grace_;

  State state_ = State::running;
  bool in_on_line_ = false;
  bool grace_started_ = false;
  bool sending_now_ = false;
  bool reads_input_ = true;
  std::string partial_;  // the beginning of a line
  std::string queued_;
  std::string sending_;  // stays put while an operation reads from it
  std::string error_text_;
  std::string why_;
};

Result<void> LineProcess::Impl::begin(ChildStreams streams) {
  // A descriptor is handed over only when its assign succeeded.
  error_code ec;
  in_.assign(asio::local::stream_protocol(), streams.stdin_socket.get(), ec);
  if (!ec) {
    std::ignore = streams.stdin_socket.release();
    out_.assign(streams.stdout_pipe.get(), ec);
  }
  if (!ec) {
    std::ignore = streams.stdout_pipe.release();
    err_.assign(streams.stderr_pipe.get(), ec);
  }
  if (!ec) {
    std::ignore = streams.stderr_pipe.release();
    exit_watch_.assign(child_.pidfd(), ec);
  }
  if (ec) {
    return cannot_watch(ec);
  }
  wait_output();
  wait_error_text();
  wait_exit();
  return {};
}

// Only readiness is asked for; the reads are ours. An operation that reads by itself may complete
// into its buffer and wait in the handler queue while the child's end is handled: lines would swap
// places.
void LineProcess::Impl::wait_output() {
  out_.async_wait(asio::posix::descriptor_base::wait_read,
                  [self = shared_from_this()](const error_code& ec) { self->on_output_ready(ec); });
}

void LineProcess::Impl::wait_error_text() {
  err_.async_wait(
      asio::posix::descriptor_base::wait_read,
      [self = shared_from_this()](const error_code& ec) { self->on_error_text_ready(ec); });
}

void LineProcess::Impl::wait_exit() {
  exit_watch_.async_wait(
      asio::posix::descriptor_base::wait_read,
      [self = shared_from_this()](const error_code& ec) { self->on_exit_ready(ec); });
}

void LineProcess::Impl::on_output_ready(const error_code& ec) {
  if (state_ != State::running || !out_.is_open()) {
    return;
  }
  if (ec) {
    end_with(fmt::format("its output cannot be watched: {}", ec.message()));
    return;
  }
  const ReadEnd end = read_lines(kReadTurn);
  if (state_ != State::running) {
    return;
  }
  if (end == ReadEnd::again) {
    wait_output();
    return;
  }
  error_code ignored;
  out_.close(ignored);
  expect_end("it closed its output but went on running");
}

void LineProcess::Impl::on_error_text_ready(const error_code& ec) {
  if (state_ == State::over || !err_.is_open()) {
    return;
  }
  if (!ec && read_error_text(kReadTurn) == ReadEnd::again) {
    wait_error_text();
    return;
  }
  error_code ignored;
  err_.close(ignored);
}

void LineProcess::Impl::on_exit_ready(const error_code& ec) {
  if (!exit_watch_.is_open()) {
    return;
  }
  if (ec) {
    // Cannot be watched any more: the destructor of child_ sees to the reaping.
    why_ = why_.empty() ? fmt::format("its end cannot be watched: {}", ec.message()) : why_;
    child_.kill_group();
    finish(ChildStatus{});
    return;
  }
  // Before the reaping, while the number of the group is still certainly ours.
  child_.kill_group();
  const auto status = child_.reap();
  if (!status) {
    wait_exit();
    return;
  }
  release_exit_watch();
  if (state_ == State::running && out_.is_open()) {
    read_lines(kReadRest);
  }
  if (state_ != State::over && err_.is_open()) {
    read_error_text(kReadRest);
  }
  finish(*status);
}

// `take` gets what was read until the budget is used up, nothing is left for now, or the state
// changes.
template <class Take>
ReadEnd LineProcess::Impl::read_some(asio::posix::stream_descriptor& from, std::size_t budget,
                                     Take take) {
  std::array<char, kReadChunk> chunk{};
  const State before = state_;
  while (budget > 0 && state_ == before) {
    const ssize_t got = ::read(from.native_handle(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return ReadEnd::again;
    }
    if (got <= 0) {
      return ReadEnd::closed;
    }
    const auto size = static_cast<std::size_t>(got);
    take(std::string_view(chunk.data(), size));
    if (size < chunk.size()) {
      return ReadEnd::again;  // a short read has emptied the pipe; spares a second system call
    }
    budget -= std::min(budget, size);
  }
  return ReadEnd::again;
}

ReadEnd LineProcess::Impl::read_lines(std::size_t budget) {
  return read_some(out_, budget, [this](std::string_view bytes) { take_lines(bytes); });
}

ReadEnd LineProcess::Impl::read_error_text(std::size_t budget) {
  return read_some(err_, budget, [this](std::string_view bytes) {
    error_text_.append(bytes);
    if (error_text_.size() > kChildErrorTextMax) {
      error_text_.erase(0, error_text_.size() - kChildErrorTextMax);
    }
  });
}

void LineProcess::Impl::take_lines(std::string_view bytes) {
  while (!bytes.empty() && state_ == State::running) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view part = bytes.substr(0, newline);
    if (partial_.size() + part.size() > kChildLineMax) {
      end_with(fmt::format("line too long: more than {} bytes without a newline", kChildLineMax));
      return;
    }
    if (newline == std::string_view::npos) {
      partial_.append(part);
      return;
    }
    bytes.remove_prefix(newline + 1);
    if (partial_.empty()) {
      deliver(part);
    } else {
      partial_.append(part);
      deliver(std::exchange(partial_, {}));
    }
  }
}

void LineProcess::Impl::deliver(std::string_view line) {
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  if (!handlers_.on_line) {
    return;
  }
  in_on_line_ = true;
  handlers_.on_line(line);
  in_on_line_ = false;
  if (state_ == State::over) {
    handlers_ = {};  // stop() came from inside; a function must not be destroyed while it runs
  }
}

void LineProcess::Impl::write(std::string_view bytes) {
  if (state_ != State::running || !reads_input_ || bytes.empty()) {
    return;
  }
  const std::size_t waiting = queued_.size() + (sending_now_ ? sending_.size() : 0);
  if (bytes.size() > kChildQueueMax - std::min(waiting, kChildQueueMax)) {
    end_with(
        fmt::format("it does not read: more than {} bytes are waiting for it", kChildQueueMax));
    return;
  }
  queued_.append(bytes);
  if (!sending_now_) {
    send_queued();
  }
}

void LineProcess::Impl::send_queued() {
  sending_now_ = true;
  sending_.swap(queued_);
  queued_.clear();
  // Asio sends on sockets with MSG_NOSIGNAL.
  asio::async_write(in_, asio::buffer(sending_),
                    [self = shared_from_this()](const error_code& ec, std::size_t) {
                      self->sending_now_ = false;
                      if (self->state_ != State::running) {
                        return;
                      }
                      if (ec) {
                        self->reads_input_ = false;
                        self->queued_.clear();
                        self->expect_end("it closed its input but went on running");
                      } else if (!self->queued_.empty()) {
                        self->send_queued();
                      }
                    });
}

// A child that closes a stream is about to end, most likely: its own status says more than our
// SIGKILL.
void LineProcess::Impl::expect_end(std::string_view why) {
  if (!grace_started_) {
    why_ = why;
    start_grace();
  }
}

void LineProcess::Impl::end_with(std::string why) {
  if (state_ != State::running) {
    return;
  }
  state_ = State::killed;
  why_ = std::move(why);
  error_code ignored;
  in_.close(ignored);
  out_.close(ignored);
  child_.kill_group();
  start_grace();
}

void LineProcess::Impl::start_grace() {
  grace_started_ = true;
  grace_.expires_after(kChildEndGrace);
  grace_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (!ec) {
      self->on_grace_over();
    }
  });
}

void LineProcess::Impl::on_grace_over() {
  if (state_ == State::running) {
    end_with(why_);
  } else if (state_ == State::killed) {
    finish(ChildStatus{});  // the wait for its exit stays, to reap it
  }
}

void LineProcess::Impl::finish(const ChildStatus& status) {
  if (state_ == State::over) {
    return;
  }
  const bool ended_by_us = state_ == State::killed;
  state_ = State::over;
  close_streams();
  ProcessEnd end{.exit_status = status.exit_status,
                 .signal = status.signal,
                 .error_text = std::move(error_text_),
                 .why = {}};
  if (ended_by_us || (status.exit_status < 0 && status.signal == 0)) {
    end.why = std::move(why_);
  }
  const Handlers handlers = std::exchange(handlers_, {});
  if (handlers.on_end) {
    handlers.on_end(end);
  }
}

void LineProcess::Impl::stop() {
  if (state_ == State::over) {
    return;
  }
  state_ = State::over;
  close_streams();
  child_.kill_group();
  if (child_.reap()) {
    release_exit_watch();
  }
  if (!in_on_line_) {
    handlers_ = {};
  }
}

std::optional<DetachedProcess> LineProcess::Impl::detach() {
  const bool whole = state_ == State::running && !grace_started_ && !sending_now_ &&
                     queued_.empty() && partial_.empty() && in_.is_open() && out_.is_open() &&
                     err_.is_open();
  if (!whole) {
    return std::nullopt;
  }
  state_ = State::over;
  release_exit_watch();
  error_code ec;
  DetachedProcess process{.stdin_socket = UniqueFd(in_.release(ec)),
                          .stdout_pipe = UniqueFd(out_.release()),
                          .stderr_pipe = UniqueFd(err_.release()),
                          .pidfd = child_.let_go()};
  handlers_ = {};
  return process;
}

void LineProcess::Impl::close_streams() {
  error_code ignored;
  in_.close(ignored);
  out_.close(ignored);
  err_.close(ignored);
  grace_.cancel();
  partial_.clear();
  queued_.clear();
}

void LineProcess::Impl::release_exit_watch() {
  if (exit_watch_.is_open()) {
    exit_watch_.release();  // ends the waiting; the descriptor goes with child_
  }
}

LineProcess::LineProcess(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

LineProcess::~LineProcess() { stop(); }

Result<std::unique_ptr<LineProcess>> LineProcess::start(asio::io_context& io,
                                                        const std::vector<std::string>& argv,
                                                        Handlers handlers) {
  auto started = ChildProcess::start(argv);
  if (!started) {
    return std::unexpected(std::move(started.error()));
  }
  return begin(io, std::move(started->child), std::move(started->streams), std::move(handlers));
}

Result<std::unique_ptr<LineProcess>> LineProcess::begin(asio::io_context& io, ChildProcess child,
                                                        ChildStreams streams, Handlers handlers) {
  try {
    auto impl = std::make_shared<Impl>(io, std::move(child), std::move(handlers));
    if (auto begun = impl->begin(std::move(streams)); !begun) {
      return std::unexpected(std::move(begun.error()));
    }
    return std::unique_ptr<LineProcess>(new LineProcess(std::move(impl)));
  } catch (const boost::system::system_error& error) {
    // The first object of an io_context opens its epoll descriptor, and throws if it cannot.
    return cannot_watch(error.code());
  }
}

Result<std::unique_ptr<LineProcess>> LineProcess::adopt(asio::io_context& io,
                                                        DetachedProcess process,
                                                        Handlers handlers) {
  return begin(io, ChildProcess::adopted(std::move(process.pidfd)),
               ChildStreams{std::move(process.stdin_socket), std::move(process.stdout_pipe),
                            std::move(process.stderr_pipe)},
               std::move(handlers));
}

std::optional<DetachedProcess> LineProcess::detach() { return impl_->detach(); }

void LineProcess::write(std::string_view bytes) { impl_->write(bytes); }

void LineProcess::stop() {
  const auto keep = impl_;  // destroying the handlers may destroy this object
  keep->stop();
}

pid_t LineProcess::pid() const { return impl_->pid(); }

}  // namespace dexlock
