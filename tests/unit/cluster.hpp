// A cluster in one process for session tests: acceptors that may lose their volatile half, clients
// that may die and resume from what they saved, and a wire on which each test decides, message by
// message, what arrives, is lost, comes twice or overtakes.
//
// Invariants:  what a client saved is its whole memory; it is kept before its messages leave.
//              every value that leaves can be written down and read back.
// Never does:  real time, real randomness: the same calls give the same run.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "lock/quorum.hpp"
#include "lock/record_text.hpp"
#include "register/acceptor.hpp"
#include "session/session.hpp"

namespace dexlock {

class FakeCluster {
 public:
  struct Message {
    std::size_t client = 0;
    std::size_t server = 0;
    int process = 0;  // of the client: what is meant for a dead process reaches nobody
    AttemptId attempt = 0;
    Request request;
    std::optional<Reply> reply;  // set: on its way back
    Nanoseconds due{};
  };
  using Filter = std::function<bool(const Message&)>;

  struct Server {
    Durable durable = absent_record(Epoch{1});
    Soft soft;
    BootId boot;
    bool up = true;
    bool refuses = false;  // while down: it is told at once that there is no connection
  };
  struct Client {
    SessionSetup setup;
    std::unique_ptr<Session> session;  // none: no process is running
    std::string saved;
    std::vector<Event> events;
    int process = 0;
    std::int64_t fast_ppm = 0;  // its clocks against true time
    Nanoseconds raw_lead{};     // what its boot clock has lost against the raw one
    bool renews = true;         // run_for() sends heartbeats for it
    Nanoseconds renew_at{};
    Nanoseconds paused_until{};  // its timers do not fire before
  };

  explicit FakeCluster(std::size_t servers) : servers_(servers) {
    for (std::size_t server = 0; server < servers; ++server) {
      reboot(server);
    }
  }

  static Terms terms(std::chrono::milliseconds lease) {
    return Terms{.lease = lease, .stop = {}, .claim = lease / 2, .drift_ppm = kDriftPpm};
  }

  std::size_t add(const std::string& name,
                  std::chrono::milliseconds lease = std::chrono::seconds(10), Claim claim = {}) {
    Client client;
    claim.client = ClientId{name};
    client.setup = SessionSetup{.servers = servers_.size(), .claim = claim, .terms = terms(lease)};
    client.setup.who = "user@host " + name;
    client.setup.fast_ballots = fast_ballots;
    clients_.push_back(std::move(client));
    start(clients_.size() - 1);
    return clients_.size() - 1;
  }

  // A new process of the client; it knows what was saved.
  void start(std::size_t client) {
    Client& c = clients_[client];
    ++processes_;
    c.process = processes_;
    c.setup.proposer = {static_cast<std::uint32_t>(client + 1),
                        static_cast<std::uint32_t>(processes_)};
    c.setup.seed = static_cast<std::uint64_t>(processes_) * 7919;
    c.session = std::make_unique<Session>(c.setup);
    c.renew_at = now_;
    if (!c.saved.empty()) {
      const auto saved = parse_saved(c.saved);
      ASSERT_TRUE(saved) << c.saved;
      c.session->resume(*saved);
    }
  }
  void kill(std::size_t client) { clients_[client].session.reset(); }

  void reboot(std::size_t server) {
    servers_[server].soft = Soft{};
    servers_[server].boot = BootId{"boot" + std::to_string(++boots_)};
  }

  void acquire(std::size_t client, Patience patience = Patience::wait) {
    feed(client, clients_[client].session->acquire(patience, clock(client)));
  }
  void renew(std::size_t client) { feed(client, clients_[client].session->renew(clock(client))); }
  void store(std::size_t client, const std::string& text) {
    feed(client, clients_[client].session->store(text, clock(client)));
  }
  void release(std::size_t client) {
    feed(client, clients_[client].session->release(clock(client)));
  }
  void amend(std::size_t client, const Amendment& amendment) {
    feed(client, clients_[client].session->amend(amendment, clock(client)));
  }
  void hand_over(std::size_t client, std::optional<ClientId> heir = std::nullopt) {
    feed(client, clients_[client].session->hand_over(std::move(heir), clock(client)));
  }
  void view(std::size_t client) { feed(client, clients_[client].session->view(clock(client))); }
  // The server tells without having been asked.
  void tell(std::size_t client, std::size_t server) {
    const Server& from = servers_[server];
    tell(client, server, state_of(from.durable, from.soft, from.boot));
  }
  void tell(std::size_t client, std::size_t server, State state) {
    const Answer news{Verdict::state, std::move(state)};
    feed(client, clients_[client].session->on_news(server, news, clock(client)));
  }
  void wake(std::size_t client) { feed(client, clients_[client].session->on_wake(clock(client))); }

  void deliver(std::size_t at) {
    Message message = wire[at];
    wire.erase(wire.begin() + static_cast<std::ptrdiff_t>(at));
    Client& client = clients_[message.client];
    if (message.reply) {
      if (client.session && client.process == message.process) {
        feed(message.client, client.session->on_reply(message.server, message.attempt,
                                                      *message.reply, clock(message.client)));
      }
      return;
    }
    Server& server = servers_[message.server];
    if (server.up || server.refuses) {
      message.reply = server.up ? answer(message.server, message.request) : Reply(Fault{});
      post(std::move(message));
    }
  }

  // The first message that matches; false if there is none.
  bool deliver_one(const Filter& filter) {
    for (std::size_t at = 0; at < wire.size(); ++at) {
      if (filter(wire[at])) {
        deliver(at);
        return true;
      }
    }
    return false;
  }
  void deliver_all(const Filter& filter) {
    for (int left = 10'000; deliver_one(filter);) {
      ASSERT_GT(--left, 0) << "messages without end";
    }
  }
  std::size_t drop(const Filter& filter) { return std::erase_if(wire, filter); }
  void duplicate(const Filter& filter) {
    std::vector<Message> copies;
    std::ranges::copy_if(wire, std::back_inserter(copies), filter);
    wire.insert(wire.end(), copies.begin(), copies.end());
  }

  // Everything arrives and everybody wakes in time until `length` of true time is over; links carry
  // what `carried` lets through and lose the rest.
  void run_for(Nanoseconds length, const Filter& carried = any()) {
    const Nanoseconds end = now_ + length;
    for (int left = 200'000; left > 0; --left) {
      drop([&](const Message& message) { return !carried(message); });
      if (deliver_one(any())) {
        continue;
      }
      const auto [at, client] = next_timer();
      if (at > end) {
        now_ = end;
        return;
      }
      now_ = std::max(now_, at);
      fire(client);
    }
    ADD_FAILURE() << "it never comes to rest";
  }

  // Fires the timer of one client: a renewal that is due, else a wake-up.
  void fire(std::size_t client) {
    Client& c = clients_[client];
    if (c.renews && c.session->holds(clock(client)) && c.renew_at <= now_) {
      c.renew_at = now_ + renewal_period(c.setup.terms);
      renew(client);
    } else {
      wake(client);
    }
  }

  // True time and client of the next timer.
  [[nodiscard]] std::pair<Nanoseconds, std::size_t> next_timer() const {
    std::pair<Nanoseconds, std::size_t> first{Nanoseconds::max(), 0};
    for (std::size_t client = 0; client < clients_.size(); ++client) {
      const Client& c = clients_[client];
      const auto wake = c.session ? c.session->wake_at() : std::nullopt;
      const bool renewing = c.renews && holds(client);
      if (wake || renewing) {
        const Nanoseconds at = std::min(wake ? true_time(c, *wake) : Nanoseconds::max(),
                                        renewing ? c.renew_at : Nanoseconds::max());
        first = std::min(first, {std::max({at, now_, c.paused_until}), client});
      }
    }
    return first;
  }

  void pass(Nanoseconds length) { now_ += length; }  // nobody wakes
  [[nodiscard]] Nanoseconds now() const { return now_; }

  [[nodiscard]] Instant clock(std::size_t client) const {
    const Client& c = clients_[client];
    const Nanoseconds shown = kStart + now_ + now_ / kMillion * c.fast_ppm;
    return Instant{shown, shown + c.raw_lead};
  }

  [[nodiscard]] bool holds(std::size_t client) const {
    const Client& c = clients_[client];
    return c.session && c.session->holds(clock(client));
  }
  template <class E>
  [[nodiscard]] std::size_t count(std::size_t client) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        clients_[client].events, [](const Event& e) { return std::holds_alternative<E>(e); }));
  }

  Client& client(std::size_t at) { return clients_[at]; }
  Session& session(std::size_t at) { return *clients_[at].session; }
  Server& server(std::size_t at) { return servers_[at]; }
  [[nodiscard]] std::size_t clients() const { return clients_.size(); }

  static Filter any() {
    return [](const Message&) { return true; };
  }
  static Filter to(std::set<std::size_t> servers) {
    return [servers](const Message& m) { return servers.contains(m.server); };
  }
  static Filter of(std::size_t client) {
    return [client](const Message& m) { return m.client == client; };
  }
  template <class R>
  static Filter asking() {
    return [](const Message& m) { return !m.reply && std::holds_alternative<R>(m.request); };
  }

  bool fast_ballots = false;  // of clients added from now on

  std::vector<Message> wire;  // in the order of sending
  std::function<void(Message)> post = [this](Message m) { wire.push_back(std::move(m)); };
  std::function<void(std::size_t, const Event&)> on_event;  // seen as it happens
  std::map<Ballot, Record> chosen;                          // by a majority of votes

 private:
  static constexpr Nanoseconds kStart = std::chrono::hours(1);  // since the machine was booted
  static constexpr Nanoseconds kRounding = std::chrono::milliseconds(2);

  static Nanoseconds true_time(const Client& c, Nanoseconds shown) {
    const Nanoseconds since = shown - kStart;
    return c.fast_ppm == 0 ? since
                           : since - since / (kMillion + c.fast_ppm) * c.fast_ppm + kRounding;
  }

  Reply answer(std::size_t at, const Request& request) {
    Server& server = servers_[at];
    const Step step = apply(server.durable, server.soft, server.boot, request);
    if (step.verdict == Verdict::accepted) {
      const Ballot& ballot = server.durable.accepted;
      auto& voters = votes_[{ballot, server.durable.value->op}];
      voters.insert(at);
      if (voters.size() >=
          (ballot.fast == 0 ? majority(servers_.size()) : fast_quorum(servers_.size()))) {
        chosen.try_emplace(ballot, *server.durable.value);
      }
    }
    return Answer{step.verdict, state_of(server.durable, server.soft, server.boot)};
  }

  void feed(std::size_t at, SessionOutput output) {
    Client& client = clients_[at];
    if (output.save) {
      client.saved = saved_text(client.session->saved());
    }
    for (const Event& event : output.events) {
      client.events.push_back(event);
      if (on_event) {
        on_event(at, event);
      }
    }
    for (Send& send : output.sends) {
      if (const auto* accept = std::get_if<Accept>(&send.request)) {
        const std::string text = record_text(accept->value);
        EXPECT_EQ(parse_record(text), accept->value) << "cannot be read back: " << text;
      }
      post(Message{.client = at,
                   .server = send.server,
                   .process = client.process,
                   .attempt = send.attempt,
                   .request = std::move(send.request),
                   .reply = std::nullopt});
    }
  }

  std::vector<Server> servers_;
  std::vector<Client> clients_;
  std::map<std::pair<Ballot, OpId>, std::set<std::size_t>> votes_;
  Nanoseconds now_{};
  int processes_ = 0;
  int boots_ = 0;
};

}  // namespace dexlock
