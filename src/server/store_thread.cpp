#include "server/store_thread.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "wire/reply_line.hpp"

namespace dexlock {

StoreThread::StoreThread(std::filesystem::path path, std::shared_ptr<EmbeddedStore> store,
                         const Limits& limits, Tell tell)
    : path_(std::move(path)),
      acceptor_(std::move(store), false),
      server_(acceptor_),
      limits_(limits),
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

AllSaid StoreThread::answer(std::vector<Job>& jobs) {
  AllSaid all;
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
      continue;
    }
    LineServer::Greeted greeted = server_.greet(path_);
    Said& said = all[job.connection];
    said.text += greeted.line;
    said.end = !greeted.usable;
  }
  const std::vector<std::string> lines = server_.answer(requests);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    Said& said = all[from[i]];
    said.text += lines[i];
    ++said.replies;
    keep_watch(from[i], requests[i]);
  }
  std::ranges::for_each(gone, [&](ConnectionId id) { watches_.remove_all(id); });
  tell_watchers(all, requests);
  return all;
}

void StoreThread::keep_watch(ConnectionId connection, const NumberedRequest& request) {
  if (const auto* watch = std::get_if<Watch>(&request.line)) {
    // Where there is no room it goes without: a watch is a hint.
    static_cast<void>(watches_.add({connection, request.id}, *watch));
  } else if (const auto* unwatch = std::get_if<Unwatch>(&request.line)) {
    watches_.remove({connection, unwatch->watch});
  }
}

void StoreThread::tell_watchers(AllSaid& all, const std::vector<NumberedRequest>& requests) {
  std::set<std::string> changed;
  for (const NumberedRequest& request : requests) {
    const auto* one = std::get_if<KeyRequest>(&request.line);
    if (one != nullptr && std::holds_alternative<Accept>(one->request) &&
        watches_.watched(one->key)) {
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
      std::string& news = all[connection].news;
      if (news.size() < limits_.news_bytes) {
        news += reply_line({number, *answer}) + '\n';
      }
    }
  }
}

}  // namespace dexlock
