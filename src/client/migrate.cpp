// migrate: moves a lock to other lock servers, a step of lock/migration.hpp at a time.
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "client/closed_text.hpp"
#include "client/held_text.hpp"
#include "client/operator_call.hpp"
#include "client/shown_holders.hpp"
#include "dexlock/maintenance.hpp"
#include "lock/migration.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

Result<ClientContext> context_of(const std::optional<std::string>& dir, std::string_view option) {
  if (!dir) {
    return ClientContext::load();
  }
  std::error_code error;
  if (dir->empty() || !std::filesystem::is_directory(*dir, error)) {
    return fail(Errc::bad_config, std::string(option) + " " + *dir +
                                      ": no directory; name the one that has the lock_servers");
  }
  return ClientContext::load(
      {.explicit_dir = *dir, .installation_dir = {}, .user_dir = {}, .system_dir = {}});
}

// The lock on one of the two groups.
class Side {
 public:
  Side(std::string name, ClientContext context, Remarks& remarks)
      : name_(std::move(name)), context_(std::move(context)), remarks_(remarks) {}

  // Connects, if it is not connected.
  Result<void> look() {
    if (call_) {
      return {};
    }
    auto call = OperatorCall::open(name_, context_);
    if (!call) {
      return std::unexpected(call.error());
    }
    const bool first = !group_;
    Remarks told;
    const auto seen = (*call)->view(told);
    if (first) {
      std::ranges::move(told.notes, std::back_inserter(remarks_.notes));
    }
    if (!seen) {
      return std::unexpected(seen.error());
    }
    const Group& group = *(*call)->call().cluster().group();
    if (group_ && (group_->id != group.id || group_->epoch != group.epoch)) {
      return fail(Errc::bad_config, servers() + ": lead to another group than just now");
    }
    group_ = group;
    call_ = std::move(*call);
    return {};
  }

  using Step = std::function<Change(const Record&, const ReleaseSpec&)>;
  // The record that a majority has then.
  Result<OperatorCall::Outcome> alter(Step step, bool opens = false) {
    if (auto connected = look(); !connected) {
      return std::unexpected(connected.error());
    }
    return call_->amend(Alter{.change = std::move(step), .opens = opens});
  }

  // Until nobody holds it, or `limit`.
  Result<ChangeOutcome> drain(milliseconds limit,
                              const std::function<void(const std::string&)>& on_wait) {
    if (auto connected = look(); !connected) {
      return std::unexpected(connected.error());
    }
    auto outcome = Drain(call_->call(), call_->name(), on_wait).run(limit);
    call_.reset();  // its driver has another errand now
    return outcome;
  }

  [[nodiscard]] const Group& group() const { return *group_; }
  [[nodiscard]] std::string servers() const {
    std::string text;
    for (const ServerEntry& entry : context_.config.servers) {
      text += (text.empty() ? "" : " ") + entry.shown;
    }
    return text;
  }

 private:
  std::string name_;
  ClientContext context_;
  Remarks& remarks_;
  std::unique_ptr<OperatorCall> call_;
  std::optional<Group> group_;
};

ChangeOutcome not_done(std::string reason, const Record& record) {
  return {.done = false, .reason = std::move(reason), .holders = shown_holders(record)};
}

class MigrateCall {
 public:
  MigrateCall(const MigrationOptions& options, Side from, Side to)
      : options_(options), from_(std::move(from)), to_(std::move(to)) {}

  Result<ChangeOutcome> run() {
    if (auto known = meet(); !known) {
      return std::unexpected(known.error());
    }
    auto source = seen(from_);
    if (!source) {
      return std::unexpected(source.error());
    }
    auto before = done_already(*source);
    if (!before || before->done) {
      return before;
    }
    const auto may_leave = leave(*source, migration_, OpId{"look"});
    if (!may_leave.next) {
      return not_done("on the old lock servers it is " +
                          closed_text(Closed{.declined = may_leave.declined, .record = *source}),
                      *source);
    }
    auto outcome = move();
    if (!outcome || outcome->done) {
      return outcome;
    }
    // What was in the way may have been another one who moved it, to the end.
    source = seen(from_);
    if (source) {
      before = done_already(*source);
    }
    return source && before && before->done ? before : outcome;
  }

 private:
  // A majority's value, unchanged.
  static Change as_it_is(const Record& base, const ReleaseSpec& spec) {
    Record same = base;
    if (same.op.text.empty()) {
      same.op = spec.op;
    }
    return Change::write(std::move(same));
  }
  static const Record& record_of(const OperatorCall::Outcome& outcome) {
    return std::visit([](const auto& what) -> const Record& { return what.record; }, outcome);
  }

  // The record that a majority of that side has.
  static Result<Record> seen(Side& side) {
    const auto outcome =
        side.alter([](const Record& base, const auto& spec) { return as_it_is(base, spec); });
    if (!outcome) {
      return std::unexpected(outcome.error());
    }
    return record_of(*outcome);
  }

  // `source`: of the old side, just seen.
  Result<ChangeOutcome> done_already(const Record& source) {
    const auto target = seen(to_);
    if (!target) {
      return std::unexpected(target.error());
    }
    return ChangeOutcome{.done = has_moved(source, migration_) && !arrival_id(*target, migration_),
                         .reason = {},
                         .holders = shown_holders(*target)};
  }

  Result<void> meet() {
    if (auto seen = from_.look(); !seen) {
      return seen;
    }
    if (auto seen = to_.look(); !seen) {
      return seen;
    }
    if (from_.group().id == to_.group().id) {
      return fail(Errc::bad_argument,
                  "--from and --to lead to the same lock servers (group " + to_.group().id + ")");
    }
    if (from_.group().epoch > to_.group().epoch) {
      return fail(Errc::bad_config,
                  "the tokens of the old lock servers are of epoch " +
                      std::to_string(from_.group().epoch.value) + ", the new ones' of epoch " +
                      std::to_string(to_.group().epoch.value) + ": they could not count on");
    }
    migration_ = {
        .from = from_.group().id, .to = to_.group().id, .to_servers = to_.servers(), .id = {}};
    return {};
  }

  Result<ChangeOutcome> move() {
    const auto arrived = drained(to_, "on the new lock servers",
                                 [this](const Record& base, const ReleaseSpec& spec) {
                                   return arrive(base, migration_, spec.op);
                                 });
    if (!arrived || stopped_) {
      return arrived ? Result<ChangeOutcome>(*stopped_) : std::unexpected(arrived.error());
    }
    const auto id = arrival_id(*arrived, migration_);
    if (!id) {
      return not_done("on the new lock servers it is " + gate_text(arrived->gate), *arrived);
    }
    migration_.id = *id;
    const auto left = drained(from_, "on the old lock servers",
                              [this](const Record& base, const ReleaseSpec& spec) {
                                return leave(base, migration_, spec.op);
                              });
    if (!left || stopped_) {
      return left ? Result<ChangeOutcome>(*stopped_) : std::unexpected(left.error());
    }
    const bool same_epoch = from_.group().epoch == to_.group().epoch;
    const std::array<std::pair<Side*, Side::Step>, 3> steps{{
        {&to_,
         [&](const Record& base, const ReleaseSpec& spec) {
           return inherit(base, *left, same_epoch, migration_, spec.op);
         }},
        {&from_, [&](const Record& base,
                     const ReleaseSpec& spec) { return moved(base, *left, migration_, spec.op); }},
        {&to_, [&](const Record& base,
                   const ReleaseSpec& spec) { return open_arrived(base, migration_, spec); }},
    }};
    ChangeOutcome done{.done = true, .reason = {}, .holders = {}};
    for (const auto& [side, step] : steps) {
      const bool last = &step == &steps.back().second;
      const auto outcome = side->alter(step, last);
      if (!outcome) {
        return std::unexpected(outcome.error());
      }
      if (const auto* declined = std::get_if<NotAmended>(&*outcome)) {
        return not_done("somebody has changed it meanwhile; it is " + state_of(declined->record),
                        declined->record);
      }
      done.holders = shown_holders(record_of(*outcome));
    }
    return done;
  }

  static std::string state_of(const Record& record) {
    return record.is_free() ? gate_text(record.gate) : held_text(record, {});
  }

  // What a majority has of a side that is on hold and held by nobody; or stopped_ says why not.
  Result<Record> drained(Side& side, const std::string& where, const Side::Step& hold) {
    for (;;) {
      const auto outcome = side.alter(hold);
      if (!outcome) {
        return std::unexpected(outcome.error());
      }
      const Record& record = record_of(*outcome);
      if (const auto* declined = std::get_if<NotAmended>(&*outcome)) {
        stopped_ = not_done(where + " it is " + why_not(*declined), declined->record);
        return record;
      }
      if (record.is_free()) {
        return record;
      }
      if (options_.wait == milliseconds(0)) {
        stopped_ = not_done(where + ": on hold, but still " + held_text(record, {}), record);
        return record;
      }
      const auto waited = side.drain(options_.wait, [&](const std::string& why) {
        if (options_.on_wait) {
          options_.on_wait(where + " " + why);
        }
      });
      if (!waited) {
        return std::unexpected(waited.error());
      }
      if (!waited->done) {
        stopped_ = *waited;
        stopped_->reason = where + ": " + waited->reason;
        return record;
      }
    }
  }

  const MigrationOptions& options_;
  Side from_;
  Side to_;
  Migration migration_;
  std::optional<ChangeOutcome> stopped_;
};

}  // namespace

Result<ChangeOutcome> migrate_lock(const MigrationOptions& options, Remarks& remarks) {
  auto from = context_of(options.from, "--from");
  if (!from) {
    return std::unexpected(from.error());
  }
  auto to = context_of(options.to, "--to");
  if (!to) {
    return std::unexpected(to.error());
  }
  return MigrateCall(options, Side(options.name, std::move(*from), remarks),
                     Side(options.name, std::move(*to), remarks))
      .run();
}

}  // namespace dexlock
