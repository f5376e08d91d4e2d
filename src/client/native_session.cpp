#include "client/native_session.hpp"

#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "wire/reply_line.hpp"

namespace dexlock {
namespace {

class NativeSession final : public Conversation {
 public:
  NativeSession(Write write, std::string server, const Unfinished& before)
      : write_(std::move(write)), server_(std::move(server)), next_(before.last) {
    for (const std::uint32_t id : before.expected) {
      expected_[id] = [](const ServerReply&) {};
    }
  }

  void request(const Where& where, const std::string& name, Request request,
               Link::ReplyHandler handler) override {
    send(KeyRequest{where, name, std::move(request)},
         [this, handler = std::move(handler)](ServerReply&& reply) {
           if (auto* answer = std::get_if<Answer>(&reply)) {
             handler(std::move(*answer));
           } else if (const auto* fault = std::get_if<Fault>(&reply)) {
             handler(Fault{fault->kind, server_ + ": " + fault->text});
           } else {
             handler(Fault{FaultKind::refused, server_ + ": answers another question"});
           }
         });
  }

  void change_group(const GroupStep& step, Link::GroupHandler handler) override {
    changes_group_ = true;
    const Group& group = step.group;
    ClientLine line = ActivateGroup{group.id, group.epoch};
    if (step.kind == GroupStep::Kind::propose) {
      line = ProposeGroup{group.id, group.epoch, group.members};
    }
    send(std::move(line), [this, group, handler = std::move(handler)](const ServerReply& reply) {
      if (const auto* stands = std::get_if<GroupStands>(&reply)) {
        handler(Group{stands->group, stands->epoch, stands->members});
      } else if (std::holds_alternative<Activated>(reply)) {
        handler(group);
      } else {
        const auto* fault = std::get_if<Fault>(&reply);
        handler(fail(Errc::store_damaged, server_ + ": its store cannot join the group: " +
                                              (fault != nullptr ? fault->text : "no answer")));
      }
    });
  }

  void ask(const Question& question, Link::ToldHandler handler) override {
    const std::optional<ClientLine> line = line_of(question);
    send(line.value_or(Ping{}), [this, told = !line, all = std::make_shared<Keys>(),
                                 handler = std::move(handler)](const ServerReply& reply) {
      if (const auto* keys = std::get_if<Keys>(&reply)) {
        if (all->names.size() < kNamesToldMax) {
          all->names.insert(all->names.end(), keys->names.begin(), keys->names.end());
        }
        if (!keys->more) {
          handler(*all);
        }
      } else if (const auto* fault = std::get_if<Fault>(&reply)) {
        handler(Fault{fault->kind, server_ + ": " + fault->text});
      } else if (const auto* holds = std::get_if<PastHolds>(&reply)) {
        handler(*holds);
      } else if (const auto* facts = std::get_if<ServerFacts>(&reply)) {
        handler(*facts);
      } else if (std::holds_alternative<Pong>(reply) && !told) {
        handler(Pong{});
      } else {
        handler(Fault{FaultKind::refused, server_ + ": this server cannot tell"});
      }
    });
  }

  void watch(const Where& where, const std::string& name, const ClientId& client,
             Link::AnswerHandler handler) override {
    unwatch(name, client);
    const std::uint32_t id = next_number();
    watched_[{name, client.text}] = id;
    watches_[id] = std::move(handler);
    write_(request_line({id, Watch{where, name, client}}));
  }

  void unwatch(const std::string& name, const ClientId& client) override {
    const auto at = watched_.find({name, client.text});
    if (at == watched_.end()) {
      return;
    }
    const std::uint32_t watch = at->second;
    watched_.erase(at);
    watches_[watch] = nullptr;  // what is under way is passed over
    send(Unwatch{watch}, [this, watch](const ServerReply&) { watches_.erase(watch); });
  }

  // A store that has joined a group has greeted as something else.
  [[nodiscard]] std::optional<Unfinished> unfinished() const override {
    if (changes_group_ || !watches_.empty()) {
      return std::nullopt;
    }
    Unfinished unfinished{.last = next_, .expected = {}, .seen = {}};
    for (const auto& [id, _] : expected_) {
      unfinished.expected.push_back(id);
    }
    return unfinished;
  }

  bool on_line(std::string_view line) override {
    auto parsed = parse_reply_line(line);
    const std::uint32_t id = parsed ? parsed->id : parsed.error().id;
    if (const auto watch = watches_.find(id); watch != watches_.end()) {
      const auto* answer = parsed ? std::get_if<Answer>(&parsed->reply) : nullptr;
      if (answer != nullptr && watch->second) {
        const Link::AnswerHandler handler = watch->second;  // it may end the watch
        handler(*answer);
      }
      return true;
    }
    const auto at = expected_.find(id);
    if (at == expected_.end()) {
      return false;
    }
    const auto* keys = parsed ? std::get_if<Keys>(&parsed->reply) : nullptr;
    Handler handler;
    if (keys != nullptr && keys->more) {
      handler = at->second;
    } else {
      handler = std::move(at->second);
      expected_.erase(at);
    }
    if (parsed) {
      handler(std::move(parsed->reply));
    } else {
      handler(Fault{FaultKind::refused, "its answer cannot be understood: " + parsed.error().text});
    }
    return true;
  }

 private:
  using Handler = std::function<void(ServerReply&&)>;

  // Nothing: it is no question to a server.
  static std::optional<ClientLine> line_of(const Question& question) {
    return std::visit(
        [](const auto& asked) -> std::optional<ClientLine> {
          if constexpr (std::is_constructible_v<ClientLine, decltype(asked)>) {
            return ClientLine(asked);
          } else {
            return std::nullopt;
          }
        },
        question);
  }

  std::uint32_t next_number() {
    do {
      next_ = next_ == INT32_MAX ? 1 : next_ + 1;
    } while (watches_.contains(next_));
    return next_;
  }

  void send(ClientLine line, Handler handler) {
    const std::uint32_t id = next_number();
    expected_.insert_or_assign(id, std::move(handler));
    write_(request_line({id, std::move(line)}));
  }

  Write write_;
  std::string server_;
  std::uint32_t next_;
  bool changes_group_ = false;
  std::map<std::uint32_t, Handler> expected_;
  std::map<std::uint32_t, Link::AnswerHandler> watches_;  // empty: ended, its end not yet answered
  std::map<std::pair<std::string, std::string>, std::uint32_t> watched_;  // by lock and client
};

}  // namespace

std::unique_ptr<Conversation> make_native_session(Conversation::Write write, std::string server,
                                                  const Unfinished& before) {
  return std::make_unique<NativeSession>(std::move(write), std::move(server), before);
}

}  // namespace dexlock
