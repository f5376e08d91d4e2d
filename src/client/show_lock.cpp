// show-lock and lock-server-init: what is known, as text for people.
#include <algorithm>
#include <filesystem>

#include "client/clock.hpp"
#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/home_directory.hpp"
#include "client/lock_sights.hpp"
#include "client/one_shot_call.hpp"
#include "client/who_text.hpp"
#include "dexlock/one_shot.hpp"
#include "lock/lock_name.hpp"
#include "lock/quoted_text.hpp"
#include "store/embedded_store.hpp"
#include "store/files_store_check.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShowLimit{10'000};
constexpr milliseconds kTurnLimit{2'000};

std::string holder_line(const Holder& holder, const Record& record, const State& state) {
  const auto beat = state.beats.find(holder.token);
  return "    token " + std::to_string(holder.token.value) + ", " +
         (holder.who.empty() ? holder.client.text : holder.who) + ", " +
         sharing_text(sharing_of(record, holder.token)) + ", timeout " +
         std::to_string(holder.terms.lease.count()) + " ms + " +
         std::to_string(holder.terms.stop.count()) + " ms, heartbeat " +
         (beat == state.beats.end() ? "none yet" : std::to_string(beat->second)) + '\n';
}

std::string state_text(const State& state) {
  const Record record = record_of(state);
  std::string text = record.is_free() ? "free" : "held";
  text += ", last token " + std::to_string(record.count) + ", ballot " +
          ballot_text(state.accepted) + '\n';
  for (const Holder& holder : record.holders) {
    text += holder_line(holder, record, state);
  }
  if (record.gate.state != GateState::open) {
    text += "    " + gate_text(record.gate) + '\n';
  }
  if (!state.tickets.empty()) {
    text += "    waiting: " + std::to_string(state.tickets.size()) + '\n';
    for (const Ticket& ticket : state.tickets) {
      text += "      " + std::to_string(ticket.number) + ' ' +
              (ticket.who.empty() ? ticket.claim.client.text : ticket.who) + '\n';
    }
  }
  if (record.data_token.value != 0) {
    text += "    value of token " + std::to_string(record.data_token.value) + ": " +
            quoted_text(record.data) + '\n';
  }
  if (record.last) {
    text += "    before: token " + std::to_string(record.last->token.value) + ", " +
            (record.last->who.empty() ? record.last->client.text : record.last->who) +
            (record.last->how == EndKind::released  ? ", released\n"
             : record.last->how == EndKind::expired ? ", taken over\n"
                                                    : ", broken\n");
  }
  return text;
}

std::string local_text(const Saved& saved) {
  const Belief belief(saved.start, saved.lease);
  if (saved.token.value != 0 && belief.holds(now())) {
    const auto left = std::chrono::duration_cast<milliseconds>(belief.remaining(now()));
    return "held with token " + std::to_string(saved.token.value) + ", " +
           std::to_string(left.count()) + " ms left\n";
  }
  return saved.maybe_listed ? "not held (a release is not confirmed yet)\n" : "not held\n";
}

std::string server_text(const Cluster::ServerView& view, const std::optional<Reply>& reply) {
  std::string text = view.shown + ": ";
  if (view.down) {
    return (view.down->text.starts_with(text) ? "" : text) + view.down->text + '\n';
  }
  if (!view.greeting) {
    return text + "no answer\n";
  }
  if (!view.votes) {
    return text + "no vote: its store is not in the group\n";
  }
  if (!reply) {
    return text + "no answer\n";
  }
  if (const auto* fault = std::get_if<Fault>(&*reply)) {
    return text + fault->text + '\n';
  }
  return text + state_text(std::get<Answer>(*reply).state);
}

// Holders whose lease is over, by what this host has seen; what it sees now is remembered.
std::string lapsed_text(const Cluster& cluster, const std::string& name,
                        const ClientContext& context,
                        const std::vector<std::optional<Reply>>& replies,
                        const std::vector<Instant>& received) {
  std::vector<ShownState> shown;
  std::vector<std::string> incarnations;
  for (std::size_t server = 0; server < replies.size(); ++server) {
    const auto& greeting = cluster.greeting(server);
    incarnations.push_back(greeting ? greeting->identity.incarnation : "");
    const auto* answer = replies[server] ? std::get_if<Answer>(&*replies[server]) : nullptr;
    if (answer != nullptr) {
      const bool local = context.config.servers[server].kind == ServerEntry::Kind::dir;
      shown.push_back({answer->state, local, server, received[server]});
    }
  }
  if (!cluster.group()) {
    return "";
  }
  Silence silence(context.memory.seen(key_file_name(name)), cluster.group()->id,
                  std::move(incarnations));
  for (const ShownState& one : shown) {
    silence.saw(one.server, one.state, one.at);
  }
  if (const auto news = silence.news()) {
    context.memory.remember_seen(key_file_name(name), *news);
  }
  std::string text;
  for (const HolderSight& holder : lock_sight(name, shown, replies.size(), silence).holders) {
    if (holder.lapsed) {
      text += "  token " + std::to_string(holder.token) + ": " + holder.lapse() + '\n';
    }
  }
  return text;
}

}  // namespace

Result<std::string> show_lock(const OneShotOptions& options) {
  const auto name = LockName::parse(options.name);
  if (!name) {
    return std::unexpected(name.error());
  }
  auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  std::string text = "lock " + name->text() + '\n';
  if (const auto owner = find_owner(options.owner)) {
    OwnerState state(context->paths.state_dir, key_file_name(name->text()), owner->key);
    static_cast<void>(state.take_turn(kTurnLimit));  // reading is harmless without it
    text += "  " + owner->shown + ": " + local_text(state.load());
  }
  OneShotCall call(*context, name->text(), options.keeper);
  std::vector<std::optional<Reply>> replies(context->config.servers.size());
  std::vector<Instant> received(replies.size());
  const auto all_told = [&] {
    for (std::size_t server = 0; server < replies.size(); ++server) {
      const auto view = call.cluster().view(server, name->text());
      if (!replies[server] && !view.down && (view.votes || !call.cluster().settled())) {
        return false;
      }
    }
    return true;
  };
  const auto check = [&] {
    if (call.cluster().settled() && all_told()) {
      call.finish();
    }
  };
  call.run(kShowLimit, {.on_ready =
                            [&] {
                              for (std::size_t server = 0; server < replies.size(); ++server) {
                                call.cluster().request(server, name->text(), Read{},
                                                       [&, server](const Reply& reply) {
                                                         replies[server] = reply;
                                                         received[server] = now();
                                                         check();
                                                       });
                              }
                            },
                        .on_event = [](const Event&) {},
                        .on_change = check});
  if (call.error()) {
    return std::unexpected(*call.error());
  }
  for (std::size_t server = 0; server < replies.size(); ++server) {
    text += "  " + server_text(call.cluster().view(server, name->text()), replies[server]);
  }
  text += lapsed_text(call.cluster(), name->text(), *context, replies, received);
  for (const AssemblyProblem& problem : call.cluster().assembly().problems()) {
    text += "  note: " + problem.text + '\n';
  }
  return text;
}

Result<std::string> own_state_directory() {
  const auto paths = local_paths();
  if (!paths) {
    return std::unexpected(paths.error());
  }
  return paths->state_dir.string();
}

Result<std::string> check_lock_store(const std::string& path) {
  std::filesystem::path place = path;
  if (place.empty()) {
    const auto context = ClientContext::load();
    if (!context) {
      return std::unexpected(context.error());
    }
    place = context->config.embedded_default ? context->paths.store_dir
                                             : std::filesystem::path(context->config.remote_path);
    if (place.is_relative()) {
      const auto home = home_directory();
      place = home ? *home / place : place;
    }
  }
  std::error_code ignored;
  if (!std::filesystem::exists(place, ignored)) {
    return place.string() + ": no store yet; it is made at first use";
  }
  if (is_files_store(place)) {
    return check_files_store(place);
  }
  auto store = EmbeddedStore::open({.path = place});
  if (!store) {
    return std::unexpected(store.error());
  }
  if (const auto checked = (*store)->check(); !checked) {
    return std::unexpected(checked.error());
  }
  return place.string() + ": native store, sound";
}

}  // namespace dexlock
