// A call of somebody who has no part in the lock: looks at it, then changes it. And a wait, on a
// lock that is on hold, until nobody holds it.
//
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "client/client_context.hpp"
#include "client/one_shot_call.hpp"
#include "client/record_reader.hpp"
#include "dexlock/maintenance.hpp"
#include "session/session.hpp"

namespace dexlock {

class OperatorCall {
 public:
  using Outcome = std::variant<Amended, NotAmended>;

  // bad_argument: no name for a lock. Without a context the standard one.
  static Result<std::unique_ptr<OperatorCall>> open(const std::string& given);
  static Result<std::unique_ptr<OperatorCall>> open(const std::string& given,
                                                    ClientContext context);
  OperatorCall(const OperatorCall&) = delete;
  OperatorCall& operator=(const OperatorCall&) = delete;

  // Who holds it, as a majority tells.
  Result<std::vector<LockHolder>> view(Remarks& remarks);
  // Requires: view() has answered.
  Result<Outcome> amend(const Amendment& amendment);

  [[nodiscard]] OneShotCall& call() { return call_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Config& config() const { return context_.config; }

 private:
  OperatorCall(ClientContext context, std::string name)
      : context_(std::move(context)), name_(std::move(name)), call_(context_, name_) {}

  ClientContext context_;
  std::string name_;
  OneShotCall call_;
  bool viewed_ = false;
};

// In one line.
[[nodiscard]] std::string why_not(const NotAmended& declined);

// Waits on a lock that is on hold, and evicts who is dead, until nobody holds it any more.
class Drain {
 public:
  Drain(OneShotCall& call, const std::string& name,
        const std::function<void(const std::string&)>& on_wait);
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  Result<ChangeOutcome> run(std::chrono::milliseconds limit);

 private:
  void on_event(const Event& event);
  void look_at(const Record& record);
  void on_record(const std::optional<Record>& record);

  OneShotCall& call_;
  const std::function<void(const std::string&)>& on_wait_;
  RecordReader reader_;
  std::optional<Record> latest_;
  bool lifted_ = false;
  bool drained_ = false;
};

}  // namespace dexlock
