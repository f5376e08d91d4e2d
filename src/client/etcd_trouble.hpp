// What is told of a call to etcd that failed: one line, and the code by which programs know it.
//
// Threads: pure functions.
#pragma once

#include <string>

#include "dexlock/error.hpp"
#include "etcd/service.hpp"
#include "register/message.hpp"

namespace dexlock {

// Of whom it is said.
struct EtcdSaid {
  std::string shown;
  std::string prefix;
  bool tls = false;
};

// What etcd says, for a line of ours.
[[nodiscard]] std::string printable(const std::string& text);

[[nodiscard]] Fault fault_of(const EtcdTrouble& trouble, const EtcdSaid& of);
[[nodiscard]] Error error_of(const EtcdTrouble& trouble, const EtcdSaid& of);

}  // namespace dexlock
