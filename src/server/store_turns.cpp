#include "server/store_turns.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

#include "lock/fields.hpp"
#include "server/lock_log.hpp"
#include "wire/reply_line.hpp"

namespace dexlock {
namespace {

std::string_view failure_word(Errc code) {
  switch (code) {
    case Errc::store_busy:
      return "busy";
    case Errc::store_damaged:
      return "damaged";
    case Errc::store_full:
      return "full";
    case Errc::store_gone:
      return "gone";
    default:
      return "io";
  }
}

}  // namespace

StoreTurns::StoreTurns(std::filesystem::path path, std::shared_ptr<EmbeddedStore> store,
                       const Limits& limits, Logs logs)
    : path_(std::move(path)),
      limits_(limits),
      logs_(logs),
      acceptor_(std::move(store), false,
                [this](auto transaction) { on_transaction(std::move(transaction)); }),
      server_(acceptor_),
      watches_(limits.watches, limits.watches_of_one) {}

// Where it fails the next server goes by the ceiling instead.
StoreTurns::~StoreTurns() { static_cast<void>(acceptor_.sync_promises()); }

Done StoreTurns::take(std::vector<Job> jobs) {
  Done done;
  std::vector<NumberedRequest> requests;
  std::vector<ConnectionId> from;
  std::vector<ConnectionId> gone;
  requests.reserve(jobs.size());
  from.reserve(jobs.size());
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

void StoreTurns::answer_requests(Done& done, const std::vector<NumberedRequest>& requests,
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

void StoreTurns::on_transaction(EmbeddedAcceptor::Transaction transaction) {
  failing_ = transaction.failed.has_value();
  transactions_.push_back(std::move(transaction));
}

// After a failure it tries: who waits for a commit of a client to tell that there is room again
// would wait for long.
Result<void> StoreTurns::probe() {
  if (failing_) {
    auto tried = acceptor_.try_commit();
    failing_ = !tried.has_value();
    return tried;
  }
  const auto identity = acceptor_.identity();
  return identity ? Result<void>() : std::unexpected(identity.error());
}

void StoreTurns::keep_watch(ConnectionId connection, const NumberedRequest& request) {
  if (const auto* watch = std::get_if<Watch>(&request.line)) {
    // Where there is no room it goes without: a watch is a hint.
    static_cast<void>(watches_.add({connection, request.id}, *watch));
  } else if (const auto* unwatch = std::get_if<Unwatch>(&request.line)) {
    watches_.remove({connection, unwatch->watch});
  }
}

void StoreTurns::tell_watchers(Done& done, const std::vector<NumberedRequest>& requests) {
  std::set<std::string> changed;
  for (const NumberedRequest& request : requests) {
    const auto* one = std::get_if<KeyRequest>(&request.line);
    const bool votes = one != nullptr && (std::holds_alternative<Accept>(one->request) ||
                                          std::holds_alternative<Fast>(one->request));
    if (votes && watches_.watched(one->key)) {
      changed.insert(one->key);
    }
  }
  const auto where = changed.empty() ? Result<Where>() : acceptor_.place();
  if (!where) {
    return;
  }
  for (const std::string& key : changed) {
    const Reply reply = acceptor_.serve(*where, key, Read{});
    const auto* answer = std::get_if<Answer>(&reply);
    if (answer == nullptr) {
      continue;
    }
    const std::string news_line = reply_line({std::numeric_limits<std::uint32_t>::max(), *answer});
    const std::string_view unnumbered = std::string_view(news_line).substr(news_line.find(' '));
    for (const auto& [connection, number] : watches_.concerned(key, answer->state)) {
      std::string& news = done.said[connection].news;
      if (news.size() < limits_.news_bytes) {
        append(news, number, unnumbered, '\n');
      }
    }
  }
}

void count(const Done& done, ServerMetrics& metrics) {
  for (const auto& [kind, number] : done.requests) {
    metrics.requests[kind] += number;
  }
  for (const EmbeddedAcceptor::Transaction& transaction : done.transactions) {
    if (transaction.failed) {
      ++metrics.commits_failed[failure_word(transaction.failed->code)];
    } else if (transaction.changes > 0) {
      metrics.commit_seconds.add(std::chrono::duration<double>(transaction.took).count());
      metrics.commit_changes.add(static_cast<double>(transaction.changes));
    }
  }
  metrics.watches = done.watches;
}

}  // namespace dexlock
