#include "cli/sights_json.hpp"

#include <algorithm>

namespace dexlock {
namespace {

std::optional<std::int64_t> in_ms(const std::optional<std::chrono::milliseconds>& time) {
  return time ? std::optional(time->count()) : std::nullopt;
}

std::optional<std::int64_t> in_us(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? std::optional(time->count() / 1000) : std::nullopt;
}

JsonObject holder_object(std::uint64_t token, const std::string& who, const Sharing& sharing) {
  JsonObject object;
  object.add("token", token).add("who", who);
  switch (sharing.mode) {
    case Sharing::Mode::exclusive:
      object.add("mode", "exclusive");
      break;
    case Sharing::Mode::shared:
      object.add("mode", "shared");
      break;
    case Sharing::Mode::permits:
      object.add("mode", "permits").add("permits", sharing.permits).add("of", sharing.of);
      break;
  }
  return object;
}

std::string json_of(const HolderSight& holder) {
  return holder_object(holder.token, holder.who, holder.sharing)
      .add("timeout_ms", holder.timeout.count())
      .add("stop_timeout_ms", holder.stop_timeout.count())
      .add("heartbeat", holder.heartbeat)
      .add("heartbeat_age_ms", in_ms(holder.heartbeat_age))
      .add("unchanged_ms", in_ms(holder.unchanged))
      .add("lapsed", holder.lapsed)
      .text();
}

std::string json_of(const WaiterSight& waiter) {
  return JsonObject().add("number", waiter.number).add("who", waiter.who).text();
}

template <class Sight>
std::string json_list(const std::vector<Sight>& sights) {
  std::vector<std::string> items;
  for (const Sight& sight : sights) {
    items.push_back(json_of(sight));
  }
  return json_array(items);
}

}  // namespace

JsonObject json_answer() { return JsonObject().add("format", kJsonFormat); }

std::string json_of(const LockSight& lock) {
  JsonObject object;
  object.add("name", lock.name)
      .add("held", lock.is_held())
      .add("last_token", lock.last_token)
      .add_if("closed", lock.closed)
      .add_json("holders", json_list(lock.holders))
      .add_json("waiters", json_list(lock.waiters));
  if (lock.last) {
    object.add_json("last", JsonObject()
                                .add("token", lock.last->token)
                                .add("who", lock.last->who)
                                .add("how", lock.last->how)
                                .text());
  } else {
    object.add_json("last", "null");
  }
  return object.add("value", lock.value)
      .add("value_token", lock.value ? std::optional(lock.value_token) : std::nullopt)
      .add("shown_by", lock.shown_by)
      .text();
}

std::string json_of(const ServerSight& server) {
  return JsonObject()
      .add("name", server.name)
      .add("reachable", server.reachable)
      .add("votes", server.votes)
      .add_if("trouble", server.trouble)
      .add("greeting_us", in_us(server.greeting))
      .add("answer_us", in_us(server.answer))
      .add_if("store", server.format)
      .add_if("sync", server.sync)
      .add_if("directory", server.directory)
      .add_if("incarnation", server.incarnation)
      .add_if("boot", server.boot)
      .add_if("group", server.group)
      .add("epoch", server.epoch == 0 ? std::nullopt : std::optional(server.epoch))
      .add_json("members", json_strings(server.members))
      .add("free_bytes", server.free_bytes)
      .add("bytes", server.bytes)
      .add("free_inodes", server.free_inodes)
      .add("inodes", server.inodes)
      .text();
}

std::string json_of(const HoldSight& hold) {
  return JsonObject()
      .add("token", hold.token)
      .add("who", hold.who)
      .add("from_ms", in_ms(hold.from))
      .add("to_ms", in_ms(hold.to))
      .add("how", hold.how)
      .text();
}

std::string json_of(const LockHolder& holder) {
  return holder_object(holder.token, holder.who, holder.sharing)
      .add("unchanged_ms", in_ms(holder.unchanged))
      .text();
}

std::optional<std::string> json_of(const std::string& name, const Result<ChangeOutcome>& outcome) {
  JsonObject object = json_answer();
  object.add("name", name);
  if (outcome) {
    object.add("done", outcome->done).add_if("reason", outcome->reason);
    return object.add_json("holders", json_list(outcome->holders)).text();
  }
  const Error& error = outcome.error();
  if (error.code != Errc::no_quorum && error.code != Errc::outcome_unknown) {
    return std::nullopt;
  }
  const bool unknown = error.code == Errc::outcome_unknown;
  object.add("done", unknown ? std::nullopt : std::optional(false)).add("reason", error.text);
  return object.add_json("holders", "null").text();
}

void add_group(JsonObject& object, const ServersSight& servers) {
  object.add_if("group", servers.group)
      .add("epoch", servers.epoch == 0 ? std::nullopt : std::optional(servers.epoch))
      .add("configured", servers.servers.size())
      .add("reachable", servers.reachable())
      .add("voting", servers.voting())
      .add("needed", servers.majority)
      .add("majority", servers.has_majority());
}

std::string json_troubles(const ServersSight& servers, const std::vector<std::string>& more) {
  std::vector<std::string> texts;
  const auto add = [&](const std::string& text) {
    if (!text.empty() && std::ranges::find(texts, text) == texts.end()) {
      texts.push_back(text);
    }
  };
  std::ranges::for_each(servers.problems, add);
  for (const ServerSight& server : servers.servers) {
    add(server.trouble);
  }
  std::ranges::for_each(more, add);
  return json_strings(texts);
}

std::string json_answer(const ServersSight& sight) {
  JsonObject object = json_answer();
  object.add_if("configuration", sight.config);
  object.add_json("servers", json_list(sight.servers));
  object.add_json("problems", json_strings(sight.problems));
  object.add("verdict", sight.verdict());
  add_group(object, sight);
  return object.text();
}

std::string json_answer(const LocksSight& sight) {
  JsonObject object = json_answer();
  object.add_json("locks", json_list(sight.locks));
  object.add_json("troubles", json_troubles(sight.servers, sight.troubles));
  add_group(object, sight.servers);
  return object.text();
}

std::string json_answer(const HistorySight& sight) {
  JsonObject object = json_answer();
  object.add_json("holds", json_list(sight.holds));
  object.add("complete", false);
  object.add_json("troubles", json_troubles(sight.servers, sight.troubles));
  add_group(object, sight.servers);
  return object.text();
}

}  // namespace dexlock
