// etcd's own lock recipe (client/v3/concurrency: a key with a lease below the lock's prefix; the
// oldest holds, each other waits for the one before it to go) over gRPC.
#include <grpcpp/grpcpp.h>

#include <stdexcept>
#include <thread>

#include "bench/peer/lock_client.hpp"
#include "etcd.grpc.pb.h"

namespace dexlock::bench {
namespace {

namespace pb = etcdserverpb;

constexpr std::chrono::milliseconds kCallLimit{500};  // then it is made again, maybe elsewhere
constexpr std::chrono::milliseconds kCallAgain{5};
constexpr std::size_t kPutsOfOneTxn = 100;  // etcd takes 128 operations at most

// A connection of its own, first of all to another server for each client.
std::shared_ptr<grpc::Channel> connect(const std::vector<std::string>& servers,
                                       std::size_t number) {
  constexpr int kBackoffMs = 20;
  constexpr int kConnectMs = 5000;
  std::string target = "ipv4:";
  for (std::size_t i = 0; i < servers.size(); ++i) {
    target += (i == 0 ? "" : ",") + servers[(number + i) % servers.size()];
  }
  grpc::ChannelArguments options;
  options.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  options.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kBackoffMs);
  options.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  options.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kBackoffMs);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), options);
}

// Until it succeeds: every call of the recipe may be made twice.
template <class Stub, class Request, class Answer>
Answer call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Answer*),
            const Request& request) {
  constexpr int kTries = 200;
  grpc::Status status;
  for (int i = 0; i < kTries; ++i) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    Answer answer;
    status = (stub.*method)(&context, request, &answer);
    if (status.ok()) {
      return answer;
    }
    std::this_thread::sleep_for(kCallAgain);
  }
  throw std::runtime_error("etcd: " + status.error_message());
}

std::int64_t grant_lease(pb::Lease::Stub& leases, std::chrono::milliseconds timeout) {
  pb::LeaseGrantRequest request;
  request.set_ttl(std::chrono::ceil<std::chrono::seconds>(timeout).count());
  return call(leases, &pb::Lease::Stub::LeaseGrant, request).id();
}

pb::PutRequest put_of(const std::string& key, std::int64_t lease) {
  pb::PutRequest put;
  put.set_key(key);
  put.set_lease(lease);
  return put;
}

class EtcdLock final : public LockClient {
 public:
  explicit EtcdLock(const ClientSetup& setup)
      : channel_(bench::connect(setup.servers, setup.number)),
        kv_(channel_),
        leases_(channel_),
        watches_(channel_),
        lease_(grant_lease(leases_, setup.timeout)),
        prefix_(setup.lock + '/'),
        key_(prefix_ + std::to_string(lease_)) {}

  ~EtcdLock() override {
    if (beats_) {
      beating_.TryCancel();
      beats_->Finish();
    }
  }

  void acquire() override {
    pb::TxnRequest request;
    pb::Compare& absent = *request.add_compare();
    absent.set_target(pb::Compare::CREATE);
    absent.set_key(key_);
    absent.set_create_revision(0);
    *request.add_success()->mutable_request_put() = put_of(key_, lease_);
    *request.add_success()->mutable_request_range() = oldest();
    request.add_failure()->mutable_request_range()->set_key(key_);
    *request.add_failure()->mutable_request_range() = oldest();
    const pb::TxnResponse done = call(kv_, &pb::KV::Stub::Txn, request);
    const std::int64_t mine = done.succeeded()
                                  ? done.header().revision()
                                  : done.responses(0).response_range().kvs(0).create_revision();
    const pb::RangeResponse& owner = done.responses(1).response_range();
    if (owner.kvs_size() == 0 || owner.kvs(0).create_revision() != mine) {
      wait_for_those_before(mine);
    }
  }

  void release() override {
    pb::DeleteRangeRequest request;
    request.set_key(key_);
    call(kv_, &pb::KV::Stub::DeleteRange, request);
  }

  bool renew() override {
    if (!beats_) {
      beats_ = leases_.LeaseKeepAlive(&beating_);
    }
    pb::LeaseKeepAliveRequest request;
    request.set_id(lease_);
    pb::LeaseKeepAliveResponse answer;
    if (!beats_->Write(request) || !beats_->Read(&answer) || answer.ttl() <= 0) {
      throw std::runtime_error("etcd: the lease was lost");
    }
    return true;
  }

 private:
  [[nodiscard]] pb::RangeRequest oldest() const {
    pb::RangeRequest range;
    range.set_key(prefix_);
    range.set_range_end(prefix_.substr(0, prefix_.size() - 1) +
                        static_cast<char>(prefix_.back() + 1));
    range.set_sort_target(pb::RangeRequest::CREATE);
    range.set_sort_order(pb::RangeRequest::ASCEND);
    range.set_limit(1);
    return range;
  }

  void wait_for_those_before(std::int64_t mine) {
    while (true) {
      pb::RangeRequest before = oldest();
      before.set_sort_order(pb::RangeRequest::DESCEND);
      before.set_max_create_revision(mine - 1);
      const pb::RangeResponse found = call(kv_, &pb::KV::Stub::Range, before);
      if (found.kvs_size() == 0) {
        return;
      }
      wait_for_end_of(found.kvs(0).key(), found.header().revision() + 1);
    }
  }

  void wait_for_end_of(const std::string& key, std::int64_t from) {
    grpc::ClientContext context;
    const auto stream = watches_.Watch(&context);
    pb::WatchRequest request;
    request.mutable_create_request()->set_key(key);
    request.mutable_create_request()->set_start_revision(from);
    request.mutable_create_request()->add_filters(pb::WatchCreateRequest::NOPUT);
    stream->Write(request);
    pb::WatchResponse news;
    while (stream->Read(&news) && news.events_size() == 0 && !news.canceled()) {
    }
    context.TryCancel();
    stream->Finish();
  }

  std::shared_ptr<grpc::Channel> channel_;
  pb::KV::Stub kv_;
  pb::Lease::Stub leases_;
  pb::Watch::Stub watches_;
  std::int64_t lease_;
  std::string prefix_;
  std::string key_;
  grpc::ClientContext beating_;
  std::unique_ptr<grpc::ClientReaderWriter<pb::LeaseKeepAliveRequest, pb::LeaseKeepAliveResponse>>
      beats_;
};

// One lease for all, which is the least that etcd can be asked to keep.
void hold(const std::vector<std::string>& servers, std::size_t locks) {
  const auto channel = connect(servers, 0);
  pb::KV::Stub kv(channel);
  pb::Lease::Stub leases(channel);
  const std::int64_t lease = grant_lease(leases, std::chrono::hours(1));
  for (std::size_t from = 0; from < locks; from += kPutsOfOneTxn) {
    pb::TxnRequest request;
    for (std::size_t i = from; i < std::min(locks, from + kPutsOfOneTxn); ++i) {
      *request.add_success()->mutable_request_put() =
          put_of(held_lock(i) + '/' + std::to_string(lease), lease);
    }
    call(kv, &pb::KV::Stub::Txn, request);
  }
}

}  // namespace

Peer etcd_peer() {
  return {.name = "etcd",
          .connect = [](const ClientSetup& setup) { return std::make_unique<EtcdLock>(setup); },
          .hold = hold};
}

}  // namespace dexlock::bench
