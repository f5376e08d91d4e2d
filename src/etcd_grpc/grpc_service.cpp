// The plugin: EtcdService over gRPC. Each endpoint is a channel of its own, so that the caller
// decides where a call goes. gRPC repeats nothing by itself.
//
// Threads: as EtcdService; one thread of its own hands out what has come.
#include <etcd.grpc.pb.h>
#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "etcd/service.hpp"
#include "etcd_grpc/change_stream.hpp"
#include "etcd_grpc/under_way.hpp"

namespace dexlock {
namespace {

namespace pb = etcdserverpb;
using Kind = EtcdTrouble::Kind;

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Kind kind_of(const grpc::Status& status) {
  const std::string text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::PERMISSION_DENIED:
      return Kind::denied;
    case grpc::StatusCode::UNAUTHENTICATED:
      return Kind::signed_out;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return says(text, "space") ? Kind::full : Kind::unknown;
    case grpc::StatusCode::INVALID_ARGUMENT:
      if (says(text, "auth revision")) {
        return Kind::signed_out;
      }
      return says(text, "user name") || says(text, "authentication failed") ? Kind::denied
                                                                            : Kind::refused;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return says(text, "authentication is not enabled") ? Kind::denied : Kind::refused;
    case grpc::StatusCode::NOT_FOUND:
      return says(text, "lease not found") ? Kind::no_lease : Kind::refused;
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::OUT_OF_RANGE:
      return Kind::refused;
    case grpc::StatusCode::UNAVAILABLE:
      return says(text, "CERTIFICATE_VERIFY") || says(text, "certificate verify failed")
                 ? Kind::untrusted
                 : Kind::unknown;
    default:
      return Kind::unknown;
  }
}

// What goes into a header must be printable.
bool is_header_text(const std::string& text) {
  constexpr std::size_t kHeaderBytesMax = 8192;
  return text.size() <= kHeaderBytesMax &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// One call under way. Deletes itself when it has been answered.
template <class Response>
class Call final : public Tag {
 public:
  using Answered = std::function<void(const grpc::Status&, Response&)>;
  Call(UnderWay& under_way, Answered answered)
      : under_way_(under_way), answered_(std::move(answered)) {}
  void done(bool) override {
    answered_(status, response);
    under_way_.remove(&context);
    delete this;
  }

  grpc::ClientContext context;
  grpc::Status status;
  Response response;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;

 private:
  UnderWay& under_way_;
  Answered answered_;
};

void fill(const EtcdRange& range, pb::RequestOp* op) {
  pb::RangeRequest* out = op->mutable_request_range();
  out->set_key(range.key);
  out->set_range_end(range.end);
  out->set_limit(range.limit);
  out->set_keys_only(range.keys_only);
}

pb::TxnRequest request_of(const EtcdTxn& txn) {
  pb::TxnRequest request;
  for (const EtcdCompare& compare : txn.compares) {
    pb::Compare* out = request.add_compare();
    out->set_target(pb::Compare::MOD);
    out->set_key(compare.key);
    out->set_range_end(compare.end);
    out->set_result(compare.end.empty() ? pb::Compare::EQUAL : pb::Compare::LESS);
    out->set_mod_revision(compare.end.empty() ? compare.revision : compare.revision + 1);
  }
  for (const EtcdPut& put : txn.puts) {
    pb::PutRequest* out = request.add_success()->mutable_request_put();
    out->set_key(put.key);
    out->set_value(put.value);
    out->set_lease(put.lease);
  }
  for (const EtcdDelete& one : txn.deletes) {
    pb::DeleteRangeRequest* out = request.add_success()->mutable_request_delete_range();
    out->set_key(one.key);
    out->set_range_end(one.end);
  }
  for (const EtcdRange& range : txn.ranges) {
    fill(range, request.add_success());
    fill(range, request.add_failure());
  }
  return request;
}

EtcdOutcome outcome_of(pb::TxnResponse& response) {
  EtcdOutcome outcome{.succeeded = response.succeeded(),
                      .cluster = response.header().cluster_id(),
                      .revision = response.header().revision(),
                      .ranges = {}};
  for (pb::ResponseOp& op : *response.mutable_responses()) {
    if (op.has_response_range()) {
      auto& kvs = outcome.ranges.emplace_back();
      for (pb::KeyValue& kv : *op.mutable_response_range()->mutable_kvs()) {
        kvs.push_back({std::move(*kv.mutable_key()), std::move(*kv.mutable_value()),
                       kv.mod_revision(), kv.create_revision()});
      }
    }
  }
  return outcome;
}

class GrpcService final : public EtcdService {
 public:
  explicit GrpcService(const Options& options) {
    gpr_set_log_function([](gpr_log_func_args*) {});  // what is wrong is told with each call
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // Signals are the program's, also in gRPC's threads.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    static const bool kept = [] {
      grpc_init();  // for the life of the process: to end it and begin anew costs threads
      return true;
    }();
    static_cast<void>(kept);
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (options.tls) {
      credentials = grpc::SslCredentials({.pem_root_certs = options.authority,
                                          .pem_private_key = options.key,
                                          .pem_cert_chain = options.certificate});
    }
    constexpr int kFirstBackoffMs = 50;
    constexpr int kBackoffMs = 1000;
    constexpr int kPingMs = 10000;  // etcd takes no more than one in 5 s
    constexpr int kPingWaitMs = 2000;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kBackoffMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kBackoffMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMs);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingWaitMs);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    for (const std::string& endpoint : options.endpoints) {
      channels_.push_back(grpc::CreateCustomChannel("dns:///" + endpoint, credentials, arguments));
    }
    thread_ = std::thread([this] { hand_out(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~GrpcService() override {
    under_way_.cancel_all();
    queue_.Shutdown();
    thread_.join();
  }

  void transact(std::size_t endpoint, const EtcdTxn& txn, std::chrono::milliseconds limit,
                EtcdHandler<EtcdOutcome> handler) override {
    auto* call = begin<pb::TxnResponse>(
        limit, token(), [handler = std::move(handler)](const auto& status, pb::TxnResponse& got) {
          status.ok() ? handler(outcome_of(got)) : handler(trouble(status));
        });
    pb::KV::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncTxn(&call->context, request_of(txn), &queue_));
  }

  void grant(std::size_t endpoint, std::int64_t id, std::int64_t seconds,
             std::chrono::milliseconds limit, EtcdHandler<std::int64_t> handler) override {
    auto* call = begin<pb::LeaseGrantResponse>(
        limit, token(),
        [id, handler = std::move(handler)](const auto& status, pb::LeaseGrantResponse& got) {
          if (!status.ok() && id != 0 && says(status.error_message(), "lease already exists")) {
            handler(id);
          } else if (!status.ok()) {
            handler(trouble(status));
          } else if (!got.error().empty()) {
            handler(std::unexpected(EtcdTrouble{Kind::refused, got.error()}));
          } else {
            handler(got.id());
          }
        });
    pb::LeaseGrantRequest request;
    request.set_ttl(seconds);
    request.set_id(id);
    pb::Lease::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncLeaseGrant(&call->context, request, &queue_));
  }

  void sign_in(std::size_t endpoint, const std::string& user, const std::string& password,
               std::chrono::milliseconds limit, EtcdHandler<bool> handler) override {
    auto* call = begin<pb::AuthenticateResponse>(
        limit, {},
        [this, handler = std::move(handler)](const auto& status, pb::AuthenticateResponse& got) {
          if (!status.ok()) {
            handler(trouble(status));
          } else if (got.token().empty() || !is_header_text(got.token())) {
            handler(std::unexpected(
                EtcdTrouble{Kind::refused, "its word for who has signed in cannot be sent"}));
          } else {
            {
              const std::scoped_lock lock(mutex_);
              signed_in_ = got.token();
            }
            handler(true);
          }
        });
    pb::AuthenticateRequest request;
    request.set_name(user);
    request.set_password(password);
    pb::Auth::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncAuthenticate(&call->context, request, &queue_));
  }

  void status(std::size_t endpoint, std::chrono::milliseconds limit,
              EtcdHandler<EtcdStatus> handler) override {
    auto* call = begin<pb::StatusResponse>(
        limit, token(),
        [handler = std::move(handler)](const auto& status, pb::StatusResponse& got) {
          if (!status.ok()) {
            handler(trouble(status));
            return;
          }
          handler(EtcdStatus{.version = got.version(),
                             .bytes = got.dbsize(),
                             .alarms = {got.errors().begin(), got.errors().end()}});
        });
    pb::Maintenance::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncStatus(&call->context, pb::StatusRequest(), &queue_));
  }

  std::unique_ptr<EtcdStream> open_stream(std::size_t endpoint,
                                          std::function<void(EtcdNews)> handler) override {
    auto stream = std::make_shared<ChangeStream>(under_way_, std::move(handler));
    stream->start(channels_.at(endpoint), queue_, token());
    return std::make_unique<StreamHandle>(std::move(stream));
  }

 private:
  static std::unexpected<EtcdTrouble> trouble(const grpc::Status& status) {
    return std::unexpected(EtcdTrouble{kind_of(status), status.error_message()});
  }

  [[nodiscard]] std::string token() {
    const std::scoped_lock lock(mutex_);
    return signed_in_;
  }

  // `token`: of who has signed in; empty: nobody.
  template <class Response>
  Call<Response>* begin(std::chrono::milliseconds limit, const std::string& token,
                        typename Call<Response>::Answered answered) {
    auto* call = new Call<Response>(under_way_, std::move(answered));
    call->context.set_deadline(std::chrono::system_clock::now() + limit);
    call->context.AddMetadata("hasleader", "true");  // else a follower alone would let it wait
    if (!token.empty()) {
      call->context.AddMetadata("token", token);
    }
    return call;
  }

  template <class Response>
  void start(Call<Response>* call,
             std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader) {
    under_way_.add(&call->context);
    call->reader = std::move(reader);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, static_cast<Tag*>(call));
  }

  void hand_out() {
    void* tag = nullptr;
    bool fine = false;
    while (queue_.Next(&tag, &fine)) {
      static_cast<Tag*>(tag)->done(fine);
    }
  }

  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  grpc::CompletionQueue queue_;
  UnderWay under_way_;
  std::mutex mutex_;
  std::string signed_in_;
  std::thread thread_;
};

}  // namespace
}  // namespace dexlock

extern "C" {

__attribute__((visibility("default"))) const char* dexlock_etcd_version() {
  return DEXLOCK_VERSION;
}

__attribute__((visibility("default"))) dexlock::EtcdService* dexlock_etcd_make(
    const dexlock::EtcdService::Options* options) {
  return new dexlock::GrpcService(*options);
}
}
