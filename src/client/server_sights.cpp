#include "client/server_sights.hpp"

#include <algorithm>
#include <utility>

#include "lock/quorum.hpp"

namespace dexlock {
namespace {

void show_greeting(const LinkGreeting& greeting, ServerSight& sight) {
  sight.format = greeting.format;
  sight.sync = greeting.sync;
  sight.directory = greeting.directory;
  sight.incarnation = greeting.identity.incarnation;
  sight.boot = greeting.boot;
  if (greeting.identity.proposed) {
    sight.group = greeting.identity.proposed->id;
    sight.epoch = greeting.identity.proposed->epoch.value;
    sight.members = greeting.identity.proposed->members;
  }
}

// Of the problems of the group, those of one server begin with its name.
std::string problem_of(const Assembly& assembly, const std::string& name) {
  const auto at = std::ranges::find_if(assembly.problems(), [&](const AssemblyProblem& problem) {
    return problem.text.starts_with(name + ": ");
  });
  return at == assembly.problems().end() ? "" : at->text;
}

}  // namespace

ServersSight servers_sight(const Inspection& inspection) {
  const Assembly& assembly = inspection.assembly();
  ServersSight sight{.config = inspection.config().source,
                     .majority = majority(inspection.size()),
                     .usable = assembly.fatal_problem() == nullptr};
  if (assembly.group() && sight.usable) {
    sight.group = assembly.group()->id;
    sight.epoch = assembly.group()->epoch.value;
  } else if (sight.usable) {
    sight.group = inspection.remembered().value_or("");
  }
  for (std::size_t server = 0; server < inspection.size(); ++server) {
    const Inspection::Seat& seat = inspection.seat(server);
    ServerSight one{.name = seat.shown, .reachable = seat.connected};
    if (seat.greeting) {
      show_greeting(*seat.greeting, one);
    }
    one.votes = inspection.voter(server);
    one.greeting = seat.greeted_after;
    if (seat.down) {
      one.trouble = seat.down->text;
    } else if (!seat.connected) {
      one.trouble = seat.shown + ": no answer yet";
    } else if (!one.votes) {
      one.trouble = problem_of(assembly, seat.shown);
    }
    if (seat.connected && !one.votes && one.trouble.empty() && !sight.group.empty()) {
      one.trouble = seat.shown +
                    ": its store is not active in the group yet; the next call that "
                    "wants a lock makes it so";
    }
    sight.servers.push_back(std::move(one));
  }
  for (const AssemblyProblem& problem : assembly.problems()) {
    sight.problems.push_back(problem.text);
  }
  return sight;
}

ServersSight look_at_servers(Inspection& inspection) {
  std::vector<std::optional<std::chrono::nanoseconds>> answers(inspection.size());
  std::vector<ServerFacts> facts(inspection.size());
  for (std::size_t server = 0; server < inspection.size(); ++server) {
    const auto asked = Inspection::Clock::now();
    inspection.ask(server, Ping{}, [&answers, server, asked](const Told& told) {
      if (std::holds_alternative<Pong>(told)) {
        answers[server] = Inspection::Clock::now() - asked;
      }
    });
  }
  inspection.settle();
  for (std::size_t server = 0; server < inspection.size(); ++server) {
    inspection.ask(server, AskFacts{}, [&facts, server](const Told& told) {
      if (const auto* known = std::get_if<ServerFacts>(&told)) {
        facts[server] = *known;
      }
    });
  }
  inspection.settle();
  ServersSight sight = servers_sight(inspection);
  for (std::size_t server = 0; server < inspection.size(); ++server) {
    ServerSight& one = sight.servers[server];
    one.answer = answers[server];
    one.free_bytes = facts[server].free_bytes;
    one.bytes = facts[server].bytes;
    one.free_inodes = facts[server].free_inodes;
    one.inodes = facts[server].inodes;
  }
  return sight;
}

}  // namespace dexlock
