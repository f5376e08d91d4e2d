#include "client/one_shot_call.hpp"

#include <algorithm>
#include <utility>

#include "client/client_id.hpp"
#include "lock/quorum.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::milliseconds kShortestLease{100};

}  // namespace

OneShotCall::OneShotCall(const ClientContext& context, std::string name,
                         const std::optional<KeeperUse>& keeper)
    : context_(context), name_(std::move(name)), deadline_(loop_) {
  ClusterOptions options = context.cluster_options();
  if (keeper) {
    options.pool = &pool_.emplace(*keeper, context.paths.state_dir);
  }
  cluster_ = std::make_unique<Cluster>(
      loop_, std::move(options),
      Cluster::Handlers{
          .on_ready =
              [this] {
                if (auto noted = context_.memory.remember_group(cluster_->group()->id); !noted) {
                  fail_with(noted.error());
                  return;
                }
                handlers_.on_ready();
              },
          .on_fatal = [this](const Error& error) { fail_with(error); },
          .on_change =
              [this](std::size_t server) {
                if (driver_) {
                  driver_->recall(server);
                }
                handlers_.on_change();
              },
      });
}

OneShotCall::~OneShotCall() {
  if (pool_ && !error_) {
    driver_.reset();
    handlers_ = {.on_ready = [] {}, .on_event = [](const Event&) {}, .on_change = [] {}};
    loop_.restart();
    loop_.poll();  // what is being sent is not left in part
    cluster_->keep();
  }
}

bool OneShotCall::run(std::chrono::milliseconds limit, Handlers handlers) {
  handlers_ = std::move(handlers);
  finished_ = false;
  loop_.restart();
  cluster_->open();
  return run_loop(limit);
}

bool OneShotCall::again(std::chrono::milliseconds limit, const std::function<void()>& begin,
                        std::function<void(const Event&)> on_event) {
  handlers_ = Handlers{.on_ready = [] {}, .on_event = std::move(on_event), .on_change = [] {}};
  finished_ = false;
  loop_.restart();
  begin();
  return run_loop(limit);
}

bool OneShotCall::run_loop(std::chrono::milliseconds limit) {
  deadline_.expires_after(limit);
  deadline_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      loop_.stop();
    }
  });
  loop_.run();
  return finished_;
}

void OneShotCall::finish() {
  finished_ = true;
  loop_.stop();
}

void OneShotCall::fail_with(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
  loop_.stop();
}

LockDriver& OneShotCall::drive(Claim claim, Terms terms, Nanoseconds step, std::string who,
                               const OwnerState& state) {
  return drive({.name = name_,
                .claim = std::move(claim),
                .terms = terms,
                .who = std::move(who),
                .step = step,
                .seen = context_.memory.seen(key_file_name(name_))},
               [&state](const Saved& saved) { return state.save(saved); });
}

LockDriver& OneShotCall::drive_apart(bool queues) {
  return drive({.name = name_,
                .claim = {.client = draw_client_id()},
                .terms = {.lease = kShortestLease},
                .who = {},
                .queues = queues,
                .fences = true,  // whom a holder had to fence is still to be found
                .seen = context_.memory.seen(key_file_name(name_))},
               {});
}

LockDriver& OneShotCall::drive(LockDriverOptions options,
                               std::function<Result<void>(const Saved&)> save) {
  driver_ = std::make_unique<LockDriver>(
      loop_, *cluster_, std::move(options),
      LockDriver::Handlers{.on_event = [this](const Event& event) { handlers_.on_event(event); },
                           .save = std::move(save),
                           .on_save_failed = [this](const Error& error) { fail_with(error); }});
  return *driver_;
}

bool OneShotCall::hopeless() const {
  std::size_t down = 0;
  for (std::size_t server = 0; server < cluster_->size(); ++server) {
    down += cluster_->view(server, name_).down ? 1U : 0U;
  }
  // Without a group known to be active all servers are needed: it is formed by all of them, or not
  // at all.
  const bool no_majority = cluster_->size() - down < majority(cluster_->size());
  return no_majority || (!cluster_->group() && cluster_->settled() && down > 0);
}

Error OneShotCall::why_no_quorum() const {
  std::string down;
  bool all_configuration = true;
  bool denied = false;
  std::size_t refused = 0;
  for (std::size_t server = 0; server < cluster_->size(); ++server) {
    const auto view = cluster_->view(server, name_);
    if (view.down) {
      down += (down.empty() ? "" : "; ") + view.down->text;
      const bool is_configuration = must_correct(view.down->code);
      denied = denied || view.down->code == Errc::not_permitted;
      all_configuration = all_configuration && is_configuration;
      refused += is_configuration ? 1U : 0U;
    } else if (!view.greeting) {
      down += (down.empty() ? "" : "; ") + view.shown + ": no answer yet";
      all_configuration = false;
    } else if (!view.fault.empty()) {
      down += (down.empty() ? "" : "; ") + view.fault;
      all_configuration = false;
    }
  }
  // Where a majority has refused, no answer of the others makes another try useful.
  const bool useless = (all_configuration && !down.empty()) ||
                       cluster_->size() - refused < majority(cluster_->size());
  const Errc code = !useless ? Errc::no_quorum : denied ? Errc::not_permitted : Errc::bad_config;
  if (!cluster_->group() && !context_.memory.group()) {
    return Error{code, down.empty() ? cluster_->assembly().waiting_for() : down};
  }
  const std::string needed = std::to_string(majority(cluster_->size())) + " of " +
                             std::to_string(cluster_->size()) + " lock servers are needed";
  for (const AssemblyProblem& problem : cluster_->assembly().problems()) {  // who has no vote
    down += (down.empty() ? "" : "; ") + problem.text;
  }
  return Error{code, needed + (down.empty() ? ", and too few answer in time" : ": " + down)};
}

void OneShotCall::collect_remarks(Remarks& remarks) const {
  for (std::size_t server = 0; server < cluster_->size(); ++server) {
    const auto view = cluster_->view(server, name_);
    if (view.down) {
      remarks.notes.push_back(view.down->text);
    } else if (view.greeting) {
      remarks.notes.push_back(view.shown + ": " + view.greeting->format + " store in " +
                              view.greeting->directory + ", sync " + view.greeting->sync +
                              (view.votes ? "" : ", no vote"));
    }
  }
  for (const AssemblyProblem& problem : cluster_->assembly().problems()) {
    remarks.notes.push_back(problem.text);
  }
  if (pool_ && !pool_->note().empty()) {
    remarks.notes.push_back(pool_->note());
  }
}

void OneShotCall::remember() const {
  if (driver_) {
    context_.memory.remember_seen(key_file_name(name_), driver_->seen());
  }
}

}  // namespace dexlock
