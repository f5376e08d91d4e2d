#include "server/line_server.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "wire/greeting_line.hpp"
#include "wire/line_fields.hpp"
#include "wire/reply_line.hpp"

namespace dexlock {
namespace {

constexpr int kEnded = 0;
constexpr int kFailed = 74;

// What one read takes at most; requests that came together are answered together.
constexpr std::size_t kReadBytes = 64 * 1024;

bool write_all(int out, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(out, bytes.data(), bytes.size());
    if (written < 0 && errno == EAGAIN) {
      pollfd waiting{.fd = out, .events = POLLOUT, .revents = 0};
      ::poll(&waiting, 1, -1);
      continue;
    }
    if (written < 0 && errno != EINTR) {
      return false;
    }
    bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

int serve_lines(LineServer& server, int in, int out) {
  std::string buffer;
  std::string chunk(kReadBytes, '\0');
  bool skipping = false;  // the rest of a line that is too long
  while (true) {
    const ssize_t got = ::read(in, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && errno == EAGAIN) {
      pollfd waiting{.fd = in, .events = POLLIN, .revents = 0};
      ::poll(&waiting, 1, -1);
      continue;
    }
    if (got <= 0) {
      return got == 0 ? kEnded : kFailed;
    }
    buffer.append(chunk, 0, static_cast<std::size_t>(got));
    std::string replies;
    std::size_t from = 0;
    for (std::size_t end = 0; (end = buffer.find('\n', from)) != std::string::npos;
         from = end + 1) {
      if (!std::exchange(skipping, false)) {
        replies += server.answer(std::string_view(buffer).substr(from, end - from));
      }
    }
    buffer.erase(0, from);
    if (buffer.size() > kLineBytesMax) {
      replies += skipping ? "" : server.answer(buffer);
      skipping = true;
      buffer.clear();
    }
    if (!write_all(out, replies)) {
      return kEnded;  // nobody listens any more
    }
  }
}

}  // namespace

LineServer::Greeted LineServer::greet(const std::filesystem::path& path) {
  const auto identity = acceptor_.identity();
  if (!identity) {
    return {trouble_line(identity.error()), false};
  }
  Greeting greeting{.format = "lmdb",
                    .incarnation = identity->incarnation,
                    .boot = BootId{acceptor_.store().boot()},
                    .sync = "file",
                    .directory = std::filesystem::absolute(path).string()};
  if (identity->proposed) {
    greeting.proposed = ProposedGroup{identity->proposed->id, identity->proposed->epoch,
                                      identity->proposed->members};
    if (identity->active) {
      greeting.active = Where{*identity->active, identity->incarnation, identity->proposed->epoch};
    }
  }
  return {greeting_line(greeting) + '\n', true};
}

std::string LineServer::answer(std::string_view line) {
  auto parsed = parse_request_line(line);
  if (!parsed) {
    return reply_line(refusal(parsed.error())) + '\n';
  }
  return std::move(answer(std::span(&*parsed, 1)).front());
}

std::vector<std::string> LineServer::answer(std::span<const NumberedRequest> requests) {
  static const Request kLook = Read{};
  std::vector<std::string> lines(requests.size());
  std::vector<EmbeddedAcceptor::Asked> asked;
  std::vector<std::size_t> numbers;
  const auto serve = [&] {
    std::vector<Reply> replies = acceptor_.serve(asked);
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const std::uint32_t id = requests[numbers[i]].id;
      lines[numbers[i]] = std::visit(
          [id](auto& said) {
            return reply_line({id, std::move(said)}) + '\n';
          },
          replies[i]);
    }
    asked.clear();
    numbers.clear();
  };
  for (std::size_t at = 0; at < requests.size(); ++at) {
    if (const auto* one = std::get_if<KeyRequest>(&requests[at].line)) {
      asked.push_back({one->where, one->key, one->request});
      numbers.push_back(at);
    } else if (const auto* watched = std::get_if<Watch>(&requests[at].line)) {
      asked.push_back({watched->where, watched->key, kLook});
      numbers.push_back(at);
    } else {
      lines[at] = answer_other(requests[at]);
    }
    if (asked.size() == EmbeddedStore::kItemsMax) {
      serve();
    }
  }
  if (!asked.empty()) {
    serve();
  }
  return lines;
}

std::string LineServer::answer_other(const NumberedRequest& request) {
  const std::uint32_t id = request.id;
  if (const auto* proposed = std::get_if<ProposeGroup>(&request.line)) {
    return change_group(id, {.kind = GroupStep::Kind::propose,
                             .group = {proposed->group, proposed->epoch, proposed->members}});
  }
  if (const auto* activated = std::get_if<ActivateGroup>(&request.line)) {
    return change_group(
        id, {.kind = GroupStep::Kind::activate, .group = {activated->group, activated->epoch, {}}});
  }
  if (const auto* listed = std::get_if<ListKeys>(&request.line)) {
    return list_keys(id, listed->where);
  }
  if (const auto* asked = std::get_if<ListHolds>(&request.line)) {
    return list_holds(id, *asked);
  }
  if (std::holds_alternative<AskFacts>(request.line)) {
    return reply_line({id, acceptor_.facts()}) + '\n';
  }
  return reply_line({id, Pong{}}) + '\n';
}

std::string LineServer::list_keys(std::uint32_t id, const Where& where) {
  auto names = acceptor_.names(where);
  if (!names) {
    return reply_line({id, Fault{FaultKind::not_member, names.error().text}}) + '\n';
  }
  std::string out;
  for (Keys& keys : keys_in_lines(std::move(*names))) {
    out += reply_line({id, std::move(keys)}) + '\n';
  }
  return out;
}

std::string LineServer::list_holds(std::uint32_t id, const ListHolds& asked) {
  auto holds = acceptor_.holds(asked.where, asked.key);
  if (!holds) {
    return reply_line({id, Fault{FaultKind::not_member, holds.error().text}}) + '\n';
  }
  return reply_line({id, PastHolds{std::move(*holds)}}) + '\n';
}

std::string LineServer::change_group(std::uint32_t id, GroupStep step) {
  const auto known = acceptor_.identity();
  if (step.kind == GroupStep::Kind::activate && known && known->proposed &&
      known->proposed->id == step.group.id && known->proposed->epoch == step.group.epoch) {
    step.group = *known->proposed;  // the members stand in the proposal
  }
  const auto stands = acceptor_.change_group(step);
  if (!stands) {
    return reply_line({id, Fault{FaultKind::refused, stands.error().text}}) + '\n';
  }
  if (step.kind == GroupStep::Kind::propose) {
    return reply_line({id, GroupStands{stands->id, stands->epoch, stands->members}}) + '\n';
  }
  return reply_line({id, Activated{{stands->id, acceptor_.store().incarnation(), stands->epoch}}}) +
         '\n';
}

std::string trouble_line(const Error& error) {
  const bool damaged = error.code == Errc::store_damaged;
  return greeting_line(GreetingTrouble{damaged ? "corrupt" : "unusable", error.text}) + '\n';
}

int serve_streams(const std::filesystem::path& path, int in, int out) {
  auto store = EmbeddedStore::open({.path = path});
  if (!store) {
    write_all(out, trouble_line(store.error()));
    return kFailed;
  }
  EmbeddedAcceptor acceptor(*store, false);
  LineServer server(acceptor);
  const LineServer::Greeted greeted = server.greet(path);
  if (!write_all(out, greeted.line)) {
    return kEnded;
  }
  return greeted.usable ? serve_lines(server, in, out) : kFailed;
}

}  // namespace dexlock
