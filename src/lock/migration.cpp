#include "lock/migration.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lock/escape.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kArriving = "moving here, from group ";
constexpr std::string_view kLeaving = "moving away, to group ";
constexpr std::string_view kMove = ", move ";

std::string arriving_note(const std::string& from) { return std::string(kArriving) + from; }
std::string leaving_note(const Migration& migration) {
  return std::string(kLeaving) + migration.to + std::string(kMove) + migration.id;
}
std::string moved_note(const std::string& to) { return "to group " + to; }

// With the servers as far as there is room for them.
std::string with_servers(std::string note, const Migration& migration) {
  std::string_view servers = migration.to_servers;
  std::string whole = note + ": " + std::string(servers);
  while (escape_text(whole).size() > kNoteBytesMax && !servers.empty()) {
    servers.remove_suffix(1);
    whole = note + ": " + std::string(servers) + "...";
  }
  return servers.empty() ? note : whole;
}

// The ids of groups have one length: none is the beginning of another.
bool is_gate(const Gate& gate, GateState state, std::string_view note) {
  return gate.state == state && gate.note.starts_with(note);
}

// By whatever move; `migration` names its own.
bool is_leaving_somehow(const Record& record, const Migration& migration) {
  Migration any = migration;
  any.id.clear();
  return is_gate(record.gate, GateState::hold, leaving_note(any));
}

bool is_leaving(const Record& record, const Migration& migration) {
  return is_gate(record.gate, GateState::hold, leaving_note(migration));
}

bool is_arriving(const Record& record, const Migration& migration) {
  return arrival_id(record, migration) == migration.id;
}

}  // namespace

bool has_moved(const Record& record, const Migration& migration) {
  return is_gate(record.gate, GateState::moved, moved_note(migration.to));
}

bool is_note_of_migration(std::string_view note) {
  return note.starts_with(kArriving) || note.starts_with(kLeaving);
}

bool is_arriving(const Gate& gate) { return is_gate(gate, GateState::hold, kArriving); }

std::optional<std::string> arrival_id(const Record& record, const Migration& migration) {
  const std::string note = arriving_note(migration.from) + std::string(kMove);
  if (!is_gate(record.gate, GateState::hold, note)) {
    return std::nullopt;
  }
  return record.gate.note.substr(note.size());
}

Change arrive(const Record& base, const Migration& migration, const OpId& op) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  if (arrival_id(base, migration)) {
    return Change::write(base);
  }
  const bool comes_back = is_gate(base.gate, GateState::moved, moved_note(migration.from));
  if (base.gate.state != GateState::open && !comes_back) {
    return Change::decline(Declined::gate_closed);
  }
  Record next = base;
  next.gate = Gate{.state = GateState::hold,
                   .note = arriving_note(migration.from) + std::string(kMove) + op.text};
  next.op = op;
  return Change::write_if_room(std::move(next));
}

Change leave(const Record& base, const Migration& migration, const OpId& op) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  if (is_leaving(base, migration) || has_moved(base, migration)) {
    return Change::write(base);
  }
  if (base.gate.state != GateState::open && !is_leaving_somehow(base, migration)) {
    return Change::decline(Declined::gate_closed);
  }
  Record next = base;
  next.gate =
      Gate{.state = GateState::hold, .note = with_servers(leaving_note(migration), migration)};
  next.op = op;
  return Change::write_if_room(std::move(next));
}

Change inherit(const Record& base, const Record& old, bool same_epoch, const Migration& migration,
               const OpId& op) {
  if (base.version > kRecordVersion || old.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  if (!is_arriving(base, migration)) {
    return Change::decline(Declined::gate_closed);
  }
  if (!base.is_free() || !old.is_free()) {
    return Change::decline(Declined::held);
  }
  Record next = base;
  if (same_epoch) {
    next.count = std::max(base.count, old.count);
  }
  if (old.data_token > base.data_token) {
    next.data = old.data;
    next.data_token = old.data_token;
  }
  if (old.last && (!base.last || old.last->token > base.last->token)) {
    next.last = old.last;
  }
  if (next == base) {
    return Change::write(base);
  }
  next.op = op;
  return Change::write_if_room(std::move(next));
}

Change moved(const Record& base, const Record& old, const Migration& migration, const OpId& op) {
  if (base.version > kRecordVersion) {
    return Change::decline(Declined::too_new);
  }
  if (has_moved(base, migration)) {
    return Change::write(base);
  }
  if (!is_leaving(base, migration)) {
    return Change::decline(Declined::gate_closed);
  }
  if (!base.is_free() || base.count != old.count || base.data_token != old.data_token ||
      base.last != old.last) {
    return Change::decline(Declined::held);  // the hold was lifted, and is on again
  }
  Record next = base;
  next.gate =
      Gate{.state = GateState::moved, .note = with_servers(moved_note(migration.to), migration)};
  next.op = op;
  return Change::write_if_room(std::move(next));
}

Change open_arrived(const Record& base, const Migration& migration, const ReleaseSpec& spec) {
  if (base.gate.state != GateState::open && !is_arriving(base, migration)) {
    return Change::decline(base.version > kRecordVersion ? Declined::too_new
                                                         : Declined::gate_closed);
  }
  return lift(base, spec, Lift::arrived);
}

}  // namespace dexlock
