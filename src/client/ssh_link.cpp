#include "client/ssh_link.hpp"

#include <deque>
#include <map>
#include <utility>

#include "client/conversation_link.hpp"
#include "client/files_session.hpp"
#include "client/native_session.hpp"
#include "client/told_greeting.hpp"
#include "shell/store_text.hpp"
#include "store/machine.hpp"
#include "transport/greeting.hpp"
#include "transport/line_process.hpp"
#include "wire/greeting_line.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::size_t kUniqueBytes = 12;

class SshLink final : public ConversationLink {
 public:
  SshLink(boost::asio::io_context& loop, SshLinkOptions options, Handlers handlers)
      : ConversationLink(loop, std::move(handlers)), options_(std::move(options)) {}

  void open() override {
    close();
    finder_.emplace(options_.target.shown);
    auto argv =
        ssh_argv(options_.target, options_.ssh_options, bootstrap_command(), kConnectTimeout);
    if (!argv) {
      report_down(argv.error());
      return;
    }
    auto process = LineProcess::start(loop_, *argv,
                                      {.on_line = [this](std::string_view line) { on_line(line); },
                                       .on_end = [this](const ProcessEnd& end) { on_end(end); }});
    if (!process) {
      report_down(process.error());
      return;
    }
    process_ = std::move(*process);
    unique_ = random_hex(kUniqueBytes);
    process_->write(store_payload({.root = options_.root,
                                   .unique = unique_,
                                   .native = true,
                                   .unsynced = options_.allow_unsynced}));
  }

  void close() override {
    forget();
    process_.reset();
  }

 private:
  void on_line(std::string_view line) {
    if (conversation_) {
      if (!conversation_->on_line(line)) {
        handlers_.on_down(Error{Errc::store_damaged,
                                options_.target.shown + ": answers what cannot be understood"});
      }
      return;
    }
    const auto decision = finder_->feed(line);
    if (!decision) {
      return;
    }
    if (!*decision) {
      handlers_.on_down(decision->error());
      return;
    }
    greet(**decision);
  }

  void greet(std::string_view line) {
    const auto parsed = parse_greeting_line(line);
    if (!parsed) {
      handlers_.on_down(told_trouble(options_.target.shown, parsed.error()));
      return;
    }
    const Greeting& greeting = *parsed;
    const auto write = [this](std::string text) { process_->write(text + "\n"); };
    if (greeting.format == "files") {
      conversation_ = make_files_session(write, {.boot = greeting.boot.value_or(BootId{"synced"}),
                                                 .writer = unique_.substr(0, 12),
                                                 .server = options_.target.shown});
    } else {
      conversation_ = make_native_session(write, options_.target.shown);
    }
    handlers_.on_greeting(told_greeting(greeting));
  }

  void on_end(const ProcessEnd& end) { handlers_.on_down(explain_ssh_end(options_.target, end)); }

  SshLinkOptions options_;
  std::string unique_;
  std::optional<GreetingFinder> finder_;
  std::unique_ptr<LineProcess> process_;
};

}  // namespace

std::unique_ptr<Link> make_ssh_link(boost::asio::io_context& loop, SshLinkOptions options,
                                    Link::Handlers handlers) {
  return std::make_unique<SshLink>(loop, std::move(options), std::move(handlers));
}

}  // namespace dexlock
