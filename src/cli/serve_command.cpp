#include "cli/serve_command.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "cli/command_line.hpp"
#include "cli/log_writer.hpp"
#include "cli/parse.hpp"
#include "cli/signal_names.hpp"
#include "cli/status_of.hpp"
#include "dexlock/exit_status.hpp"
#include "server/lock_server.hpp"

namespace dexlock {
namespace {

// Tells the service manager that clients can come now, or no longer (sd_notify(3)).
void notify_manager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path == nullptr || (*path != '/' && *path != '@') ||
      std::strlen(path) >= sizeof(to.sun_path)) {
    return;
  }
  const std::size_t length = std::strlen(path);
  std::memcpy(to.sun_path, path, length);
  if (*path == '@') {
    to.sun_path[0] = '\0';  // of the abstract namespace
  }
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
    ::close(fd);
  }
}

enum class LogLevel { quiet, changes, requests };

struct ServeWords {
  std::string store;
  std::vector<std::string> listen;
  std::string certificate;
  std::string key;
  std::string authority;
  std::string permissions;
  std::string metrics;
  LogLevel log = LogLevel::changes;
  bool allow_plain_tcp = false;
  std::size_t connections = ServerLimits{}.connections;
};

std::optional<int> read_words(std::span<const std::string> words, ServeWords& out) {
  CLI::App app("A lock server for many clients, until SIGTERM or SIGINT.", "dex-lock serve");
  app.group("Be a lock server");
  app.footer(R"(examples:
  # for the programs of this machine
  dex-lock serve --store /var/lib/dex-lock/store --listen unix:/run/dex-lock/socket
  # for the network: clients show a certificate
  dex-lock serve --store /srv/locks --listen tls://0.0.0.0:7411 )"
             R"(--tls-certificate host.pem --tls-key host.key --tls-authority clients.pem
)");
  app.add_option("--store", out.store, "directory of the store; made if it is missing")
      ->type_name("DIRECTORY")
      ->required();
  app.add_option("--listen", out.listen,
                 "unix:/PATH, tls://HOST:PORT or tcp://HOST:PORT; as often as you like")
      ->type_name("ADDRESS")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--tls-certificate", out.certificate, "what this server shows (PEM)")
      ->type_name("FILE");
  app.add_option("--tls-key", out.key, "its key (PEM)")->type_name("FILE");
  app.add_option("--tls-authority", out.authority, "who signs the clients' certificates (PEM)")
      ->type_name("FILE");
  app.add_option("--permissions", out.permissions,
                 "file of lines NAME-IN-CERTIFICATE PREFIX..., which locks a client may use")
      ->type_name("FILE");
  app.add_flag("--allow-plain-tcp", out.allow_plain_tcp,
               "listen without TLS on addresses that others can reach");
  app.add_option("--connections", out.connections, "how many there may be at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--metrics", out.metrics,
                 "PORT (of this machine alone), ADDRESS:PORT or unix:/PATH for HTTP: GET /metrics "
                 "(Prometheus) and GET /health")
      ->type_name("ADDRESS");
  CLI::Option* log =
      app.add_option("--log", out.log,
                     "quiet: what must be acted on; changes: of locks and connections, too; "
                     "requests: every one")
          ->transform(CLI::CheckedTransformer(
              std::map<std::string, LogLevel>{{"quiet", LogLevel::quiet},
                                              {"changes", LogLevel::changes},
                                              {"requests", LogLevel::requests}}))
          ->option_text("LEVEL");
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "as --log quiet")->excludes(log);
  const auto status = parse_words(app, words);
  if (quiet) {
    out.log = LogLevel::quiet;
  }
  return status;
}

Result<SocketAddress> metrics_address(const std::string& text) {
  const bool port_only = text.find_first_not_of("0123456789") == std::string::npos;
  auto address = parse_socket_address(text.starts_with("unix:") ? text
                                      : port_only               ? "tcp://127.0.0.1:" + text
                                                                : "tcp://" + text);
  if (!address) {
    return fail(Errc::bad_argument,
                "--metrics " + text + ": write PORT, ADDRESS:PORT or unix:/PATH");
  }
  return address;
}

Result<LockServerOptions> options_from(const ServeWords& words) {
  LockServerOptions options{.store = words.store, .version = DEXLOCK_VERSION};
  options.limits.connections = words.connections;
  bool tls = false;
  for (const std::string& text : words.listen) {
    auto address = parse_socket_address(text);
    if (!address) {
      return fail(Errc::bad_argument, "--listen " + text + ": " + address.error().text);
    }
    tls = tls || address->kind == SocketAddress::Kind::tls;
    if (address->kind == SocketAddress::Kind::tcp && !words.allow_plain_tcp &&
        !is_loopback(*address)) {
      return fail(Errc::bad_argument,
                  "--listen " + text +
                      ": others could read and change what is said; use tls://, or "
                      "--allow-plain-tcp if the network is yours alone");
    }
    options.listen.push_back(std::move(*address));
  }
  const bool has_all = !words.certificate.empty() && !words.key.empty() && !words.authority.empty();
  if (tls && !has_all) {
    return fail(Errc::bad_argument,
                "tls:// needs --tls-certificate, --tls-key and --tls-authority");
  }
  if (tls) {
    options.tls = TlsFiles{words.certificate, words.key, words.authority};
  }
  if (!words.permissions.empty()) {
    auto permissions = NamePermissions::read(words.permissions);
    if (!permissions) {
      return std::unexpected(permissions.error());
    }
    options.permissions = std::move(*permissions);
  }
  if (!words.metrics.empty()) {
    auto address = metrics_address(words.metrics);
    if (!address) {
      return std::unexpected(address.error());
    }
    options.metrics = std::move(*address);
  }
  return options;
}

// A connection needs a descriptor; the usual soft limit is lower than what the system allows.
void raise_open_files(std::size_t connections) {
  constexpr rlim_t kOwnFiles = 32;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max < connections + kOwnFiles) {
    complain(
        fmt::format("at most {} files may be open here, too few for {} connections; raise the "
                    "hard limit (ulimit -Hn, LimitNOFILE) or lower --connections",
                    files.rlim_max, connections));
  }
}

}  // namespace

int serve_command(std::span<const std::string> words) {
  ServeWords given;
  if (const auto status = read_words(words, given)) {
    return *status;
  }
  auto options = options_from(given);
  if (!options) {
    complain(options.error().text);
    return status_of(options.error());
  }
  LogWriter log(STDERR_FILENO);
  const auto tell = [&log](const std::string& text) { log.put(text); };
  const auto tell_news = [&](const std::string& text) {
    if (given.log != LogLevel::quiet) {
      tell(text);
    }
  };
  options->on_trouble = tell;
  if (given.log != LogLevel::quiet) {
    options->on_news = tell;
    options->on_lock = tell;
    options->log_requests = given.log == LogLevel::requests;
  }
  std::signal(SIGPIPE, SIG_IGN);
  raise_open_files(options->limits.connections);
  boost::asio::io_context loop(1);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  auto server = LockServer::open(loop, std::move(*options));
  if (!server) {
    complain(server.error().text);
    return status_of(server.error());
  }
  signals.async_wait([&](const boost::system::error_code& ec, int signal) {
    if (!ec) {
      tell_news("stopping: told to by SIG" + signal_name(signal) +
                "; what has been asked is still answered");
      notify_manager("STOPPING=1");
      (*server)->stop([&] { loop.stop(); });
    }
  });
  notify_manager("READY=1");
  loop.run();
  server->reset();
  tell_news("ended: the store is closed");
  return static_cast<int>(ExitStatus::ok);
}

}  // namespace dexlock
