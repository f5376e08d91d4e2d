// The connections that this user's keeper holds, and the start of a keeper where there is none.
// Without one, or with one that hangs or is of another version, a call makes its own connections.
//
// Threads: one.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "client/connection_pool.hpp"
#include "dexlock/one_shot.hpp"

namespace dexlock {

class KeeperPool final : public ConnectionPool {
 public:
  KeeperPool(KeeperUse use, std::filesystem::path directory);
  ~KeeperPool() override;  // starts a keeper if there is none and something to keep

  std::optional<KeptConnection> take(const std::string& key) override;
  void keep(const std::string& key, KeptConnection connection) override;

  // Why there is no keeper although one may be used, in one line; for those who ask.
  [[nodiscard]] const std::string& note() const { return note_; }

 private:
  enum class State { untried, asked, in_use, absent, unfit };

  void call();
  bool is_greeted();
  bool hear(KeeperMessage& message);
  void give_up(std::string why);
  void start_keeper();

  KeeperUse use_;
  std::filesystem::path directory_;
  State state_ = State::untried;
  UniqueFd socket_;
  std::string note_;
  std::vector<std::pair<std::string, KeptConnection>> left_;  // for a keeper that is to be started
};

}  // namespace dexlock
