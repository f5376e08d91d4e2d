// ZooKeeper's lock recipe (an ephemeral sequential node below the lock's; the lowest holds, each
// other waits for the one before it to go) with its C client.
#define THREADED
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "bench/peer/lock_client.hpp"

namespace dexlock::bench {
namespace {

constexpr std::chrono::seconds kConnectLimit{30};
constexpr std::chrono::milliseconds kCallAgain{2};
constexpr std::size_t kCreatesOfOneCall = 200;
constexpr std::size_t kLocksOfOneSession = 10'000;  // the end of a session must fit into a message
constexpr std::size_t kPathBytesMax = 256;

// Something that happens on the library's thread.
class Signal {
 public:
  void give() {
    const std::scoped_lock lock(mutex_);
    given_ = true;
    changed_.notify_all();
  }
  bool wait_for(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return given_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool given_ = false;
};

void on_session(zhandle_t* handle, int type, int state, const char*, void*) {
  if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE) {
    const void* context = zoo_get_context(handle);
    static_cast<Signal*>(const_cast<void*>(context))->give();
  }
}

void on_node(zhandle_t*, int type, int, const char*, void* context) {
  if (type != ZOO_SESSION_EVENT) {
    static_cast<Signal*>(context)->give();
  }
}

class Handle {
 public:
  Handle(const std::vector<std::string>& servers, std::chrono::milliseconds timeout) {
    std::string hosts;
    for (const std::string& server : servers) {
      hosts += (hosts.empty() ? "" : ",") + server;
    }
    zoo_set_debug_level(static_cast<ZooLogLevel>(0));
    handle_ = zookeeper_init(hosts.c_str(), on_session, static_cast<int>(timeout.count()), nullptr,
                             &connected_, 0);
    if (handle_ == nullptr || !connected_.wait_for(kConnectLimit)) {
      throw std::runtime_error("no connection to zookeeper");
    }
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { zookeeper_close(handle_); }

  [[nodiscard]] zhandle_t* get() const { return handle_; }

  // Repeats what a lost connection has cut off. `also`: another result that is fine.
  template <class Call>
  int until_done(Call call, int also = ZOK) const {
    while (true) {
      const int code = call();
      if (code == ZOK || code == also) {
        return code;
      }
      if (code != ZCONNECTIONLOSS && code != ZOPERATIONTIMEOUT) {
        throw std::runtime_error(std::string("zookeeper: ") + zerror(code));
      }
      std::this_thread::sleep_for(kCallAgain);
    }
  }

 private:
  Signal connected_;
  zhandle_t* handle_ = nullptr;
};

std::string node_of(const std::string& lock) {
  std::string node = '/' + lock;
  std::replace(node.begin() + 1, node.end(), '/', '-');
  return node;
}

class ZookeeperLock final : public LockClient {
 public:
  explicit ZookeeperLock(const ClientSetup& setup)
      : handle_(setup.servers, setup.timeout),
        node_(node_of(setup.lock)),
        own_(std::to_string(zoo_client_id(handle_.get())->client_id) + "-lock-") {
    handle_.until_done(
        [&] {
          return zoo_create(handle_.get(), node_.c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, nullptr,
                            0);
        },
        ZNODEEXISTS);
  }

  void acquire() override {
    mine_.clear();
    handle_.until_done([&] { return create(); });
    while (true) {
      const std::string before = next_before_mine();
      if (before.empty()) {
        return;
      }
      wait_for_end_of(before);
    }
  }

  void release() override {
    const std::string path = node_ + '/' + mine_;
    handle_.until_done([&] { return zoo_delete(handle_.get(), path.c_str(), -1); }, ZNONODE);
  }

  bool renew() override { return false; }

 private:
  // After a lost connection it may be there already.
  int create() {
    if (tried_) {
      for (const std::string& name : children()) {
        if (name.starts_with(own_)) {
          mine_ = name;
          tried_ = false;
          return ZOK;
        }
      }
    }
    const std::string path = node_ + '/' + own_;
    char created[kPathBytesMax];
    const int code = zoo_create(handle_.get(), path.c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE,
                                ZOO_EPHEMERAL | ZOO_SEQUENCE, created, sizeof created);
    tried_ = code != ZOK;
    if (code == ZOK) {
      mine_ = std::strrchr(created, '/') + 1;
    }
    return code;
  }

  [[nodiscard]] std::vector<std::string> children() const {
    String_vector found{};
    handle_.until_done([&] { return zoo_get_children(handle_.get(), node_.c_str(), 0, &found); });
    std::vector<std::string> names(found.data, found.data + found.count);
    deallocate_String_vector(&found);
    return names;
  }

  // Names end in a number of ten digits.
  static std::string number_of(const std::string& name) { return name.substr(name.rfind('-') + 1); }

  [[nodiscard]] std::string next_before_mine() const {
    std::string next;
    for (const std::string& name : children()) {
      if (number_of(name) < number_of(mine_) &&
          (next.empty() || number_of(name) > number_of(next))) {
        next = name;
      }
    }
    return next;
  }

  void wait_for_end_of(const std::string& name) {
    const std::string path = node_ + '/' + name;
    // The library may tell of it after the wait was cut off.
    auto* gone = watched_.emplace_back(std::make_unique<Signal>()).get();
    const int code = handle_.until_done(
        [&] { return zoo_wexists(handle_.get(), path.c_str(), on_node, gone, nullptr); }, ZNONODE);
    if (code == ZOK) {
      gone->wait_for(std::chrono::hours(1));
    }
  }

  std::vector<std::unique_ptr<Signal>> watched_;
  Handle handle_;
  std::string node_;
  std::string own_;
  std::string mine_;
  bool tried_ = false;
};

void hold(const std::vector<std::string>& servers, std::size_t locks) {
  // They end with their sessions, which are left open until the figures have been read.
  static std::vector<std::unique_ptr<Handle>> sessions;
  for (std::size_t from = 0; from < locks; from += kCreatesOfOneCall) {
    if (from % kLocksOfOneSession == 0) {
      sessions.push_back(std::make_unique<Handle>(servers, std::chrono::minutes(10)));
    }
    const Handle& handle = *sessions.back();
    const std::size_t many = std::min(kCreatesOfOneCall, locks - from);
    std::vector<std::string> paths;
    std::vector<zoo_op_t> creates(many);
    std::vector<zoo_op_result_t> results(many);
    for (std::size_t i = 0; i < many; ++i) {
      paths.push_back(node_of(held_lock(from + i)));
    }
    for (std::size_t i = 0; i < many; ++i) {
      zoo_create_op_init(&creates[i], paths[i].c_str(), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL,
                         nullptr, 0);
    }
    handle.until_done([&] {
      return zoo_multi(handle.get(), static_cast<int>(many), creates.data(), results.data());
    });
  }
}

}  // namespace

Peer zookeeper_peer() {
  return {
      .name = "zookeeper",
      .connect = [](const ClientSetup& setup) { return std::make_unique<ZookeeperLock>(setup); },
      .hold = hold};
}

}  // namespace dexlock::bench
