#include "etcd_grpc/etcd_stream.hpp"

#include <etcd.pb.h>

#include <boost/asio/post.hpp>
#include <mutex>
#include <optional>
#include <utility>

namespace dexlock {
namespace {

namespace pb = etcdserverpb;

struct Core {
  std::mutex mutex;
  std::function<void(EtcdNews)> handler;  // none: nobody listens any more
  GrpcChannel::Started started;

  void tell(EtcdNews news) {
    const std::scoped_lock lock(mutex);
    if (handler) {
      handler(news);
    }
  }

  void over() {
    tell({EtcdNews::Kind::over});
    const std::scoped_lock lock(mutex);
    handler = nullptr;
  }

  void on_message(std::string_view message) {
    pb::WatchResponse response;
    if (!response.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return;
    }
    if (response.canceled() && response.compact_revision() > 0) {
      tell({EtcdNews::Kind::missed, response.watch_id()});
    } else if (response.canceled() && !response.cancel_reason().empty()) {
      GrpcChannel::cancel(started);  // not permitted, or the user has been signed out
      over();
    } else if (response.created()) {
      tell({EtcdNews::Kind::watching, response.watch_id()});
    } else if (response.events_size() > 0) {
      const pb::Event& last = response.events(response.events_size() - 1);
      tell({EtcdNews::Kind::changed, response.watch_id(), last.kv().value(),
            last.kv().mod_revision(), response.header().cluster_id()});
    }
  }
};

class GrpcStream final : public EtcdStream {
 public:
  GrpcStream(boost::asio::io_context& loop, std::shared_ptr<Core> core)
      : loop_(loop), core_(std::move(core)) {}
  ~GrpcStream() override {
    {
      const std::scoped_lock lock(core_->mutex);
      core_->handler = nullptr;
    }
    boost::asio::post(loop_, [core = core_] { GrpcChannel::cancel(core->started); });
  }

  void watch(std::int64_t id, const std::string& key, std::int64_t from) override {
    pb::WatchRequest request;
    request.mutable_create_request()->set_start_revision(from);
    request.mutable_create_request()->set_key(key);
    request.mutable_create_request()->set_watch_id(id);
    send(request);
  }

  void unwatch(std::int64_t id) override {
    pb::WatchRequest request;
    request.mutable_cancel_request()->set_watch_id(id);
    send(request);
  }

 private:
  void send(const pb::WatchRequest& request) {
    boost::asio::post(loop_, [core = core_, message = request.SerializeAsString()] {
      GrpcChannel::send(core->started, message);
    });
  }

  boost::asio::io_context& loop_;
  std::shared_ptr<Core> core_;
};

}  // namespace

std::unique_ptr<EtcdStream> open_etcd_stream(
    boost::asio::io_context& loop, GrpcChannel& channel,
    std::function<std::map<std::string, std::string>()> fields,
    std::function<void(EtcdNews)> handler) {
  auto core = std::make_shared<Core>();
  core->handler = std::move(handler);
  boost::asio::post(loop, [core, &channel, fields = std::move(fields)] {
    core->started = channel.start(
        {.method = "/etcdserverpb.Watch/Watch", .message = {}, .fields = fields(), .limit_ms = 0},
        {.on_message = [core](std::string_view message) { core->on_message(message); },
         .on_end = [core](const GrpcStatus&) { core->over(); }});
  });
  return std::make_unique<GrpcStream>(loop, core);
}

}  // namespace dexlock
