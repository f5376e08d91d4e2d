// Who wants to hear of changes of which lock, and who is told of one.
//
// A change concerns those whom the lock lists or listed, those who stand next in line, those who
// look on without waiting, and everybody once the lock is free. All others hear nothing, so that a
// long line costs no more than a short one.
//
// Invariants:  no more than `most` watches, and `most_of_one` of one connection.
// Threads:     one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "register/message.hpp"
#include "wire/request_line.hpp"

namespace dexlock {

class Watches {
 public:
  // A connection, and the number of the request to watch.
  using Id = std::pair<std::uint64_t, std::uint32_t>;

  Watches(std::size_t most, std::size_t most_of_one) : most_(most), most_of_one_(most_of_one) {}

  // False: there is no room. The same number again replaces what it stood for.
  [[nodiscard]] bool add(const Id& id, const Watch& watch);
  void remove(const Id& id);
  void remove_all(std::uint64_t connection);

  [[nodiscard]] bool watched(const std::string& key) const { return by_key_.contains(key); }
  [[nodiscard]] std::size_t size() const { return watches_.size(); }

  // Whom to tell that the lock's state is now `state`. Each hears of one value once.
  [[nodiscard]] std::vector<Id> concerned(const std::string& key, const State& state);

 private:
  struct Watcher {
    std::string key;
    ClientId client;
    Ballot told;          // the value that it heard of last
    bool listed = false;  // there as a holder
  };

  std::size_t most_;
  std::size_t most_of_one_;
  std::map<Id, Watcher> watches_;
  std::map<std::uint64_t, std::size_t> of_connection_;  // how many
  std::map<std::string, std::set<Id>, std::less<>> by_key_;
};

}  // namespace dexlock
