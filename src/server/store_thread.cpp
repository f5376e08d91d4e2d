#include "server/store_thread.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "server/lock_log.hpp"
#include "wire/reply_line.hpp"

namespace dexlock {

StoreThread::StoreThread(std::filesystem::path path, std::shared_ptr<EmbeddedStore> store,
                         const Limits& limits, Logs logs, Tell tell)
    : path_(std::move(path)),
      limits_(limits),
      logs_(logs),
      acceptor_(std::move(store), false,
                [this](auto transaction) { on_transaction(std::move(transaction)); }),
      server_(acceptor_),
      watches_(limits.watches, limits.watches_of_one),
      tell_(std::move(tell)),
      thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
  }
  filled_.notify_one();
  thread_.join();
  // Where it fails the next server goes by the ceiling instead.
  static_cast<void>(acceptor_.sync_promises());
}

void StoreThread::put(std::vector<Job> jobs) {
  {
    const std::scoped_lock lock(mutex_);
    if (jobs_.empty()) {
      jobs_ = std::move(jobs);
    } else {
      std::ranges::move(jobs, std::back_inserter(jobs_));
    }
  }
  filled_.notify_one();
}

void StoreThread::run() {
  while (true) {
    std::vector<Job> jobs;
    {
      std::unique_lock lock(mutex_);
      filled_.wait(lock, [&] { return closed_ || !jobs_.empty(); });
      if (closed_) {
        return;
      }
      jobs.swap(jobs_);
    }
    tell_(answer(jobs));
  }
}

Done StoreThread::answer(std::vector<Job>& jobs) {
  Done done;
  std::vector<NumberedRequest> requests;
  std::vector<ConnectionId> from;
  std::vector<ConnectionId> gone;
  for (Job& job : jobs) {
    if (auto* request = std::get_if<NumberedRequest>(&job.what)) {
      requests.push_back(std::move(*request));
      from.push_back(job.connection);
      continue;
    }
    if (std::holds_alternative<Gone>(job.what)) {
      gone.push_back(job.connection);
    } else if (std::holds_alternative<Probe>(job.what)) {
      done.probed = probe();
    } else if (const auto* count = std::get_if<CountSlice>(&job.what)) {
      done.counted = acceptor_.tally(count->after, count->most);
    } else {
      LineServer::Greeted greeted = server_.greet(path_);
      Said& said = done.said[job.connection];
      said.text += greeted.line;
      said.end = !greeted.usable;
    }
  }
  answer_requests(done, requests, from);
  std::ranges::for_each(gone, [&](ConnectionId id) { watches_.remove_all(id); });
  tell_watchers(done, requests);
  done.watches = watches_.size();
  done.transactions = std::exchange(transactions_, {});
  return done;
}

void StoreThread::answer_requests(Done& done, const std::vector<NumberedRequest>& requests,
                                  const std::vector<ConnectionId>& from) {
  const std::vector<std::string> lines = server_.answer(requests);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Said& said = done.said[from[i]];
    said.text += lines[i];
    ++said.replies;
    const std::string_view outcome = outcome_of(lines[i]);
    ++done.requests[{std::string(verb_of(requests[i].line)), std::string(outcome)}];
    if (logs_.requests) {
      done.log.push_back(line_of_request(requests[i].line, outcome, from[i]));
    }
    keep_watch(from[i], requests[i]);
  }
  if (logs_.changes) {
    for (const auto& transaction : transactions_) {
      for (const auto& [lock, before, after] : transaction.accepted) {
        std::ranges::move(lines_of_change(lock, before, after), std::back_inserter(done.log));
      }
    }
  }
}

void StoreThread::on_transaction(EmbeddedAcceptor::Transaction transaction) {
  failing_ = transaction.failed.has_value();
  transactions_.push_back(std::move(transaction));
}

// After a failure it tries: who waits for a commit of a client to tell that there is room again
// would wait for long.
Result<void> StoreThread::probe() {
  if (failing_) {
    auto tried = acceptor_.try_commit();
    failing_ = !tried.has_value();
    return tried;
  }
  const auto identity = acceptor_.identity();
  return identity ? Result<void>() : std::unexpected(identity.error());
}

void StoreThread::keep_watch(ConnectionId connection, const NumberedRequest& request) {
  if (const auto* watch = std::get_if<Watch>(&request.line)) {
    // Where there is no room it goes without: a watch is a hint.
    static_cast<void>(watches_.add({connection, request.id}, *watch));
  } else if (const auto* unwatch = std::get_if<Unwatch>(&request.line)) {
    watches_.remove({connection, unwatch->watch});
  }
}

void StoreThread::tell_watchers(Done& done, const std::vector<NumberedRequest>& requests) {
  std::set<std::string> changed;
  for (const NumberedRequest& request : requests) {
    const auto* one = std::get_if<KeyRequest>(&request.line);
    const bool votes = one != nullptr && (std::holds_alternative<Accept>(one->request) ||
                                          std::holds_alternative<Fast>(one->request));
    if (votes && watches_.watched(one->key)) {
      changed.insert(one->key);
    }
  }
  const auto identity = changed.empty() ? Result<ServerIdentity>() : acceptor_.identity();
  if (!identity || !identity->active || !identity->proposed) {
    return;
  }
  const Where where{*identity->active, identity->incarnation, identity->proposed->epoch};
  for (const std::string& key : changed) {
    const Reply reply = acceptor_.serve(where, key, Read{});
    const auto* answer = std::get_if<Answer>(&reply);
    if (answer == nullptr) {
      continue;
    }
    for (const auto& [connection, number] : watches_.concerned(key, answer->state)) {
      std::string& news = done.said[connection].news;
      if (news.size() < limits_.news_bytes) {
        news += reply_line({number, *answer}) + '\n';
      }
    }
  }
}

}  // namespace dexlock
