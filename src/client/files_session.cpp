#include "client/files_session.hpp"

#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "lock/fields.hpp"
#include "lock/quorum.hpp"
#include "store/shell_acceptor.hpp"

namespace dexlock {
namespace {

constexpr std::uint32_t kNumberMax = 999'999'999;

class FilesSession final : public Conversation {
 public:
  FilesSession(Write write, FilesSessionOptions options)
      : write_(std::move(write)), options_(std::move(options)) {}

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
    }
    lock.waiting.push_back({std::move(request), std::move(handler)});
    if (lock.waiting.size() == 1) {
      advance(name, lock, lock.acceptor->start(lock.waiting.front().request));
    }
  }

  void change_group(const GroupStep& step, Link::GroupHandler handler) override {
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

  bool on_line(std::string_view line) override {
    const auto blank = line.find(' ');
    const auto number = parse_number(line.substr(0, blank), kNumberMax);
    if (!number || blank == std::string_view::npos || expected_.empty() ||
        expected_.front().number != *number) {
      return false;
    }
    const Handler handler = std::move(expected_.front().handler);
    expected_.pop_front();
    handler(line.substr(blank + 1));
    return true;
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
  std::uint32_t next_ = 0;
  std::deque<Expected> expected_;
  std::map<std::string, Lock> locks_;
};

}  // namespace

std::unique_ptr<Conversation> make_files_session(Conversation::Write write,
                                                 FilesSessionOptions options) {
  return std::make_unique<FilesSession>(std::move(write), std::move(options));
}

}  // namespace dexlock
