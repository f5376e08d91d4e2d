#include "sim/exhaust_cases.hpp"

#include <algorithm>

#include "lock/invariant.hpp"
#include "sim/exhaust_forming.hpp"
#include "sim/exhaust_register.hpp"

namespace dexlock::sim {
namespace {

constexpr ProposerId kFirst{0, 1};  // granted what is held from the start

ProposerId id_of(char name) { return ProposerId{static_cast<std::uint32_t>(name - 'a' + 1), 0}; }

ClientPlan client(char name, std::vector<ScriptStep> script, Mode mode = Mode::exclusive) {
  return ClientPlan{.name = std::string(1, name),
                    .client = std::string(1, name),
                    .proposer = id_of(name),
                    .mode = mode,
                    .script = std::move(script),
                    .victim = {},
                    .waiting = {},
                    .token = {},
                    .granted_at = {},
                    .sticky = std::nullopt};
}

Record granted_to(Record record, char name, Mode mode) {
  const Change change =
      acquire(record, AcquireSpec{.claim = {.client = {std::string(1, name)}, .mode = mode},
                                  .op = {std::string(1, name)},
                                  .epoch = Epoch{1},
                                  .terms = exhaust_terms(),
                                  .who = ""});
  INVARIANT(change.next.has_value());
  return *change.next;
}

// The lock is held, in this order, by clients whose grants are named after them.
Accept held_by(std::string_view names, Mode mode, bool sticky) {
  Accept accept{.ballot = {1, 1, kFirst, 0}, .value = {}, .next = std::nullopt};
  for (const char name : names) {
    accept.value = granted_to(accept.value, name, mode);
  }
  if (sticky) {
    accept.next = Ballot{1, 2, kFirst, 0};
  }
  return accept;
}

GrantId grant(std::uint64_t token, std::string op) {
  return GrantId{FencingToken{token}, OpId{std::move(op)}};
}

ClientPlan holding(ClientPlan plan, std::uint64_t token, std::uint32_t heartbeats) {
  plan.token = FencingToken{token};
  plan.granted_at = Ballot{1, 1, kFirst, 0};
  plan.heartbeats = heartbeats;
  return plan;
}

ClientPlan evictor(char name, GrantId victim, std::vector<ScriptStep> script,
                   Mode mode = Mode::exclusive) {
  ClientPlan plan = client(name, std::move(script), mode);
  plan.victim = std::move(victim);
  return plan;
}

Ticket ticket_of(char name) {
  return Ticket{.number = 1,
                .claim = {.client = {std::string(1, name)}},
                .terms = exhaust_terms(),
                .refresh = 1,
                .who = ""};
}

GrantId inherited(std::uint64_t token, char name) {
  return GrantId{FencingToken{token}, inherited_op(ticket_of(name))};
}

ExhaustCase of_register(std::string name, CaseSet set, std::string what, RegisterCase setup) {
  return {std::move(name), set, std::move(what),
          [setup](Mistake mistake) { return std::make_unique<RegisterSpace>(setup, mistake); }};
}

RegisterCase proposers(std::size_t servers, std::string_view names,
                       const std::vector<ScriptStep>& script, std::uint32_t repeats,
                       std::uint32_t restarts, bool sticky = true) {
  RegisterCase setup{.servers = servers, .repeats = repeats, .restarts = restarts};
  for (const char name : names) {
    setup.clients.push_back(client(name, script, Mode::shared));
    setup.clients.back().want_sticky = sticky;
  }
  return setup;
}

void add_register(std::vector<ExhaustCase>& cases) {
  const std::vector<ScriptStep> once{{Task::acquire}};
  const std::vector<ScriptStep> twice{{Task::acquire}, {Task::release}};
  const std::vector<ScriptStep> again{{Task::acquire, 2}};
  cases.push_back(of_register("register", CaseSet::ci, "2 clients acquire, one repeat, one restart",
                              proposers(3, "ab", once, 1, 1)));
  cases.push_back(of_register("register-retry", CaseSet::ci,
                              "2 clients acquire in up to 2 attempts",
                              proposers(3, "ab", again, 0, 0)));
  cases.push_back(of_register("register-twice", CaseSet::ci, "2 clients acquire, then release",
                              proposers(3, "ab", twice, 0, 0)));
  cases.push_back(of_register("register-three", CaseSet::ci, "3 clients acquire",
                              proposers(3, "abc", once, 0, 0)));
  cases.push_back(of_register("register-five", CaseSet::ci, "2 clients acquire from 5 servers",
                              proposers(5, "ab", once, 0, 0, false)));
  cases.push_back(of_register("register-twice-repeats", CaseSet::large,
                              "2 clients acquire, then release; two repeats, one restart",
                              proposers(3, "ab", twice, 2, 1)));
}

void add_sticky(std::vector<ExhaustCase>& cases) {
  RegisterCase setup{.shy = true};
  setup.clients = {client('a', {{Task::acquire}, {Task::release}}, Mode::shared),
                   client('b', {{Task::acquire}}, Mode::shared)};
  setup.clients[1].want_sticky = false;
  cases.push_back(of_register("sticky", CaseSet::ci,
                              "a release by sticky promise, which servers may leave out", setup));
  RegisterCase reuse;
  reuse.clients = {client('a', {{Task::acquire}, {Task::release}, {Task::acquire}})};
  cases.push_back(
      of_register("reuse", CaseSet::ci, "one client acquires, releases, acquires", reuse));
  RegisterCase evicting{
      .before = held_by("h", Mode::shared, false), .stands_on = 3, .victim = grant(1, "h")};
  evicting.clients = {holding(client('h', {}, Mode::shared), 1, 1),
                      evictor('e', grant(1, "h"), {{Task::acquire}, {Task::evict}}, Mode::shared)};
  cases.push_back(of_register("sticky-evictor", CaseSet::ci,
                              "an evictor that has a sticky promise, too", evicting));
}

void add_fast(std::vector<ExhaustCase>& cases) {
  const std::vector<ScriptStep> once{{Task::acquire}};
  const auto fast = [](char name, std::vector<ScriptStep> script, Mode mode) {
    ClientPlan plan = client(name, std::move(script), mode);
    plan.fast = true;
    return plan;
  };
  RegisterCase two;
  two.clients = {fast('a', once, Mode::exclusive), fast('b', once, Mode::exclusive)};
  cases.push_back(of_register("fast", CaseSet::ci, "2 clients acquire on a fast ballot", two));
  RegisterCase rivals;
  rivals.clients = {fast('a', {{Task::acquire, 2}}, Mode::exclusive),
                    fast('b', {{Task::acquire, 2}}, Mode::exclusive)};
  rivals.clients[0].want_sticky = rivals.clients[1].want_sticky = false;
  cases.push_back(of_register("fast-rivals", CaseSet::large,
                              "the same, and a classic ballot to decide it", rivals));
  two.restarts = 1;
  two.repeats = 1;
  cases.push_back(of_register("fast-repeats", CaseSet::large,
                              "the same; one message repeated, one restart", two));
  RegisterCase mixed;
  mixed.clients = {fast('a', once, Mode::shared), client('b', once, Mode::shared)};
  cases.push_back(of_register("fast-classic", CaseSet::ci,
                              "one client acquires on a fast ballot, one on a classic one", mixed));
  RegisterCase again;
  again.clients = {fast('a', {{Task::acquire}, {Task::release}}, Mode::exclusive),
                   fast('b', once, Mode::exclusive)};
  cases.push_back(
      of_register("fast-again", CaseSet::ci, "a fast ballot, a release, a fast ballot", again));
  RegisterCase open{.before = held_by("a", Mode::exclusive, false), .stands_on = 2};
  open.clients = {holding(client('a', {{Task::release}}), 1, 0), fast('b', once, Mode::exclusive)};
  open.clients[0].want_sticky = false;
  cases.push_back(of_register("fast-released", CaseSet::ci,
                              "a release, a fast ballot; one server is behind", open));
  RegisterCase five{.servers = 5};
  five.clients = mixed.clients;
  five.clients[0].want_sticky = five.clients[1].want_sticky = false;
  cases.push_back(
      of_register("fast-five", CaseSet::large, "one fast, one classic on 5 servers", five));
  five.clients[1].fast = true;
  cases.push_back(of_register("fast-five-two", CaseSet::large,
                              "2 clients on a fast ballot of 5 servers", five));
}

void add_evictions(std::vector<ExhaustCase>& cases) {
  RegisterCase setup{.before = held_by("h", Mode::exclusive, false),
                     .stands_on = 3,
                     .victim = grant(1, "h"),
                     .restarts = 1};
  setup.clients = {holding(client('h', {}), 1, 1), evictor('e', grant(1, "h"), {{Task::evict}})};
  cases.push_back(
      of_register("evict", CaseSet::ci, "a heartbeat, an eviction, one restart", setup));
  setup.clients[0].heartbeats = 2;
  cases.push_back(of_register("evict-two", CaseSet::ci, "the same with 2 heartbeats", setup));
  setup.clients[0].heartbeats = 1;
  setup.clients[0].script = {{Task::confirm}};
  cases.push_back(of_register("evict-confirm", CaseSet::ci,
                              "a heartbeat, an eviction, one restart, the fence is lifted", setup));
  setup.restarts = 0;
  setup.stands_on = 2;
  setup.slow_sight = true;
  cases.push_back(of_register(
      "evict-behind", CaseSet::ci,
      "the same without restart; one server is behind, answers reach the observer late", setup));
  setup.restarts = 1;
  setup.slow_sight = false;
  setup.clients[0].heartbeats = 2;
  cases.push_back(of_register("evict-confirm-two", CaseSet::large,
                              "2 heartbeats, one restart, the fence is lifted, one server behind",
                              setup));
  RegisterCase both{.victim = grant(1, "a1"), .restarts = 0};
  both.clients = {client('a', {{Task::acquire}, {Task::release}}),
                  evictor('e', grant(1, "a1"), {{Task::evict}})};
  both.clients[0].heartbeats = 1;
  cases.push_back(
      of_register("record", CaseSet::ci, "acquire, heartbeat, evict by another, release", both));
  RegisterCase join{.before = held_by("hd", Mode::shared, false),
                    .stands_on = 3,
                    .victim = grant(1, "h"),
                    .stay = {grant(2, "d")}};
  join.clients = {holding(client('h', {}, Mode::shared), 1, 1),
                  client('j', {{Task::acquire}}, Mode::shared),
                  evictor('e', grant(1, "h"), {{Task::evict}}, Mode::shared)};
  cases.push_back(of_register("join", CaseSet::ci,
                              "a third shared holder joins while the first is evicted", join));
}

void add_hand_over(std::vector<ExhaustCase>& cases) {
  RegisterCase setup{.before = held_by("h", Mode::exclusive, true),
                     .stands_on = 3,
                     .victim = inherited(2, 'w'),
                     .heir = inherited(2, 'w')};
  ClientPlan giver = holding(client('h', {{Task::hand_over}}), 1, 0);
  giver.proposer = kFirst;
  giver.sticky = Sticky{{1, 2, kFirst, 0}, setup.before->value};
  giver.waiting = {ticket_of('w')};
  ClientPlan heir = client('w', {{Task::confirm}});
  heir.heartbeats = 1;
  setup.clients = {giver, evictor('e', inherited(2, 'w'), {{Task::evict}}), heir};
  cases.push_back(of_register("hand-over", CaseSet::ci,
                              "a release hands over; the heir learns it, or is evicted", setup));
  setup.clients[2].script = {{Task::release}};
  setup.clients[2].heartbeats = 0;
  setup.clients[0].waiting.front().proposer = setup.clients[2].proposer;
  cases.push_back(of_register("heir", CaseSet::ci,
                              "the heir releases at the ballot left to it, or is evicted", setup));
  setup.clients[0].script = {{Task::hand_over}, {Task::release}};
  cases.push_back(of_register("heir-and-giver", CaseSet::large,
                              "the same, and the giver proposes once more", setup));
}

void add_copies(std::vector<ExhaustCase>& cases) {
  RegisterCase setup{
      .before = held_by("h", Mode::exclusive, true), .stands_on = 3, .victim = grant(1, "h")};
  for (const char name : {'x', 'y'}) {
    ClientPlan copy = holding(client(name, {{Task::plain_release, 1}}), 1, 0);
    copy.client = "h";
    copy.sticky = Sticky{{1, 2, kFirst, 0}, setup.before->value};
    setup.clients.push_back(std::move(copy));
  }
  setup.clients.push_back(evictor('e', grant(1, "h"), {{Task::evict}}));
  cases.push_back(of_register("copies", CaseSet::ci,
                              "two copies of one saved state release, another client evicts",
                              setup));
  setup.clients[0].script[0].attempts = 2;
  setup.clients[1].script[0].attempts = 2;
  cases.push_back(
      of_register("copies-retry", CaseSet::large, "the same, in up to 2 attempts each", setup));
}

void add_forming(std::vector<ExhaustCase>& cases) {
  const auto add = [&](std::string name, CaseSet set, std::string what, FormingCase setup) {
    cases.push_back({std::move(name), set, std::move(what), [setup](Mistake mistake) {
                       return std::make_unique<FormingSpace>(setup, mistake);
                     }});
  };
  add("forming", CaseSet::ci, "2 clients with one list form a group",
      {.servers = 3, .lists = {{0, 1, 2}, {0, 1, 2}}});
  add("forming-overlap", CaseSet::ci, "2 clients with overlapping lists",
      {.servers = 4, .lists = {{0, 1, 2}, {0, 1, 3}}});
  add("forming-wiped", CaseSet::ci, "2 clients, one server is wiped in the middle",
      {.servers = 3, .lists = {{0, 1, 2}, {0, 1, 2}}, .wipes = 1});
  add("forming-wiped-again", CaseSet::large, "the same; every server may be greeted twice",
      {.servers = 3, .lists = {{0, 1, 2}, {0, 1, 2}}, .wipes = 1, .greetings = 2});
}

// A client whose answer was lost asks once more; meanwhile the power may fail.
void add_files(std::vector<ExhaustCase>& cases) {
  RegisterCase setup = proposers(3, "ab", {{Task::acquire}}, 1, 1, false);
  setup.kind.files = true;
  cases.push_back(of_register("files", CaseSet::ci,
                              "2 clients acquire from plain files; one repeat, one power cut",
                              setup));
}

// Servers that leave promises unsynced, of one round above the synced one.
void add_ceiling(std::vector<ExhaustCase>& cases) {
  constexpr ServerKind kUnsynced{.unsynced_rounds = 1};
  RegisterCase plain = proposers(3, "ab", {{Task::acquire}}, 0, 1);
  plain.kind = kUnsynced;
  cases.push_back(of_register("ceiling", CaseSet::ci,
                              "2 clients acquire, promises may be unsynced, one restart", plain));
  RegisterCase stop = plain;
  stop.clean_stops = 1;
  cases.push_back(of_register("ceiling-stop", CaseSet::ci, "the same, and one clean stop", stop));
  RegisterCase far = plain;
  far.clients[0].script.push_back({Task::release});
  far.clients[1].rounds_heard_of = 1;
  cases.push_back(of_register("ceiling-far", CaseSet::ci,
                              "one client acquires and releases, one acquires above the ceiling; "
                              "one restart",
                              far));
  RegisterCase fast = plain;
  fast.clients[0].fast = true;
  cases.push_back(of_register("ceiling-fast", CaseSet::ci,
                              "the same as ceiling, one client on a fast ballot", fast));
  RegisterCase evict{.before = held_by("h", Mode::shared, false),
                     .stands_on = 3,
                     .victim = grant(1, "h"),
                     .restarts = 1,
                     .kind = kUnsynced};
  evict.clients = {holding(client('h', {}, Mode::shared), 1, 1),
                   evictor('e', grant(1, "h"), {{Task::acquire}, {Task::evict}}, Mode::shared)};
  cases.push_back(of_register("ceiling-evict", CaseSet::ci,
                              "a heartbeat, an acquisition and an eviction by another, one restart",
                              evict));
  evict.clients = {holding(client('h', {{Task::confirm}}), 1, 1),
                   evictor('e', grant(1, "h"), {{Task::evict}})};
  evict.before = held_by("h", Mode::exclusive, false);
  cases.push_back(of_register("ceiling-confirm", CaseSet::large,
                              "evict-confirm, with promises unsynced", evict));
}

std::vector<ExhaustCase> all_cases() {
  std::vector<ExhaustCase> cases;
  add_register(cases);
  add_sticky(cases);
  add_fast(cases);
  add_evictions(cases);
  add_hand_over(cases);
  add_copies(cases);
  add_forming(cases);
  add_files(cases);
  add_ceiling(cases);
  return cases;
}

}  // namespace

const std::vector<ExhaustCase>& exhaust_cases() {
  static const std::vector<ExhaustCase> cases = all_cases();
  return cases;
}

const ExhaustCase* exhaust_case(std::string_view name) {
  const auto& cases = exhaust_cases();
  const auto at = std::ranges::find(cases, name, &ExhaustCase::name);
  return at == cases.end() ? nullptr : &*at;
}

}  // namespace dexlock::sim
