#include "store/embedded_acceptor.hpp"

#include <sys/statvfs.h>
#include <time.h>

#include <utility>

#include "lock/fields.hpp"
#include "lock/quorum.hpp"
#include "register/promise_ceiling.hpp"
#include "store/kept_record.hpp"
#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kProposed = "group";
constexpr std::string_view kActive = "active";

struct Loaded {
  Durable durable;
  Soft soft;
  PromiseCeiling ceiling;
};

// Nothing if the texts are not what this program wrote.
std::optional<Loaded> load(const EmbeddedStore::Cell& cell, Epoch epoch) {
  Loaded loaded{absent_record(epoch), {}, {.lost = cell.generation > 0}};
  if (cell.durable) {
    auto kept = parse_kept(*cell.durable);
    if (!kept || kept->durable.promised.epoch != epoch.value ||
        kept->generation > cell.generation) {
      return std::nullopt;
    }
    loaded.durable = std::move(kept->durable);
    loaded.ceiling.lost = kept->generation < cell.generation;
  }
  if (cell.soft) {
    const auto soft = parse_soft(*cell.soft);
    if (!soft) {
      return std::nullopt;
    }
    loaded.soft = *soft;
  }
  return loaded;
}

FaultKind fault_kind(Errc code) {
  switch (code) {
    case Errc::store_busy:
      return FaultKind::busy;
    case Errc::store_full:
      return FaultKind::full;
    case Errc::store_damaged:
      return FaultKind::corrupt;
    case Errc::store_gone:
      return FaultKind::not_member;
    default:
      return FaultKind::refused;
  }
}

std::string group_text(const Group& group) {
  std::string out = group.id + ' ' + std::to_string(group.epoch.value) + ' ';
  for (const std::string& member : group.members) {
    out += (out.back() == ' ' ? "" : ",") + member;
  }
  return out;
}

Result<Group> parse_group(std::string_view text) {
  const auto parts = split_fields(text, ' ', 3);
  const auto members =
      parts && parts->size() == 3 ? split_fields((*parts)[2], ',', kServersMax) : std::nullopt;
  const auto epoch = members ? parse_number((*parts)[1], kSmallNumberMax) : std::nullopt;
  if (!epoch || *epoch == 0) {
    return fail(Errc::store_damaged, "the store's note of its group is damaged");
  }
  return Group{std::string((*parts)[0]), Epoch{*epoch}, {members->begin(), members->end()}};
}

std::chrono::milliseconds wall_time() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

Fault corrupt(const std::string& name) {
  return Fault{FaultKind::corrupt, "the record of lock " + name + " is damaged in this store"};
}

}  // namespace

Reply EmbeddedAcceptor::serve(const Where& where, const std::string& name, const Request& request) {
  const Asked asked{where, name, request};
  return std::move(serve(std::span(&asked, 1)).front());
}

std::vector<Reply> EmbeddedAcceptor::serve(std::span<const Asked> asked) {
  std::vector<Reply> replies(asked.size(), Fault{FaultKind::refused, "not run"});
  std::vector<EmbeddedStore::Item> items;
  std::vector<std::size_t> changing;
  Transaction transaction;
  const auto here = place();
  for (std::size_t at = 0; at < asked.size(); ++at) {
    const auto& [where, name, request] = asked[at];
    if (!here) {
      replies[at] = Fault{fault_kind(here.error().code), here.error().text};
    } else if (*here != where) {
      replies[at] = Fault{FaultKind::not_member, "this store votes in " + where_text(*here) +
                                                     ", not in " + where_text(where)};
    } else if (std::holds_alternative<Read>(request) ||
               (sole_ && std::holds_alternative<Prepare>(request))) {
      replies[at] = look(name, where.epoch, request);
    } else {
      items.push_back({name, change_of(asked[at], replies[at], transaction)});
      changing.push_back(at);
    }
  }
  if (items.empty()) {
    return replies;
  }
  const auto begun = std::chrono::steady_clock::now();
  const auto done = store_->transact(items);
  if (!done) {
    // What was asked may or may not have been made durable: nothing is claimed about it.
    for (const std::size_t at : changing) {
      replies[at] = Fault{fault_kind(done.error().code), done.error().text};
    }
    transaction.failed = done.error();
    transaction.accepted.clear();
  }
  transaction.took = std::chrono::steady_clock::now() - begun;
  for (const Accepted& accepted : transaction.accepted) {
    holds_.note(accepted.name, accepted.before, accepted.after, wall_time());
  }
  if (on_transaction_) {
    on_transaction_(std::move(transaction));
  } else {
    holds_.flush();  // not a server: it may end at any moment
  }
  return replies;
}

// Answers without writing: a read, or a promise on sight.
Reply EmbeddedAcceptor::look(const std::string& name, Epoch epoch, const Request& request) {
  auto cell = store_->read(name);
  if (!cell) {
    return Fault{fault_kind(cell.error().code), cell.error().text};
  }
  auto loaded = load(*cell, epoch);
  if (!loaded) {
    return corrupt(name);
  }
  const BootId boot{cell->boot};
  loaded->durable.promised = promised_in_effect(loaded->durable, loaded->soft, loaded->ceiling);
  const State before = state_of(loaded->durable, loaded->soft, boot);
  if (const auto* prepare = std::get_if<Prepare>(&request)) {
    allow_any_round(loaded->durable, *prepare);
  }
  const Step step = apply(loaded->durable, loaded->soft, boot, request);
  if (const auto* prepare = std::get_if<Prepare>(&request);
      prepare != nullptr && step.verdict == Verdict::promise) {
    auto& promised = tentative_[name];
    std::erase_if(promised, [&](const auto& entry) {  // too low, or passed by this very one
      return entry.first < before.promised || entry.first.proposer == prepare->ballot.proposer;
    });
    promised.insert_or_assign(prepare->ballot, Tentative{*prepare, cell->durable.value_or("")});
  }
  return Answer{step.verdict, step.verdict == Verdict::promise
                                  ? state_of(loaded->durable, loaded->soft, boot)
                                  : before};
}

EmbeddedStore::ChangeFunction EmbeddedAcceptor::change_of(const Asked& asked, Reply& reply,
                                                          Transaction& transaction) {
  std::optional<Tentative> tentative;
  if (const auto at = tentative_.find(asked.name); at != tentative_.end()) {
    const auto* accept = std::get_if<Accept>(&asked.request);
    const auto mine = accept == nullptr ? at->second.end() : at->second.find(accept->ballot);
    if (mine != at->second.end()) {
      tentative = std::move(mine->second);
      at->second.erase(mine);
    }
    if (at->second.empty()) {
      tentative_.erase(at);
    }
  }
  return [this, &asked, &reply, &transaction, tentative = std::move(tentative)](
             const EmbeddedStore::Cell& cell, std::string_view boot_text) {
    EmbeddedStore::Change change;
    auto loaded = load(cell, asked.where.epoch);
    if (!loaded) {
      reply = corrupt(asked.name);
      return change;
    }
    const BootId boot{std::string(boot_text)};
    auto& [durable, soft, ceiling] = *loaded;
    // A sole acceptor takes a value only on a promise of its own, be it on sight or on record.
    const auto* accept = std::get_if<Accept>(&asked.request);
    if (sole_ && accept != nullptr && !tentative &&
        accept->ballot != promised_in_effect(durable, soft, ceiling) &&
        accept->ballot != durable.accepted) {
      reply = Answer{Verdict::low, state_of(durable, soft, boot, ceiling)};
      return change;
    }
    if (tentative) {
      const bool same = cell.durable.value_or("") == tentative->durable_seen;
      allow_any_round(durable, tentative->prepare);
      if (!same ||
          apply(durable, soft, boot, tentative->prepare, ceiling).verdict != Verdict::promise) {
        reply = Answer{Verdict::low, state_of(durable, soft, boot, ceiling)};
        return change;
      }
    }
    const bool told = accept != nullptr || std::holds_alternative<Fast>(asked.request);
    Record before = told ? durable.value.value_or(Record{}) : Record{};
    const CeilingStep step = apply(durable, soft, boot, asked.request, ceiling);
    if (step.durable_changed) {
      change.durable = kept_text(durable, cell.generation);
      ++transaction.changes;
      if (told) {
        transaction.accepted.push_back({asked.name, std::move(before), *durable.value});
      }
    }
    if (step.soft_changed) {
      change.soft = soft_text(soft);
    }
    change.unsynced = step.unsynced;
    reply = Answer{step.verdict, state_of(durable, soft, boot, ceiling)};
    return change;
  };
}

Result<void> EmbeddedAcceptor::sync_promises() {
  const auto here = place();
  if (!here) {
    return here.error().code == Errc::store_gone ? Result<void>() : std::unexpected(here.error());
  }
  return store_->sync_all([&](const EmbeddedStore::Cell& cell, std::string_view) {
    EmbeddedStore::Change change;
    auto loaded = load(cell, here->epoch);
    change.unsynced = !loaded;
    if (loaded && loaded->soft.promised > loaded->durable.promised) {
      loaded->durable.promised = promised_in_effect(loaded->durable, loaded->soft, loaded->ceiling);
      change.durable = kept_text(loaded->durable, cell.generation);
    }
    return change;
  });
}

Result<std::vector<std::string>> EmbeddedAcceptor::names(const Where& where) {
  const auto here = place();
  if (!here) {
    return std::unexpected(here.error());
  }
  if (*here != where) {
    return fail(Errc::store_gone, "this store votes in " + where_text(*here));
  }
  return store_->keys();
}

Result<std::vector<PastHold>> EmbeddedAcceptor::holds(const Where& where, const std::string& name) {
  const auto here = place();
  if (!here) {
    return std::unexpected(here.error());
  }
  if (*here != where) {
    return fail(Errc::store_gone, "this store votes in " + where_text(*here));
  }
  return holds_.holds_of(name);
}

ServerFacts EmbeddedAcceptor::facts() const {
  ServerFacts facts;
  timespec up{};
  if (::clock_gettime(CLOCK_BOOTTIME, &up) == 0) {
    facts.uptime = std::chrono::seconds(up.tv_sec) + std::chrono::nanoseconds(up.tv_nsec);
  }
  struct statvfs space {};
  if (::statvfs(store_->path().c_str(), &space) == 0) {
    facts.free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
    facts.bytes = std::uint64_t{space.f_blocks} * space.f_frsize;
    if (space.f_files > 0) {  // some file systems have no such limit
      facts.free_inodes = space.f_favail;
      facts.inodes = space.f_files;
    }
  }
  return facts;
}

Result<EmbeddedAcceptor::Tally> EmbeddedAcceptor::tally(std::string_view after, std::size_t most) {
  const auto here = place();
  if (!here) {
    return here.error().code == Errc::store_gone ? Result<Tally>() : std::unexpected(here.error());
  }
  auto cells = store_->cells_after(after, most);
  if (!cells) {
    return std::unexpected(cells.error());
  }
  Tally tally{.records = cells->size()};
  for (const auto& [key, cell] : *cells) {
    if (const auto loaded = load(cell, here->epoch)) {
      tally.held += loaded->durable.value && !loaded->durable.value->is_free() ? 1U : 0U;
      tally.tickets += loaded->soft.tickets.size();
    }
  }
  if (cells->size() == most) {
    tally.next = std::move(cells->back().key);
  }
  return tally;
}

Result<Where> EmbeddedAcceptor::place() {
  if (!place_) {
    const auto known = identity();
    if (!known) {
      return std::unexpected(known.error());
    }
    if (!known->active) {
      return fail(Errc::store_gone, "this store belongs to no group yet");
    }
    place_ = Where{known->proposed->id, known->incarnation, known->proposed->epoch};
  }
  return *place_;
}

Result<ServerIdentity> EmbeddedAcceptor::identity() {
  ServerIdentity identity{.incarnation = store_->incarnation()};
  const auto proposed = store_->meta(kProposed);
  const auto active = store_->meta(kActive);
  if (!proposed || !active) {
    return std::unexpected(proposed ? active.error() : proposed.error());
  }
  if (*proposed) {
    const auto group = parse_group(**proposed);
    if (!group) {
      return std::unexpected(group.error());
    }
    identity.proposed = *group;
  }
  identity.active = *active;
  return identity;
}

Result<Group> EmbeddedAcceptor::change_group(const GroupStep& step) {
  if (step.kind == GroupStep::Kind::propose) {
    const auto stands = store_->set_meta_once(kProposed, group_text(step.group));
    return stands ? parse_group(*stands) : std::unexpected(stands.error());
  }
  const auto known = identity();
  if (!known) {
    return std::unexpected(known.error());
  }
  if (known->proposed != step.group) {
    return fail(Errc::bad_config, "this store was promised to another group");
  }
  const auto stands = store_->set_meta_once(kActive, step.group.id);
  if (!stands) {
    return std::unexpected(stands.error());
  }
  return step.group;
}

}  // namespace dexlock
