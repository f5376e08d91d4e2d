// --shared, and --permits K --of N.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <optional>

#include "dexlock/sharing.hpp"

namespace CLI {
class App;
}

namespace dexlock {

class SharingOptions {
 public:
  void add_to(CLI::App& app);  // this must stay until the words have been read

  // Nothing after a complaint.
  [[nodiscard]] std::optional<Sharing> read() const;

 private:
  bool shared_ = false;
  std::uint32_t permits_ = 0;
  std::uint32_t of_ = 0;
};

}  // namespace dexlock
