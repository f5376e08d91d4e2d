#include "cli/log_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "cli/command_line.hpp"

namespace dexlock {
namespace {

void write_log(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EAGAIN) {
      pollfd waiting{.fd = fd, .events = POLLOUT, .revents = 0};
      ::poll(&waiting, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      return;  // nobody reads it any more
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
}

}  // namespace

struct LogWriter::Queue {
  const int fd;
  const std::size_t bytes_max;
  std::mutex mutex;
  std::condition_variable changed;
  std::string lines;  // with all below: guarded by mutex
  std::size_t dropped = 0;
  bool closed = false;
  bool ended = false;

  void write_all() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return closed || !lines.empty(); });
      if (lines.empty()) {
        break;
      }
      std::string text = std::exchange(lines, {});
      if (const std::size_t missing = std::exchange(dropped, 0); missing > 0) {
        text += complaint("the log is read too slowly: " + std::to_string(missing) +
                          " lines were dropped here");
      }
      lock.unlock();
      write_log(fd, text);
      lock.lock();
    }
    ended = true;
    changed.notify_all();
  }
};

LogWriter::LogWriter(int fd, std::size_t bytes_max) : queue_(new Queue{fd, bytes_max}) {
  std::thread([queue = queue_] { queue->write_all(); }).detach();
}

LogWriter::~LogWriter() {
  std::unique_lock lock(queue_->mutex);
  queue_->closed = true;
  queue_->changed.notify_all();
  queue_->changed.wait_for(lock, kLogEndLimit, [&] { return queue_->ended; });
}

void LogWriter::put(const std::string& text) {
  const std::string line = complaint(text);
  const std::scoped_lock lock(queue_->mutex);
  if (queue_->lines.size() + line.size() > queue_->bytes_max || queue_->dropped > 0) {
    ++queue_->dropped;
    return;
  }
  queue_->lines += line;
  queue_->changed.notify_all();
}

}  // namespace dexlock
