#include "sim/message_text.hpp"

#include <array>

namespace dexlock::sim {
namespace {

constexpr std::array kIntents{"plain", "acquire", "evict", "force"};
constexpr std::array kVerdicts{"promise", "accepted", "beating", "state",  "low",  "far",
                               "held",    "alive",    "fenced",  "behind", "gone", "two values"};
constexpr std::array kFaults{"unreachable", "not a member", "corrupt", "full",
                             "busy",        "refused",      "denied"};

std::string short_ballot(const Ballot& ballot) {
  return std::to_string(ballot.round) + '.' + std::to_string(ballot.proposer.high % 1000) +
         (ballot.fast != 0 ? "f" : "");
}

std::string text_of(const Prepare& p) {
  std::string text =
      "prepare " + short_ballot(p.ballot) + ' ' + kIntents[static_cast<std::size_t>(p.intent)];
  if (p.intent == Intent::evict) {
    text += " of " + std::to_string(p.victim.value) + " beat<=" + std::to_string(p.beat) + " boots";
    for (const BootId& boot : p.boots) {
      text += ' ' + boot.text;
    }
  }
  return text;
}

std::string text_of(const Accept& a) {
  return "accept " + short_ballot(a.ballot) + ' ' + holders_text(a.value) +
         (a.next ? " next " + short_ballot(*a.next) : "");
}

std::string text_of(const Heartbeat& h) {
  return "beat " + std::to_string(h.token.value) + '#' + std::to_string(h.beat) + " granted " +
         short_ballot(h.granted);
}

std::string text_of(const Read&) { return "read"; }

std::string text_of(const Post& p) {
  return (p.remove ? "takes back " : "post ") + ticket_text(p.ticket);
}

std::string text_of(const Fast& f) {
  return "fast " + f.asker.claim.client.text + '/' + f.op.text.substr(0, 4);
}

}  // namespace

std::string holders_text(const Record& record) {
  std::string text = "{count " + std::to_string(record.count) + ':';
  for (const Holder& holder : record.holders) {
    text += ' ' + std::to_string(holder.token.value) + '=' + holder.client.text + '/' +
            holder.op.text.substr(0, 4);
  }
  return text + '}';
}

std::string request_text(const Request& request) {
  return std::visit([](const auto& asked) { return text_of(asked); }, request);
}

std::string txn_text(const EtcdTxn& txn) {
  std::string text = txn.reads() ? "reads" : "if";
  for (const EtcdCompare& one : txn.compares) {
    text += ' ' + one.key + (one.end.empty() ? "@" : "*@") + std::to_string(one.revision);
  }
  for (const EtcdPut& put : txn.puts) {
    text += " puts " + put.key;
  }
  for (const EtcdDelete& each : txn.deletes) {
    text += " removes " + each.key + (each.end.empty() ? "" : "*");
  }
  return text;
}

std::string reply_text(const Reply& reply) {
  if (const auto* fault = std::get_if<Fault>(&reply)) {
    return std::string("fault ") + kFaults[static_cast<std::size_t>(fault->kind)];
  }
  const auto& answer = std::get<Answer>(reply);
  const State& state = answer.state;
  std::string text = std::string(kVerdicts[static_cast<std::size_t>(answer.verdict)]) + " [p" +
                     short_ballot(state.promised) + " f" + short_ballot(state.fence) + " a" +
                     short_ballot(state.accepted) + ' ' + holders_text(record_of(state)) +
                     " boot " + state.boot.text;
  for (const auto& [token, beat] : state.beats) {
    text += ' ' + std::to_string(token.value) + '#' + std::to_string(beat);
  }
  for (const Ticket& ticket : state.tickets) {
    text += ' ' + std::to_string(ticket.number) + '!' + ticket.claim.client.text + '@' +
            std::to_string(ticket.refresh);
  }
  return text + ']';
}

}  // namespace dexlock::sim
