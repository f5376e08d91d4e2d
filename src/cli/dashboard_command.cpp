#include "cli/dashboard_command.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "cli/command_line.hpp"
#include "cli/dashboard.hpp"
#include "cli/log_writer.hpp"
#include "cli/look_options.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

struct DashboardWords {
  std::string listen = "127.0.0.1:7480";
  std::vector<std::string> host_names;
  std::size_t connections = 64;
  bool is_public = false;
  bool allow_changes = false;
  LookOptions look{.patience = "3"};
};

std::optional<int> read_words(std::span<const std::string> words, DashboardWords& out) {
  CLI::App app(
      "Serves a web page that shows hosts, packages, locks and lock servers, and who was active "
      "when, until SIGTERM or SIGINT. GET /metrics is the same for Prometheus. It changes nothing "
      "unless that is allowed.",
      "dex-lock dashboard");
  app.group("See what is held");
  app.footer(R"(examples:
  # for a browser on this machine: http://127.0.0.1:7480
  dex-lock dashboard
  # behind a web server that asks who it is
  dex-lock dashboard --listen unix:/run/dex-lock/dashboard --host locks.example.org --allow-changes
)");
  app.add_option("--listen", out.listen,
                 "PORT (of this machine alone), ADDRESS:PORT or unix:/PATH for HTTP")
      ->type_name("ADDRESS")
      ->capture_default_str();
  app.add_option("--host", out.host_names,
                 "a name under which browsers may ask for it, besides its address, localhost and "
                 "the name of this host; as often as you like")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_flag("--public", out.is_public, "listen on an address that others can reach");
  app.add_flag("--allow-changes", out.allow_changes,
               "the page can start, stop and move packages: whoever can open it may");
  app.add_option("--connections", out.connections, "how many there may be at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  out.look.add_to(app, false);
  return parse_words(app, words);
}

Result<SocketAddress> address_of(const DashboardWords& words) {
  const std::string& text = words.listen;
  const bool port_only = text.find_first_not_of("0123456789") == std::string::npos;
  auto address = parse_socket_address(text.starts_with("unix:") ? text
                                      : port_only               ? "tcp://127.0.0.1:" + text
                                                                : "tcp://" + text);
  if (!address) {
    return fail(Errc::bad_argument,
                "--listen " + text + ": write PORT, ADDRESS:PORT or unix:/PATH");
  }
  if (is_loopback(*address)) {
    return address;
  }
  if (!words.is_public) {
    return fail(Errc::bad_argument, "--listen " + text +
                                        ": others could read all of it; use 127.0.0.1, or "
                                        "--public if they may");
  }
  if (words.allow_changes) {
    return fail(Errc::bad_argument,
                "--public with --allow-changes: anybody could stop packages; use --listen "
                "unix:/PATH behind a web server that asks who it is");
  }
  return address;
}

std::vector<std::string> own_names(std::vector<std::string> names) {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  names.emplace_back(name.data());
  names.push_back(names.back().substr(0, names.back().find('.')));
  return names;
}

}  // namespace

int dashboard_command(std::span<const std::string> words) {
  DashboardWords given;
  if (const auto status = read_words(words, given)) {
    return *status;
  }
  InspectorOptions look{.live = true};
  if (!given.look.read(look)) {
    return static_cast<int>(ExitStatus::usage);
  }
  const auto address = address_of(given);
  if (!address) {
    complain(address.error().text);
    return status_of(address.error());
  }
  auto inspector = Inspector::open(look);
  if (!inspector) {
    complain(inspector.error().text);
    return status_of(inspector.error());
  }
  std::signal(SIGPIPE, SIG_IGN);
  LogWriter log(STDERR_FILENO);
  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  auto dashboard = Dashboard::open(loop, *address, std::move(*inspector),
                                   {.host_names = own_names(std::move(given.host_names)),
                                    .connections = given.connections,
                                    .allow_changes = given.allow_changes,
                                    .on_news = [&log](const std::string& text) { log.put(text); }});
  if (!dashboard) {
    complain(dashboard.error().text);
    return status_of(dashboard.error());
  }
  log.put("the dashboard is on " +
          (address->kind == SocketAddress::Kind::unix_socket
               ? address->shown
               : "http://" + address->shown.substr(std::string_view("tcp://").size())));
  signals.async_wait([&](const boost::system::error_code& ec, int) {
    if (!ec) {
      loop.stop();
    }
  });
  loop.run();
  return static_cast<int>(ExitStatus::ok);
}

}  // namespace dexlock
