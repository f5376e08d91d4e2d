#include "session/reading.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lock/invariant.hpp"
#include "lock/quorum.hpp"

namespace dexlock {
namespace {

// Attempts from here on are looks; those below are the proposer's.
constexpr AttemptId kFirstLook = 0x40000000;

// Of a record that was never written, when it has to be.
constexpr std::string_view kFirstOp = "read";

Change write_back(const Record& base) {
  Change change;
  change.next = base;
  if (base.op.text.empty()) {
    change.next->op.text = kFirstOp;
  }
  return change;
}

}  // namespace

Reading::Reading(std::size_t servers, Epoch epoch, ProposerId me)
    : proposer_(servers, epoch, me), attempt_(kFirstLook), replies_(servers) {}

ReadingOutput Reading::look() {
  INVARIANT(!looking_);
  INVARIANT(proposer_.idle());
  looking_ = true;
  settled_ = false;
  replies_.assign(replies_.size(), std::nullopt);
  ++attempt_;
  ReadingOutput output;
  for (std::size_t server = 0; server < replies_.size(); ++server) {
    output.sends.push_back(Send{server, attempt_, Read{.durable = true}});
  }
  return output;
}

ReadingOutput Reading::on_reply(std::size_t server, AttemptId attempt, const Reply& reply,
                                Instant now) {
  INVARIANT(server < replies_.size());
  if (const auto* answer = std::get_if<Answer>(&reply)) {
    proposer_.saw(answer->state);
  }
  if (attempt < kFirstLook) {
    return pass_on(proposer_.on_reply(server, attempt, reply, now));
  }
  if (!looking_ || attempt != attempt_ || replies_[server]) {
    return {};
  }
  replies_[server] = reply;
  return decide(now);
}

ReadingOutput Reading::settle(Instant now) {
  settled_ = true;
  return looking_ ? decide(now) : ReadingOutput{};
}

ReadingOutput Reading::decide(Instant now) {
  ReadingOutput output;
  output.record = agreed();
  if (output.record) {
    looking_ = false;
    return output;
  }
  const auto answered = static_cast<std::size_t>(std::ranges::count_if(
      replies_, [](const auto& reply) { return reply && std::holds_alternative<Answer>(*reply); }));
  const auto silent = static_cast<std::size_t>(
      std::ranges::count_if(replies_, [](const auto& reply) { return !reply.has_value(); }));
  const std::size_t quorum = majority(replies_.size());
  if (answered + silent < quorum) {
    looking_ = false;
    output.failed = true;
  } else if (answered >= quorum && (settled_ || silent == 0)) {
    looking_ = false;
    return pass_on(
        proposer_.start({.change = [](const Record& base, const auto&) { return write_back(base); },
                         .want_sticky = false},
                        std::nullopt, now));
  }
  return output;
}

ReadingOutput Reading::pass_on(ProposerOutput produced) {
  ReadingOutput output{.sends = std::move(produced.sends)};
  if (produced.done) {
    const auto* chosen = std::get_if<Chosen>(&*produced.done);
    if (chosen != nullptr) {
      output.record = chosen->value;
    } else {
      output.failed = true;
    }
  }
  return output;
}

// A value that was copied from an earlier epoch is no vote, and one of a fast ballot needs more.
std::optional<Record> Reading::agreed() const {
  for (const auto& reply : replies_) {
    const auto* answer = reply ? std::get_if<Answer>(&*reply) : nullptr;
    if (answer == nullptr || answer->state.copied) {
      continue;
    }
    const State& state = answer->state;
    const auto votes = static_cast<std::size_t>(std::ranges::count_if(replies_, [&](const auto& r) {
      const auto* other = r ? std::get_if<Answer>(&*r) : nullptr;
      return other != nullptr && !other->state.copied && other->state.accepted == state.accepted &&
             other->state.value == state.value;
    }));
    const bool fast = state.accepted.fast != 0;
    if (votes >= (fast ? fast_quorum(replies_.size()) : majority(replies_.size()))) {
      return record_of(state);
    }
  }
  return std::nullopt;
}

}  // namespace dexlock
