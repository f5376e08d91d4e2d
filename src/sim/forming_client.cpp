#include "sim/forming_client.hpp"

#include <algorithm>
#include <array>

#include "lock/quorum.hpp"

namespace dexlock::sim {
namespace {

std::string digest(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return "g" + std::to_string(hash);
}

}  // namespace

FormingClient::FormingClient(std::size_t index, std::vector<FormingServer*> list,
                             FormingAround& around)
    : index_(index), list_(std::move(list)), around_(around), name_("c" + std::to_string(index)) {
  for (std::size_t i = list_.size(); i > 1; --i) {
    std::swap(list_[i - 1], list_[around.random.below(i)]);
  }
}

void FormingClient::note(const std::string& text) {
  around_.note(name_ + '.' + std::to_string(process_), text);
}

std::string FormingClient::describe() const {
  std::string text = name_ + (remembered_ ? " (remembers " + *remembered_ + ")" : "");
  if (!assembly_) {
    return text + " has no process";
  }
  text += assembly_->group() ? " has group " + assembly_->group()->id
                             : " waits: " + assembly_->waiting_for();
  for (const AssemblyProblem& problem : assembly_->problems()) {
    text += "; problem: " + problem.text;
  }
  return text;
}

void FormingClient::start() {
  if (assembly_) {
    return;
  }
  ++process_;
  began_healed_ = around_.healed;
  if (!around_.healed && happens(around_.random, around_.mix.forgetful)) {
    remembered_.reset();
  }
  std::vector<std::string> names;
  for (std::size_t seat = 0; seat < list_.size(); ++seat) {
    names.push_back(name_ + "s" + std::to_string(seat));
  }
  const bool ignored = around_.planted(Plant::group_memory_ignored);
  assembly_ = std::make_unique<Assembly>(
      std::move(names), ignored ? std::optional<std::string>() : remembered_, digest);
  seats_.assign(list_.size(), Seat{});
  votes_.clear();
  note("begins");
  for (std::size_t seat = 0; seat < list_.size(); ++seat) {
    connect(seat);
  }
  poll(process_);
}

void FormingClient::end_process() {
  assembly_.reset();
  unanswered_.clear();
}

void FormingClient::kill() {
  if (!assembly_) {
    return;
  }
  note("is killed");
  around_.counts.add(Seen::kills);
  end_process();
  around_.after(between(around_.random, Nanoseconds(1), around_.mix.down_max), [this] { start(); });
}

void FormingClient::heal() {
  served_ = refused_ = false;
  votes_.clear();
  if (happens(around_.random, 500'000)) {
    end_process();
  }
  if (!assembly_) {
    start();
  }
}

Nanoseconds FormingClient::delay() {
  const bool slow = !around_.healed && happens(around_.random, around_.mix.slow_message);
  return between(around_.random, Nanoseconds(1000),
                 slow ? around_.mix.slow_max : around_.mix.delay_max);
}

bool FormingClient::lost() { return !around_.healed && happens(around_.random, around_.mix.lose); }

void FormingClient::connect(std::size_t seat) {
  seats_[seat].connection = ++connections_;
  ask(seat, FormingRequest{});
}

// A request that was sent arrives, whatever becomes of the client; its answer is heard only by the
// process and on the connection that sent it.
void FormingClient::ask(std::size_t seat, FormingRequest request) {
  const std::uint64_t process = process_;
  const std::uint64_t connection = seats_[seat].connection;
  const std::uint64_t number = ++asked_;
  unanswered_.insert(number);
  around_.counts.add(Seen::requests);
  const auto is_heard = [this, process, connection, seat, number] {
    return assembly_ && process == process_ && seats_[seat].connection == connection &&
           unanswered_.erase(number) != 0;
  };
  around_.after(around_.mix.patience, [this, is_heard, seat] {
    if (is_heard()) {
      lose(seat, "no answer in time");
    }
  });
  if (lost()) {
    return;
  }
  around_.after(delay(), [this, is_heard, seat, request = std::move(request)] {
    const auto reply = list_[seat]->serve(request);
    if (!reply || lost()) {
      return;
    }
    around_.counts.add(Seen::replies);
    around_.after(delay(), [this, is_heard, seat, request, reply = *reply] {
      if (is_heard()) {
        hear(seat, request, reply);
      }
    });
  });
}

void FormingClient::hear(std::size_t seat, const FormingRequest& request,
                         const FormingReply& reply) {
  if (!reply.done) {
    lose(seat, "it refuses");
    return;
  }
  switch (request.kind) {
    case FormingRequest::Kind::greet:
      seats_[seat].connected = true;
      seats_[seat].incarnation = reply.identity.incarnation;
      take_steps(assembly_->on_identity(seat, reply.identity));
      break;
    case FormingRequest::Kind::propose:
      if (around_.planted(Plant::group_activated_unseen) &&
          reply.identity.proposed == request.group) {
        ask(seat, {FormingRequest::Kind::activate, seats_[seat].incarnation, request.group});
      }
      take_steps(assembly_->on_proposed(seat, *reply.identity.proposed));
      break;
    case FormingRequest::Kind::activate:
      take_steps(assembly_->on_activated(seat));
      break;
    case FormingRequest::Kind::vote:
      votes_.insert(seat);
      if (votes_.size() >= majority(list_.size())) {
        around_.counts.add(Seen::forming_majorities);
        served_ = served_ || around_.healed;
      }
      break;
  }
}

void FormingClient::lose(std::size_t seat, const std::string& why) {
  note("loses server " + std::to_string(seat) + ": " + why);
  seats_[seat].connected = false;
  seats_[seat].connection = ++connections_;
  assembly_->on_down(seat, why);
  const std::uint64_t process = process_;
  around_.after(between(around_.random, Nanoseconds(1), around_.mix.poll), [this, process, seat] {
    if (assembly_ && process == process_ && !seats_[seat].connected) {
      connect(seat);
    }
  });
}

void FormingClient::take_steps(const std::vector<GroupStep>& steps) {
  for (const GroupStep& step : steps) {
    const bool proposes = step.kind == GroupStep::Kind::propose;
    note((proposes ? "proposes " : "activates ") + step.group.id + " on " +
         std::to_string(step.server));
    if (proposes) {
      around_.judge.on_formed_anew(name_, remembered_, around_.now());
    }
    ask(step.server, {proposes ? FormingRequest::Kind::propose : FormingRequest::Kind::activate,
                      seats_[step.server].incarnation, step.group});
  }
  check();
}

void FormingClient::check() {
  if (const AssemblyProblem* problem = assembly_->fatal_problem()) {
    note("says: " + problem->text);
    around_.counts.add(Seen::forming_refusals);
    refused_ = refused_ || began_healed_;
    end_process();
    around_.after(between(around_.random, around_.mix.poll, around_.mix.poll * 10),
                  [this] { start(); });
    return;
  }
  if (assembly_->group()) {
    around_.judge.on_used(name_, remembered_, assembly_->group()->id, around_.now());
    if (!remembered_) {
      note("has group " + assembly_->group()->id);
    }
    remembered_ = assembly_->group()->id;
  }
}

void FormingClient::poll(std::uint64_t process) {
  if (!assembly_ || process != process_) {
    return;
  }
  if (around_.healed && !began_healed_ && reported()) {
    end_process();  // what it saw of stores that were wiped since is old: it is started again
    start();
    return;
  }
  ask_for_votes();
  around_.after(between(around_.random, around_.mix.poll / 2, around_.mix.poll),
                [this, process] { poll(process); });
}

void FormingClient::ask_for_votes() {
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    if (seats_[seat].connected && assembly_->votes(seat)) {
      ask(seat, {FormingRequest::Kind::vote, seats_[seat].incarnation, *assembly_->group()});
    }
  }
}

}  // namespace dexlock::sim
