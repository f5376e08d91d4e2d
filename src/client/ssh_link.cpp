#include "client/ssh_link.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "client/clock.hpp"
#include "client/conversation_link.hpp"
#include "client/files_session.hpp"
#include "client/native_session.hpp"
#include "client/told_greeting.hpp"
#include "lock/fields.hpp"
#include "shell/store_text.hpp"
#include "store/digest.hpp"
#include "store/machine.hpp"
#include "transport/greeting.hpp"
#include "transport/line_process.hpp"
#include "wire/greeting_line.hpp"

namespace dexlock {
namespace {

constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::size_t kUniqueBytes = 12;
constexpr std::size_t kWriterBytes = 6;

// What another call may be left with: a server that answers none of so many requests hangs. One
// that has not greeted for so long will not, and after an hour ssh's configuration, or the store
// program, may be another one.
constexpr std::size_t kExpectedMax = 16;
constexpr std::uint64_t kGreetSeconds = 15;
constexpr std::uint64_t kOldestSeconds = 3600;
constexpr std::string_view kNotGreeted = "-";

std::uint64_t seconds_of_boot() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now().boot).count());
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string network_namespace() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/ns/net", ignored).native();
}

// Equal only for calls that would connect in the same way to the same place.
std::string pool_key(const std::vector<std::string>& argv, const SshLinkOptions& options) {
  std::string text = network_namespace();
  for (const char* name : {"HOME", "PATH", "USER"}) {
    text += '\0' + environment(name);
  }
  for (const std::string& word : argv) {
    text += '\0' + word;
  }
  text +=
      '\0' +
      store_payload(
          {.root = options.root, .unique = {}, .native = true, .unsynced = options.allow_unsynced});
  return sha256_hex(text);
}

// LAST:EXPECTED,EXPECTED|SEEN
std::string unfinished_text(const Unfinished& unfinished) {
  std::string text = std::to_string(unfinished.last) + ':';
  for (const std::uint32_t number : unfinished.expected) {
    text += (text.back() == ':' ? "" : ",") + std::to_string(number);
  }
  return text + '|' + unfinished.seen;
}

std::optional<Unfinished> parse_unfinished(std::string_view text) {
  const auto bar = std::min(text.find('|'), text.size());
  const std::string seen(text.substr(std::min(bar + 1, text.size())));
  text = text.substr(0, bar);
  const auto colon = std::min(text.find(':'), text.size());
  const auto last = parse_number(text.substr(0, colon), kSmallNumberMax);
  if (!last || colon == text.size()) {
    return std::nullopt;
  }
  Unfinished unfinished{.last = static_cast<std::uint32_t>(*last), .expected = {}, .seen = seen};
  text.remove_prefix(colon + 1);
  const auto parts = split_fields(text, ',', kExpectedMax);
  if (text.empty() || !parts) {
    return text.empty() ? std::optional(unfinished) : std::nullopt;
  }
  for (const std::string_view part : *parts) {
    const auto number = parse_number(part, kSmallNumberMax);
    if (!number) {
      return std::nullopt;
    }
    unfinished.expected.push_back(static_cast<std::uint32_t>(*number));
  }
  return unfinished;
}

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
    if (take_kept(*argv)) {
      return;
    }
    auto process = LineProcess::start(loop_, *argv, process_handlers());
    if (!process) {
      report_down(process.error());
      return;
    }
    process_ = std::move(*process);
    since_ = seconds_of_boot();
    process_->write(store_payload({.root = options_.root,
                                   .unique = random_hex(kUniqueBytes),
                                   .native = true,
                                   .unsynced = options_.allow_unsynced}));
  }

  void close() override {
    forget();
    greeting_.clear();
    process_.reset();
  }

  void keep() override {
    if (auto connection = fit_for_others()) {
      options_.pool->keep(key_, std::move(*connection));
    }
    close();
  }

 private:
  [[nodiscard]] LineProcess::Handlers process_handlers() {
    return {.on_line = [this](std::string_view line) { on_line(line); },
            .on_end = [this](const ProcessEnd& end) { on_end(end); }};
  }

  bool take_kept(const std::vector<std::string>& argv) {
    if (options_.pool == nullptr) {
      return false;
    }
    key_ = pool_key(argv, options_);
    auto kept = options_.pool->take(key_);
    const auto before = kept ? parse_unfinished(kept->rest) : std::nullopt;
    if (!before) {
      return false;
    }
    auto process = LineProcess::adopt(loop_,
                                      {.stdin_socket = std::move(kept->input),
                                       .stdout_pipe = std::move(kept->output),
                                       .stderr_pipe = std::move(kept->errors),
                                       .pidfd = std::move(kept->process)},
                                      process_handlers());
    if (!process) {
      return false;
    }
    process_ = std::move(*process);
    since_ = kept->since;
    before_ = *before;
    if (kept->greeting != kNotGreeted) {
      later([this, line = kept->greeting] { greet(line); });
    }
    return true;
  }

  std::optional<KeptConnection> fit_for_others() {
    const auto unfinished = conversation_ ? conversation_->unfinished() : Unfinished{};
    const std::uint64_t age = seconds_of_boot() - since_;
    if (options_.pool == nullptr || !process_ || !unfinished ||
        unfinished->expected.size() > kExpectedMax ||
        age > (conversation_ ? kOldestSeconds : kGreetSeconds)) {
      return std::nullopt;
    }
    auto process = process_->detach();
    if (!process) {
      return std::nullopt;
    }
    KeptConnection connection;
    connection.input = std::move(process->stdin_socket);
    connection.output = std::move(process->stdout_pipe);
    connection.errors = std::move(process->stderr_pipe);
    connection.process = std::move(process->pidfd);
    connection.since = since_;
    connection.rest = unfinished_text(*unfinished);
    connection.greeting = conversation_ ? greeting_ : std::string(kNotGreeted);
    return connection;
  }

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
    greet(std::string(**decision));
  }

  void greet(std::string line) {
    const auto parsed = parse_greeting_line(line);
    if (!parsed) {
      handlers_.on_down(told_trouble(options_.target.shown, parsed.error()));
      return;
    }
    const Greeting& greeting = *parsed;
    greeting_ = std::move(line);
    const auto write = [this](std::string text) { process_->write(text + "\n"); };
    if (greeting.format == "files") {
      // What a process writes has names of its own, also on a connection that others had before.
      conversation_ = make_files_session(write, {.boot = greeting.boot.value_or(BootId{"synced"}),
                                                 .writer = random_hex(kWriterBytes),
                                                 .server = options_.target.shown,
                                                 .before = std::exchange(before_, {})});
    } else {
      conversation_ = make_native_session(write, options_.target.shown, std::exchange(before_, {}));
    }
    handlers_.on_greeting(told_greeting(greeting));
  }

  void on_end(const ProcessEnd& end) { handlers_.on_down(explain_ssh_end(options_.target, end)); }

  SshLinkOptions options_;
  std::string key_;          // of the pool
  std::uint64_t since_ = 0;  // when it was connected, seconds of the boot clock
  std::string greeting_;
  Unfinished before_;
  std::optional<GreetingFinder> finder_;
  std::unique_ptr<LineProcess> process_;
};

}  // namespace

std::unique_ptr<Link> make_ssh_link(boost::asio::io_context& loop, SshLinkOptions options,
                                    Link::Handlers handlers) {
  return std::make_unique<SshLink>(loop, std::move(options), std::move(handlers));
}

}  // namespace dexlock
