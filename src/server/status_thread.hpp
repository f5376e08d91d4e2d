// The pages of a server on a thread and an event loop of their own: they answer while the loop of
// the server waits for its disk.
//
// Threads:     one may call; `ask` is called on the thread of the pages, and never after the end of
//              ~StatusThread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <thread>
#include <utility>

#include "server/server_status.hpp"

namespace dexlock {

class StatusThread {
 public:
  // `board` outlives it.
  //   bad_config  the address cannot be used
  static Result<std::unique_ptr<StatusThread>> open(const SocketAddress& address,
                                                    StatusBoard& board, ServerStatus::Ask ask);
  StatusThread(const StatusThread&) = delete;
  StatusThread& operator=(const StatusThread&) = delete;
  ~StatusThread();

  // Calls `told` with the status, on its thread.
  template <class Told>
  void tell(Told told) {
    boost::asio::post(loop_, [this, told = std::move(told)] { told(status_); });
  }

 private:
  StatusThread(StatusBoard& board, ServerStatus::Ask ask) : status_(loop_, board, std::move(ask)) {}

  boost::asio::io_context loop_{1};
  ServerStatus status_;  // with pages_: touched by the thread only, once that runs
  std::unique_ptr<HttpPages> pages_;
  std::thread thread_;
};

}  // namespace dexlock
