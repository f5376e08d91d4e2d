#include "server/status_thread.hpp"

namespace dexlock {

Result<std::unique_ptr<StatusThread>> StatusThread::open(const SocketAddress& address,
                                                         StatusBoard& board,
                                                         ServerStatus::Ask ask) {
  std::unique_ptr<StatusThread> made(new StatusThread(board, std::move(ask)));
  auto pages = HttpPages::open(made->loop_, address, made->status_.pages(), {});
  if (!pages) {
    return std::unexpected(pages.error());
  }
  made->pages_ = std::move(*pages);
  made->thread_ = std::thread([&loop = made->loop_] { loop.run(); });
  return made;
}

StatusThread::~StatusThread() {
  loop_.stop();
  if (thread_.joinable()) {
    thread_.join();
  }
}

}  // namespace dexlock
