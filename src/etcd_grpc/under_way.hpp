// What gRPC has under way for us, and how it ends.
//
// Threads: any.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <mutex>
#include <set>

namespace dexlock {

// Something under way; the queue of what has come names it.
class Tag {
 public:
  Tag() = default;
  Tag(const Tag&) = delete;
  Tag& operator=(const Tag&) = delete;
  virtual ~Tag() = default;
  virtual void done(bool fine) = 0;  // may end it
};

// What has a context that can be cancelled, all of it until its end; then one is told.
class UnderWay {
 public:
  void add(grpc::ClientContext* context) {
    const std::scoped_lock lock(mutex_);
    contexts_.insert(context);
  }
  void remove(grpc::ClientContext* context) {
    const std::scoped_lock lock(mutex_);
    contexts_.erase(context);
    changed_.notify_all();
  }
  void cancel_all() {
    std::unique_lock lock(mutex_);
    for (grpc::ClientContext* context : contexts_) {
      context->TryCancel();
    }
    changed_.wait(lock, [this] { return contexts_.empty(); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<grpc::ClientContext*> contexts_;
};

}  // namespace dexlock
