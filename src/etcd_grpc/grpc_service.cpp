// The plugin: EtcdService over gRPC. Each endpoint is a channel of its own, so that the caller
// decides where a call goes. gRPC repeats nothing by itself.
//
// Threads: as EtcdService; one thread of its own hands out what has come.
#include <etcd.grpc.pb.h>
#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "etcd/service.hpp"

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
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::NOT_FOUND:
      return Kind::refused;
    case grpc::StatusCode::UNAVAILABLE:
      return says(text, "andshake") || says(text, "CERTIFICATE") ? Kind::untrusted : Kind::unknown;
    default:
      return Kind::unknown;
  }
}

// One call under way. Deletes itself when it has been answered.
class Call {
 public:
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call() = default;
  virtual void done() = 0;

  grpc::ClientContext context;
  grpc::Status status;
};

template <class Response>
class CallOf final : public Call {
 public:
  using Answered = std::function<void(const grpc::Status&, Response&)>;
  explicit CallOf(Answered answered) : answered_(std::move(answered)) {}
  void done() override { answered_(status, response); }

  Response response;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader;

 private:
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
  for (const std::string& key : txn.deletes) {
    request.add_success()->mutable_request_delete_range()->set_key(key);
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
        kvs.push_back(
            {std::move(*kv.mutable_key()), std::move(*kv.mutable_value()), kv.mod_revision()});
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
    pthread_sigmask(SIG_SETMASK, &all,
                    &before);  // signals are the program's, also in gRPC's threads
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (options.tls) {
      credentials = grpc::SslCredentials({.pem_root_certs = options.authority,
                                          .pem_private_key = options.key,
                                          .pem_cert_chain = options.certificate});
    }
    constexpr int kFirstBackoffMs = 50;
    constexpr int kBackoffMs = 1000;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kBackoffMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kBackoffMs);
    for (const std::string& endpoint : options.endpoints) {
      channels_.push_back(grpc::CreateCustomChannel("dns:///" + endpoint, credentials, arguments));
    }
    thread_ = std::thread([this] { hand_out(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~GrpcService() override {
    {
      const std::scoped_lock lock(mutex_);
      for (Call* call : calls_) {
        call->context.TryCancel();
      }
    }
    queue_.Shutdown();
    thread_.join();
  }

  void transact(std::size_t endpoint, const EtcdTxn& txn, std::chrono::milliseconds limit,
                EtcdHandler<EtcdOutcome> handler) override {
    auto* call = begin<pb::TxnResponse>(
        limit, [handler = std::move(handler)](const grpc::Status& status, pb::TxnResponse& got) {
          status.ok() ? handler(outcome_of(got)) : handler(trouble(status));
        });
    pb::KV::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncTxn(&call->context, request_of(txn), &queue_));
  }

  void grant(std::size_t endpoint, std::int64_t seconds, std::chrono::milliseconds limit,
             EtcdHandler<std::int64_t> handler) override {
    auto* call = begin<pb::LeaseGrantResponse>(
        limit,
        [handler = std::move(handler)](const grpc::Status& status, pb::LeaseGrantResponse& got) {
          if (!status.ok()) {
            handler(trouble(status));
          } else if (!got.error().empty()) {
            handler(std::unexpected(EtcdTrouble{Kind::refused, got.error()}));
          } else {
            handler(got.id());
          }
        });
    pb::LeaseGrantRequest request;
    request.set_ttl(seconds);
    pb::Lease::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncLeaseGrant(&call->context, request, &queue_));
  }

  void sign_in(std::size_t endpoint, const std::string& user, const std::string& password,
               std::chrono::milliseconds limit, EtcdHandler<bool> handler) override {
    {
      const std::scoped_lock lock(mutex_);
      token_.clear();
    }
    auto* call = begin<pb::AuthenticateResponse>(
        limit, [this, handler = std::move(handler)](const grpc::Status& status,
                                                    pb::AuthenticateResponse& got) {
          if (!status.ok()) {
            handler(trouble(status));
            return;
          }
          {
            const std::scoped_lock lock(mutex_);
            token_ = got.token();
          }
          handler(true);
        });
    pb::AuthenticateRequest request;
    request.set_name(user);
    request.set_password(password);
    pb::Auth::Stub stub(channels_.at(endpoint));
    start(call, stub.PrepareAsyncAuthenticate(&call->context, request, &queue_));
  }

 private:
  static std::unexpected<EtcdTrouble> trouble(const grpc::Status& status) {
    return std::unexpected(EtcdTrouble{kind_of(status), status.error_message()});
  }

  template <class Response>
  CallOf<Response>* begin(std::chrono::milliseconds limit,
                          typename CallOf<Response>::Answered answered) {
    auto* call = new CallOf<Response>(std::move(answered));
    call->context.set_deadline(std::chrono::system_clock::now() + limit);
    const std::scoped_lock lock(mutex_);
    if (!token_.empty()) {
      call->context.AddMetadata("token", token_);
    }
    return call;
  }

  template <class Response>
  void start(CallOf<Response>* call,
             std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader) {
    call->reader = std::move(reader);
    call->reader->StartCall();
    const std::scoped_lock lock(mutex_);
    calls_.insert(call);
    call->reader->Finish(&call->response, &call->status, static_cast<Call*>(call));
  }

  void hand_out() {
    void* tag = nullptr;
    bool fine = false;
    while (queue_.Next(&tag, &fine)) {
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      {
        const std::scoped_lock lock(mutex_);
        calls_.erase(call.get());
      }
      call->done();
    }
  }

  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  grpc::CompletionQueue queue_;
  std::mutex mutex_;
  std::set<Call*> calls_;
  std::string token_;
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
