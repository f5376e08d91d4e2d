#include "client/files_session.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "lock/fields.hpp"
#include "lock/lock_name.hpp"
#include "lock/quorum.hpp"
#include "store/shell_acceptor.hpp"
#include "wire/where.hpp"

namespace dexlock {
namespace {

constexpr std::uint32_t kNumberMax = 999'999'999;

class FilesSession final : public Conversation {
 public:
  FilesSession(Write write, FilesSessionOptions options)
      : write_(std::move(write)), options_(std::move(options)), next_(options_.before.last) {
    for (const std::uint32_t number : options_.before.expected) {
      expected_.push_back({number, {}});
    }
  }

  void request(const Where& where, const std::string& name, Request request,
               Link::ReplyHandler handler) override {
    Lock& lock = locks_[name];
    if (!lock.acceptor) {
      lock.acceptor.emplace(ShellAcceptor::Place{.where = where,
                                                 .name = name,
                                                 .key = key_file_name(name),
                                                 .boot = options_.boot,
                                                 .writer = options_.writer,
                                                 .server = options_.server});
      recall(where, name, *lock.acceptor);
    }
    latest_ = name;
    lock.waiting.push_back({std::move(request), std::move(handler)});
    if (lock.waiting.size() == 1) {
      advance(name, lock, lock.acceptor->start(lock.waiting.front().request));
    }
  }

  void change_group(const GroupStep& step, Link::GroupHandler handler) override {
    changes_group_ = true;
    const Group& group = step.group;
    std::string line = group.id + ' ' + std::to_string(group.epoch.value);
    if (step.kind == GroupStep::Kind::activate) {
      line = "A " + line;
    } else {
      line = "F " + line + ' ';
      for (const std::string& member : group.members) {
        line += (line.back() == ' ' ? "" : ",") + member;
      }
    }
    send(line, [this, step, handler = std::move(handler)](std::string_view result) {
      handler(group_result(step, result));
    });
  }

  void ask(const Question& question, Link::ToldHandler handler) override {
    if (const auto* listed = std::get_if<ListKeys>(&question)) {
      list_keys(listed->where, std::move(handler));
    } else if (std::holds_alternative<AskFacts>(question)) {
      send("S", [this, handler = std::move(handler)](std::string_view result) {
        const auto facts = facts_of(result);
        handler(facts ? Told(*facts) : cannot_tell());
      });
    } else {
      const bool pinged = std::holds_alternative<Ping>(question);
      send("N", [this, pinged, handler = std::move(handler)](std::string_view) {
        handler(pinged ? Told(Pong{}) : cannot_tell());
      });
    }
  }

  bool on_line(std::string_view line) override {
    const auto blank = line.find(' ');
    const auto number = parse_number(line.substr(0, blank), kNumberMax);
    if (!number || blank == std::string_view::npos || expected_.empty() ||
        expected_.front().number != *number) {
      return false;
    }
    const std::string_view result = line.substr(blank + 1);
    const Handler handler = expected_.front().handler;
    if (!result.starts_with("k ")) {  // behind a key comes another one, or the end
      expected_.pop_front();
    }
    if (handler) {
      handler(result);
    }
    return true;
  }

  // A store that has joined a group has greeted as something else.
  [[nodiscard]] std::optional<Unfinished> unfinished() const override {
    if (changes_group_) {
      return std::nullopt;
    }
    Unfinished unfinished{.last = next_, .expected = {}, .seen = {}};
    for (const Expected& expected : expected_) {
      unfinished.expected.push_back(expected.number);
    }
    if (const auto lock = locks_.find(latest_); lock != locks_.end()) {
      if (const auto seen = lock->second.acceptor->seen()) {
        unfinished.seen = where_text(lock->second.acceptor->where()) + '|' + *seen;
      }
    }
    return unfinished;
  }

 private:
  using Handler = std::function<void(std::string_view result)>;

  struct Waiting {
    Request request;
    Link::ReplyHandler handler;
  };
  struct Lock {
    std::optional<ShellAcceptor> acceptor;
    std::deque<Waiting> waiting;  // the first one is under way
  };
  struct Expected {
    std::uint32_t number = 0;
    Handler handler;
  };

  // The process before on this connection saw its state like that: what asks for a change by that
  // is refused by the server if it is another by now.
  void recall(const Where& where, const std::string& name, ShellAcceptor& acceptor) const {
    const std::string_view seen = options_.before.seen;
    const std::size_t end = seen.find('|');
    if (end != std::string_view::npos && seen.substr(0, end) == where_text(where)) {
      acceptor.recall(name, seen.substr(end + 1));
    }
  }

  void send(const std::string& line, Handler handler) {
    next_ = next_ == kNumberMax ? 1 : next_ + 1;
    expected_.push_back({next_, std::move(handler)});
    write_(std::to_string(next_) + ' ' + line);
  }

  void advance(const std::string& name, Lock& lock, ShellAcceptor::Output output) {
    if (output.line) {
      send(*output.line, [this, name](std::string_view result) {
        Lock& same = locks_.at(name);
        advance(name, same, same.acceptor->on_result(result));
      });
      return;
    }
    if (!output.reply) {
      return;
    }
    const Link::ReplyHandler handler = std::move(lock.waiting.front().handler);
    lock.waiting.pop_front();
    if (!lock.waiting.empty()) {
      advance(name, lock, lock.acceptor->start(lock.waiting.front().request));
    }
    handler(*output.reply);
  }

  Told cannot_tell() const {
    return Fault{FaultKind::refused, options_.server + ": this server cannot tell"};
  }

  // `= BLOCKS FREE INODES FREE UPTIME`, in kilobytes and seconds; `-` for what is not known.
  static std::optional<ServerFacts> facts_of(std::string_view result) {
    constexpr std::uint64_t kKilobytesMax = std::uint64_t{1} << 50U;
    constexpr std::uint64_t kSecondsMax = 9'000'000'000;
    const auto parts = split_fields(result, ' ', 6);
    if (!parts || parts->size() != 6 || (*parts)[0] != "=") {
      return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::uint64_t unit) {
      const auto value = parse_number((*parts)[at], kKilobytesMax);
      return value ? std::optional(*value * unit) : std::nullopt;
    };
    ServerFacts facts{.free_bytes = number(2, 1024),
                      .bytes = number(1, 1024),
                      .free_inodes = number(4, 1),
                      .inodes = number(3, 1)};
    if (facts.inodes == 0U) {  // it has no such limit
      facts.inodes.reset();
      facts.free_inodes.reset();
    }
    const std::string_view up = (*parts)[5];
    const auto dot = up.find('.');
    const auto seconds = parse_number(up.substr(0, dot), kSecondsMax);
    const std::string_view rest = dot == std::string_view::npos ? "" : up.substr(dot + 1);
    const bool digits = std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; });
    if (seconds && digits) {
      std::string nine(rest.substr(0, 9));
      nine.resize(9, '0');
      facts.uptime = std::chrono::seconds(*seconds) + std::chrono::nanoseconds(std::stol(nine));
    }
    return facts;
  }

  // Names too long to be file names are looked up in the files of their locks.
  struct Listing {
    Keys keys;
    std::size_t awaited = 1;  // answers
    Link::ToldHandler handler;

    void answered() {
      if (--awaited == 0) {
        std::ranges::sort(keys.names);
        handler(std::move(keys));
      }
    }
  };

  void list_keys(const Where& where, Link::ToldHandler handler) {
    auto listing = std::make_shared<Listing>();
    listing->handler = std::move(handler);
    send("K " + where_text(where), [this, where, listing](std::string_view result) {
      if (result == ".") {
        listing->answered();
      } else if (!result.starts_with("k ")) {
        listing->handler(
            Fault{FaultKind::not_member, options_.server + ": its store is gone, or was replaced"});
      } else if (listing->keys.names.size() + listing->awaited > kNamesToldMax) {
        return;
      } else if (is_digest_key(result.substr(2))) {
        ++listing->awaited;
        look_up(where, std::string(result.substr(2)), listing);
      } else if (const auto name = name_of_key(result.substr(2))) {
        listing->keys.names.push_back(*name);
      }
    });
  }

  void look_up(const Where& where, const std::string& key, std::shared_ptr<Listing> listing) {
    send("G " + where_text(where) + ' ' + key, [key, listing](std::string_view result) {
      const auto parts = split_fields(result, ' ', 4);
      if (parts && parts->size() == 4 && LockName::parse((*parts)[2]) &&
          key_file_name((*parts)[2]) == key) {
        listing->keys.names.emplace_back((*parts)[2]);
      }
      listing->answered();
    });
  }

  Result<Group> group_result(const GroupStep& step, std::string_view result) const {
    if (step.kind == GroupStep::Kind::activate && result.starts_with("ok")) {
      return step.group;
    }
    const auto parts = split_fields(result, ' ', 4);
    if (step.kind == GroupStep::Kind::propose && parts && parts->size() == 4 &&
        (*parts)[0] == "=") {
      const auto epoch = parse_number((*parts)[2], kSmallNumberMax);
      const auto members = split_fields((*parts)[3], ',', kServersMax);
      if (epoch && *epoch > 0 && members) {
        return Group{std::string((*parts)[1]), Epoch{*epoch}, {members->begin(), members->end()}};
      }
    }
    return fail(result.starts_with("! write") ? Errc::store_full : Errc::store_damaged,
                options_.server + ": its store cannot join the group (" +
                    std::string(result.substr(0, 100)) + ")");
  }

  Write write_;
  FilesSessionOptions options_;
  std::uint32_t next_;
  bool changes_group_ = false;
  std::deque<Expected> expected_;  // without a handler: of another process
  std::map<std::string, Lock> locks_;
  std::string latest_;  // lock
};

}  // namespace

std::unique_ptr<Conversation> make_files_session(Conversation::Write write,
                                                 FilesSessionOptions options) {
  return std::make_unique<FilesSession>(std::move(write), std::move(options));
}

}  // namespace dexlock
