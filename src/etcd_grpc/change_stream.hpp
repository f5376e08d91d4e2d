// A stream of changes of etcd's Watch service.
//
// Threads: the caller's, and the one that hands out what has come.
#pragma once

#include <etcd.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "etcd/service.hpp"
#include "etcd_grpc/under_way.hpp"

namespace dexlock {

// A stream of changes: one read and one write under way at a time. Ends by itself when etcd ends
// it, or is told to by stop(); lives until what is under way has come back.
class ChangeStream : public std::enable_shared_from_this<ChangeStream> {
 public:
  ChangeStream(UnderWay& under_way, std::function<void(EtcdNews)> handler)
      : under_way_(under_way), handler_(std::move(handler)) {}

  void start(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue& queue,
             const std::string& token) {
    self_ = shared_from_this();
    context_.AddMetadata("hasleader", "true");  // else a follower alone would be silent
    if (!token.empty()) {
      context_.AddMetadata("token", token);
    }
    stub_ = etcdserverpb::Watch::NewStub(channel);
    under_way_.add(&context_);
    stream_ = stub_->PrepareAsyncWatch(&context_, &queue);
    stream_->StartCall(as_tag(started_));
  }

  void send(etcdserverpb::WatchRequest request) {
    const std::scoped_lock lock(mutex_);
    requests_.push_back(std::move(request));
    write();
  }

  void stop() {
    const std::scoped_lock lock(mutex_);
    handler_ = nullptr;
    context_.TryCancel();
  }

 private:
  static void* as_tag(Tag& tag) { return &tag; }

  using Step = void (ChangeStream::*)(bool);
  class StepTag final : public Tag {
   public:
    StepTag(ChangeStream& stream, Step step) : stream_(stream), step_(step) {}
    void done(bool fine) override { (stream_.*step_)(fine); }

   private:
    ChangeStream& stream_;
    Step step_;
  };

  void on_started(bool fine) {
    const std::scoped_lock lock(mutex_);
    open_ = fine;
    if (fine) {
      stream_->Read(&response_, as_tag(read_));
      write();
    } else {
      end();
    }
  }

  void on_read(bool fine) {
    const std::scoped_lock lock(mutex_);
    if (!fine) {
      open_ = false;
      if (!writing_) {
        end();
      }
      return;
    }
    if (const auto kind = kind_of_news(); kind && handler_) {
      const int events = response_.events_size();
      handler_({*kind, response_.watch_id(),
                events > 0 ? response_.events(events - 1).kv().value() : std::string()});
    }
    stream_->Read(&response_, as_tag(read_));
  }

  void on_written(bool fine) {
    const std::scoped_lock lock(mutex_);
    writing_ = false;
    if (!open_) {
      end();
    } else if (fine) {
      write();
    }
  }

  void on_finished(bool) {
    const auto last = std::exchange(self_, nullptr);
    {
      const std::scoped_lock lock(mutex_);
      if (handler_) {
        handler_({EtcdNews::Kind::over, 0, {}});
      }
    }
    under_way_.remove(&context_);
  }

  // With mutex_.
  void write() {
    if (open_ && !writing_ && !requests_.empty()) {
      writing_ = true;
      sent_ = std::move(requests_.front());
      requests_.pop_front();
      stream_->Write(sent_, as_tag(written_));
    }
  }
  void end() { stream_->Finish(&status_, as_tag(finished_)); }
  [[nodiscard]] std::optional<EtcdNews::Kind> kind_of_news() {
    if (response_.canceled()) {
      if (response_.compact_revision() > 0) {
        return EtcdNews::Kind::missed;
      }
      if (!response_.cancel_reason().empty()) {  // not permitted, or the user has been signed out
        context_.TryCancel();
      }
      return std::nullopt;
    }
    if (response_.created()) {
      return EtcdNews::Kind::watching;
    }
    return response_.events().empty() ? std::nullopt : std::optional(EtcdNews::Kind::changed);
  }

  UnderWay& under_way_;
  std::mutex mutex_;
  std::function<void(EtcdNews)> handler_;  // none: nobody listens any more
  std::shared_ptr<ChangeStream> self_;     // while something is under way
  grpc::ClientContext context_;
  std::unique_ptr<etcdserverpb::Watch::Stub> stub_;
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<etcdserverpb::WatchRequest, etcdserverpb::WatchResponse>>
      stream_;
  std::deque<etcdserverpb::WatchRequest> requests_;
  etcdserverpb::WatchRequest sent_;
  etcdserverpb::WatchResponse response_;
  grpc::Status status_;
  bool open_ = false;
  bool writing_ = false;
  StepTag started_{*this, &ChangeStream::on_started};
  StepTag read_{*this, &ChangeStream::on_read};
  StepTag written_{*this, &ChangeStream::on_written};
  StepTag finished_{*this, &ChangeStream::on_finished};
};

class StreamHandle final : public EtcdStream {
 public:
  explicit StreamHandle(std::shared_ptr<ChangeStream> stream) : stream_(std::move(stream)) {}
  ~StreamHandle() override { stream_->stop(); }

  void watch(std::int64_t id, const std::string& key) override {
    etcdserverpb::WatchRequest request;
    request.mutable_create_request()->set_key(key);
    request.mutable_create_request()->set_watch_id(id);
    stream_->send(std::move(request));
  }

  void unwatch(std::int64_t id) override {
    etcdserverpb::WatchRequest request;
    request.mutable_cancel_request()->set_watch_id(id);
    stream_->send(std::move(request));
  }

 private:
  std::shared_ptr<ChangeStream> stream_;
};

}  // namespace dexlock
