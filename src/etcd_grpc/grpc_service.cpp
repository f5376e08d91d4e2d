// The plugin: EtcdService over gRPC. Each endpoint is a channel of its own, so that the caller
// decides where a call goes.
//
// Threads: as EtcdService; one thread of its own runs all channels.
#include <etcd.pb.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "etcd/service.hpp"
#include "etcd_grpc/etcd_stream.hpp"
#include "etcd_grpc/grpc_channel.hpp"

namespace dexlock {
namespace {

namespace pb = etcdserverpb;
using Kind = EtcdTrouble::Kind;

bool says(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Kind kind_of(const GrpcStatus& status) {
  switch (status.code) {
    case GrpcCode::permission_denied:
      return Kind::denied;
    case GrpcCode::unauthenticated:
      return Kind::signed_out;
    case GrpcCode::resource_exhausted:
      return says(status.text, "space") ? Kind::full : Kind::unknown;
    case GrpcCode::invalid_argument:
      if (says(status.text, "auth revision")) {
        return Kind::signed_out;
      }
      return says(status.text, "user name") || says(status.text, "authentication failed")
                 ? Kind::denied
                 : Kind::refused;
    case GrpcCode::failed_precondition:
      return says(status.text, "authentication is not enabled") ? Kind::denied : Kind::refused;
    case GrpcCode::not_found:
      return says(status.text, "lease not found") ? Kind::no_lease : Kind::refused;
    case GrpcCode::unimplemented:
    case GrpcCode::out_of_range:
      return Kind::refused;
    case GrpcCode::unavailable:
      return says(status.text, "CERTIFICATE_VERIFY") ? Kind::untrusted : Kind::unknown;
    default:
      return Kind::unknown;
  }
}

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
    out->set_key(compare.key);
    if (compare.present) {
      out->set_target(pb::Compare::CREATE);
      out->set_result(pb::Compare::GREATER);
      out->set_create_revision(0);
      continue;
    }
    out->set_target(pb::Compare::MOD);
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
  }
  for (const EtcdRange& range : txn.else_ranges.empty() ? txn.ranges : txn.else_ranges) {
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

// PEM to what a connection needs; the error says which of them cannot be used.
std::expected<GrpcTls, std::string> make_tls(const EtcdService::Options& options) {
  namespace ssl = boost::asio::ssl;
  const auto tls = std::make_shared<ssl::context>(ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  // Nobody is there to be asked for a passphrase.
  SSL_CTX_set_default_passwd_cb(tls->native_handle(), [](char*, int, int, void*) { return -1; });
  boost::system::error_code ec;
  tls->set_verify_mode(ssl::verify_peer, ec);
  tls->add_certificate_authority(boost::asio::buffer(options.authority), ec);
  if (ec) {
    return std::unexpected("the authority's certificate cannot be used: " + ec.message());
  }
  if (!options.certificate.empty()) {
    tls->use_certificate_chain(boost::asio::buffer(options.certificate), ec);
    if (!ec) {
      tls->use_private_key(boost::asio::buffer(options.key), ssl::context::pem, ec);
    }
    if (ec) {
      return std::unexpected("the certificate and its key cannot be used: " + ec.message());
    }
  }
  return tls;
}

class GrpcService final : public EtcdService {
 public:
  explicit GrpcService(const Options& options) {
    GrpcTls tls;
    if (options.tls) {
      auto made = make_tls(options);
      tls = made.value_or(nullptr);
      unusable_ = made ? "" : made.error();
    }
    for (const std::string& endpoint : options.endpoints) {
      channels_.push_back(std::make_unique<GrpcChannel>(loop_, endpoint, tls));
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the program's
    thread_ = std::thread([this] {
      const auto open = boost::asio::make_work_guard(loop_);
      loop_.run();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~GrpcService() override {
    loop_.stop();
    thread_.join();
  }

  void transact(std::size_t endpoint, const EtcdTxn& txn, std::chrono::milliseconds limit,
                EtcdHandler<EtcdOutcome> handler) override {
    call<pb::TxnResponse, EtcdOutcome>(endpoint, "/etcdserverpb.KV/Txn", request_of(txn), limit,
                                       std::move(handler), outcome_of);
  }

  void grant(std::size_t endpoint, std::int64_t id, std::int64_t seconds,
             std::chrono::milliseconds limit, EtcdHandler<std::int64_t> handler) override {
    pb::LeaseGrantRequest request;
    request.set_ttl(seconds);
    request.set_id(id);
    call<pb::LeaseGrantResponse, std::int64_t>(
        endpoint, "/etcdserverpb.Lease/LeaseGrant", request, limit,
        [id, handler = std::move(handler)](std::expected<std::int64_t, EtcdTrouble> got) {
          const bool is_there = !got && id != 0 && says(got.error().text, "lease already exists");
          handler(is_there ? id : std::move(got));
        },
        [](pb::LeaseGrantResponse& got) -> std::expected<std::int64_t, EtcdTrouble> {
          if (!got.error().empty()) {
            return std::unexpected(EtcdTrouble{Kind::refused, got.error()});
          }
          return got.id();
        });
  }

  void sign_in(std::size_t endpoint, const std::string& user, const std::string& password,
               std::chrono::milliseconds limit, EtcdHandler<bool> handler) override {
    pb::AuthenticateRequest request;
    request.set_name(user);
    request.set_password(password);
    boost::asio::post(loop_, [this] { fields_.erase("token"); });
    call<pb::AuthenticateResponse, bool>(
        endpoint, "/etcdserverpb.Auth/Authenticate", request, limit, std::move(handler),
        [this](pb::AuthenticateResponse& got) -> std::expected<bool, EtcdTrouble> {
          if (got.token().empty() || !GrpcSession::is_field_value(got.token())) {
            return std::unexpected(
                EtcdTrouble{Kind::refused, "its word for who has signed in cannot be sent"});
          }
          fields_["token"] = got.token();
          return true;
        });
  }

  void status(std::size_t endpoint, std::chrono::milliseconds limit,
              EtcdHandler<EtcdStatus> handler) override {
    call<pb::StatusResponse, EtcdStatus>(
        endpoint, "/etcdserverpb.Maintenance/Status", pb::StatusRequest(), limit,
        std::move(handler), [](pb::StatusResponse& got) {
          return EtcdStatus{.version = got.version(),
                            .bytes = got.dbsize(),
                            .alarms = {got.errors().begin(), got.errors().end()},
                            .cluster = got.header().cluster_id()};
        });
  }

  std::unique_ptr<EtcdStream> open_stream(std::size_t endpoint,
                                          std::function<void(EtcdNews)> handler) override {
    return open_etcd_stream(
        loop_, *channels_.at(endpoint), [this] { return fields_; }, std::move(handler));
  }

 private:
  // `result`: of what was answered, on the service's thread.
  template <class Response, class T>
  void call(std::size_t endpoint, const char* method, const google::protobuf::MessageLite& request,
            std::chrono::milliseconds limit, EtcdHandler<T> handler,
            std::function<std::expected<T, EtcdTrouble>(Response&)> result) {
    boost::asio::post(loop_, [this, endpoint,
                              call = GrpcCall{.method = method,
                                              .message = request.SerializeAsString(),
                                              .fields = {},
                                              .limit_ms = std::max<std::int64_t>(limit.count(), 1)},
                              handler = std::move(handler), result = std::move(result)]() mutable {
      if (!unusable_.empty()) {
        handler(std::unexpected(EtcdTrouble{Kind::untrusted, unusable_}));
        return;
      }
      call.fields = fields_;
      const auto answer = std::make_shared<std::optional<Response>>();
      channels_.at(endpoint)->start(
          call, {.on_message =
                     [answer](std::string_view message) {
                       const auto size = static_cast<int>(message.size());
                       if (!answer->emplace().ParseFromArray(message.data(), size)) {
                         answer->reset();
                       }
                     },
                 .on_end =
                     [answer, handler = std::move(handler),
                      result = std::move(result)](const GrpcStatus& status) {
                       if (status.code != GrpcCode::ok) {
                         handler(std::unexpected(EtcdTrouble{kind_of(status), status.text}));
                       } else if (!*answer) {
                         handler(std::unexpected(
                             EtcdTrouble{Kind::unknown, "its answer cannot be understood"}));
                       } else {
                         handler(result(**answer));
                       }
                     }});
    });
  }

  boost::asio::io_context loop_{1};
  std::vector<std::unique_ptr<GrpcChannel>> channels_;
  std::map<std::string, std::string> fields_{
      // of each header; the thread's
      {"hasleader", "true"}};  // else a follower alone would let it wait
  std::string unusable_;       // why nothing can be asked
  std::thread thread_;
};

}  // namespace
}  // namespace dexlock

extern "C" {

__attribute__((visibility("default"))) const char* dexlock_plugin_version() {
  return DEXLOCK_VERSION;
}

__attribute__((visibility("default"))) dexlock::EtcdService* dexlock_etcd_make(
    const dexlock::EtcdService::Options* options) {
  try {
    return new dexlock::GrpcService(*options);
  } catch (const std::exception&) {  // no memory, descriptor or thread to be had
    return nullptr;
  }
}
}
