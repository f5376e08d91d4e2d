// Redlock over three independent Redis servers, with hiredis: each command goes to all three at
// once, then the answers are read.
#include <hiredis/hiredis.h>

#include <random>
#include <stdexcept>
#include <thread>

#include "bench/peer/lock_client.hpp"
#include "lock/quorum.hpp"

namespace dexlock::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kConnectAgain{100};
constexpr int kRetryMaxMs = 10;  // a waiter tries again after 1 to so many
constexpr std::size_t kPipelined = 256;

constexpr const char* kRelease =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) "
    "else return 0 end";
constexpr const char* kRenew =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) "
    "else return 0 end";

struct Free {
  void operator()(redisContext* context) const { redisFree(context); }
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, Free>;

// One of the servers; while it is away it counts as silent.
class Server {
 public:
  explicit Server(const std::string& address)
      : host_(address.substr(0, address.rfind(':'))),
        port_(std::stoi(address.substr(address.rfind(':') + 1))) {
    connect();
    if (!context_) {
      throw std::runtime_error("no connection to redis at " + address);
    }
  }

  void send(const std::vector<std::string>& words) {
    if (!context_ && Clock::now() >= again_) {
      connect();
    }
    if (!context_) {
      return;
    }
    std::vector<const char*> texts;
    std::vector<std::size_t> lengths;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      lengths.push_back(word.size());
    }
    redisAppendCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(),
                           lengths.data());
  }

  void flush() {
    int done = 0;
    while (context_ && done == 0) {
      if (redisBufferWrite(context_.get(), &done) != REDIS_OK) {
        lost();
      }
    }
  }

  Reply receive() {
    void* reply = nullptr;
    if (context_ && redisGetReply(context_.get(), &reply) != REDIS_OK) {
      lost();
    }
    return Reply(static_cast<redisReply*>(reply));
  }

 private:
  void connect() {
    context_.reset(redisConnect(host_.c_str(), port_));
    if (!context_ || context_->err != 0) {
      lost();
    }
  }

  void lost() {
    context_.reset();
    again_ = Clock::now() + kConnectAgain;
  }

  std::string host_;
  int port_;
  std::unique_ptr<redisContext, Free> context_;
  Clock::time_point again_{};
};

std::string random_value() {
  std::random_device source;
  std::string value;
  for (int i = 0; i < 4; ++i) {
    value += std::to_string(source());
  }
  return value;
}

class Redlock final : public LockClient {
 public:
  explicit Redlock(const ClientSetup& setup)
      : lock_(setup.lock), timeout_(std::to_string(setup.timeout.count())), value_(random_value()) {
    for (const std::string& address : setup.servers) {
      servers_.push_back(std::make_unique<Server>(address));
    }
    release_ = load(kRelease);
    renew_ = load(kRenew);
  }

  void acquire() override {
    while (!has_majority({"SET", lock_, value_, "NX", "PX", timeout_})) {
      tell_all({"EVALSHA", release_, "1", lock_, value_});
      std::this_thread::sleep_for(std::chrono::milliseconds(1 + pause_(random_)));
    }
  }

  void release() override {
    if (!has_majority({"EVALSHA", release_, "1", lock_, value_})) {
      throw std::runtime_error("redis: the lock was lost");
    }
  }

  bool renew() override {
    if (!has_majority({"EVALSHA", renew_, "1", lock_, value_, timeout_})) {
      throw std::runtime_error("redis: the lock was lost");
    }
    return true;
  }

 private:
  std::vector<Reply> tell_all(const std::vector<std::string>& words) {
    for (const auto& server : servers_) {
      server->send(words);
    }
    for (const auto& server : servers_) {
      server->flush();
    }
    std::vector<Reply> replies;
    for (const auto& server : servers_) {
      replies.push_back(server->receive());
    }
    return replies;
  }

  bool has_majority(const std::vector<std::string>& words) {
    std::size_t agreed = 0;
    for (const Reply& reply : tell_all(words)) {
      agreed += reply && (reply->type == REDIS_REPLY_STATUS ||
                          (reply->type == REDIS_REPLY_INTEGER && reply->integer == 1))
                    ? 1U
                    : 0U;
    }
    return agreed >= majority(servers_.size());
  }

  std::string load(const char* script) {
    std::string name;
    for (const Reply& reply : tell_all({"SCRIPT", "LOAD", script})) {
      if (reply && reply->type == REDIS_REPLY_STRING) {
        name = std::string(reply->str, reply->len);
      }
    }
    return name;
  }

  std::string lock_;
  std::string timeout_;
  std::string value_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::string release_;
  std::string renew_;
  std::minstd_rand random_{std::random_device{}()};
  std::uniform_int_distribution<int> pause_{0, kRetryMaxMs - 1};
};

void hold(const std::vector<std::string>& addresses, std::size_t locks) {
  constexpr const char* kForLong = "3600000";
  for (const std::string& address : addresses) {
    Server server(address);
    for (std::size_t from = 0; from < locks; from += kPipelined) {
      const std::size_t many = std::min(kPipelined, locks - from);
      for (std::size_t i = 0; i < many; ++i) {
        server.send({"SET", held_lock(from + i), random_value(), "NX", "PX", kForLong});
      }
      server.flush();
      for (std::size_t i = 0; i < many; ++i) {
        if (const Reply reply = server.receive(); !reply || reply->type != REDIS_REPLY_STATUS) {
          throw std::runtime_error("redis: a lock cannot be taken");
        }
      }
    }
  }
}

}  // namespace

Peer redlock_peer() {
  return {.name = "redlock",
          .connect = [](const ClientSetup& setup) { return std::make_unique<Redlock>(setup); },
          .hold = hold};
}

}  // namespace dexlock::bench
