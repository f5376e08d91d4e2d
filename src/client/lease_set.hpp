// Several locks held as one: all of them or none, and lost as soon as one of them is.
//
// Threads: as Lease.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dexlock/lease.hpp"
#include "system/unique_fd.hpp"

namespace dexlock {

class LeaseSet final : public Lease {
 public:
  struct Held {
    std::string name;
    std::unique_ptr<Lease> lease;
  };

  // Requires: one of `held` is `first`, whose token is this one's.
  LeaseSet(std::vector<Held> held, std::string first);

  [[nodiscard]] std::uint64_t token() const override;
  [[nodiscard]] std::map<std::string, std::uint64_t> tokens() const override;
  [[nodiscard]] std::chrono::nanoseconds elapsed() const override;
  [[nodiscard]] bool holds() const override;
  [[nodiscard]] std::string loss() const override;
  [[nodiscard]] int loss_fd() const override { return loss_.get(); }
  Result<void> release(std::chrono::milliseconds limit) override;

 private:
  std::vector<Held> held_;
  std::string first_;
  UniqueFd loss_;  // readable when one of theirs is
};

}  // namespace dexlock
