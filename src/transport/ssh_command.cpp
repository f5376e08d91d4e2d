#include "transport/ssh_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "transport/printable_line.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr int kPortMax = 65535;
constexpr int kSshOwnFailure = 255;  // ssh's status for its own failures; else the remote command's
constexpr int kShellCannotExec = 126;  // of a shell: found but may not be run
constexpr int kShellNotFound = 127;
constexpr std::size_t kQuotedMax = 200;  // bytes of ssh's own words in a message
constexpr std::chrono::seconds kConnectTimeoutMax{3600};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string printable(std::string_view text) { return printable_line(text, kQuotedMax); }

std::string_view host_of(std::string_view user_host) {
  const std::size_t at = user_host.rfind('@');
  return at == std::string_view::npos ? user_host : user_host.substr(at + 1);
}

Result<void> check_target(const SshTarget& target) {
  const std::string_view whole = target.user_host;
  const std::string_view host = host_of(whole);
  const bool strange = std::ranges::any_of(whole, [](char c) { return is_control(c) || c == ' '; });
  if (host.empty() || strange || whole.starts_with('-') || host.starts_with('-') ||
      whole.starts_with('@')) {
    return fail(Errc::bad_config,
                fmt::format("lock server '{}' is no host name that ssh can be given; correct it in "
                            "conf/lock_servers",
                            printable(whole)));
  }
  if (target.port && (*target.port < 1 || *target.port > kPortMax)) {
    return fail(Errc::bad_config, fmt::format("lock server '{}' has port {}; give one of 1 to {}",
                                              printable(whole), *target.port, kPortMax));
  }
  return {};
}

std::unexpected<Error> bad_sshopt(std::string_view word, std::string_view reason) {
  return fail(Errc::bad_config,
              fmt::format("sshopt has '{}', {}; remove it", printable(word), reason));
}

std::vector<std::string> ssh_program() {
  std::vector<std::string> words;
  const char* const named = std::getenv("DEXLOCK_SSH");
  std::string_view rest = named == nullptr ? "" : named;
  while (true) {
    const std::size_t begin = rest.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
    words.emplace_back(word);
    rest.remove_prefix(word.size());
  }
  if (words.empty()) {
    words.emplace_back("ssh");
  }
  return words;
}

// One kind of failure of ssh itself. The first row one of whose texts is in ssh's stderr explains
// it, so what ssh says in addition to another message stands below that one.
struct Row {
  std::array<std::string_view, 5> texts;
  Errc code;
  std::string_view what;
  std::string_view remedy;  // {by_hand}, {forget_key}, {host}, {port}
};

constexpr Row kRows[] = {
    {{"HOST IDENTIFICATION HAS CHANGED", "has changed and you have requested strict"},
     Errc::bad_config,
     "its host key has changed, or another machine answers in its place",
     "find out why; if the new key is right run `{forget_key}` and then `{by_hand}` once"},
    {{"REVOKED HOST KEY"},
     Errc::bad_config,
     "its host key is marked as revoked",
     "give the server a new host key, then run `{by_hand}` once"},
    {{"Host key verification failed", "host key is known for"},
     Errc::bad_config,
     "its host key is not known here",
     "run `{by_hand}` once, compare the fingerprint, answer yes"},
    {{"UNPROTECTED PRIVATE KEY FILE"},
     Errc::bad_config,
     "ssh refuses a private key that others can read",
     "run `chmod 600` on that key file"},
    {{"Too many authentication failures"},
     Errc::bad_config,
     "it refused the login: too many keys were offered",
     "name one key with `-o IdentitiesOnly=yes -i KEYFILE` in conf/sshopt"},
    {{"Permission denied ("},
     Errc::bad_config,
     "it refused the login",
     "put a key of this user, usable without a passphrase prompt, into authorized_keys there "
     "(ssh-copy-id), until `{by_hand}` works without a question"},
    {{"Temporary failure in name resolution"},
     Errc::no_quorum,
     "its name cannot be looked up now",
     "check the network and DNS of this machine"},
    {{"Could not resolve hostname"},
     Errc::bad_config,
     "its name is not known",
     "correct it in conf/lock_servers, or add it to DNS, /etc/hosts or ~/.ssh/config"},
    {{"Cannot execute command-line and remote command"},
     Errc::bad_config,
     "the ssh configuration gives this host a RemoteCommand",
     "add `-o RemoteCommand=none` to conf/sshopt"},
    {{"onfiguration option", "unknown option", "usage: ssh", "Bad owner or permissions on",
      "command-line line "},
     Errc::bad_config,
     "ssh refuses its options",
     "correct conf/sshopt or ~/.ssh/config"},
    {{"Unable to negotiate"},
     Errc::bad_config,
     "it and this ssh have no algorithm in common",
     "upgrade the older of the two, or allow one with -o in conf/sshopt"},
    {{"Connection refused"},
     Errc::no_quorum,
     "no ssh server accepts connections at port {port}",
     "start sshd on {host}, or correct the port"},
    {{"Connection timed out", "Operation timed out", "Timeout, server", "timed out during banner"},
     Errc::no_quorum,
     "it does not answer",
     "check that {host} is up and that no firewall drops ssh to port {port}"},
    {{"No route to host", "Network is unreachable", "Host is down"},
     Errc::no_quorum,
     "there is no way to it through the network",
     "check the network here, the route, and that {host} is up"},
    {{"Connection closed by", "Connection reset by", "closed by remote host", "Broken pipe",
      "kex_exchange_identification"},
     Errc::no_quorum,
     "it closed the connection",
     "look into sshd's log on {host}; common reasons are MaxStartups, a reboot, or a firewall"},
};

// Without the control bytes and the blanks around it.
std::string clean_line(std::string_view line) {
  std::string out = printable(line);
  out.erase(0, std::min(out.find_first_not_of(' '), out.size()));
  while (out.ends_with(' ')) {
    out.pop_back();
  }
  return out;
}

bool is_chatter(std::string_view line) {
  constexpr std::string_view starts[] = {
      "debug1:", "debug2:", "debug3:", "Pseudo-terminal will not", "Warning: Permanently added"};
  return line.empty() || std::ranges::all_of(line, [](char c) { return c == '@' || c == '*'; }) ||
         std::ranges::any_of(starts,
                             [&](std::string_view start) { return line.starts_with(start); });
}

// The last line of `text` that has `needle` in it (any line if empty) and says something.
std::string last_line(std::string_view text, std::string_view needle) {
  while (!text.empty()) {
    const std::size_t newline = text.rfind('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    const std::string_view line = text.substr(begin);
    if (line.find(needle) != std::string_view::npos) {
      std::string cleaned = clean_line(line);
      if (!is_chatter(cleaned)) {
        return cleaned;
      }
    }
    text = text.substr(0, newline == std::string_view::npos ? 0 : newline);
  }
  return {};
}

std::string fill_in(std::string_view remedy, const SshTarget& target) {
  const std::string user_host = printable(target.user_host);
  const std::string host = printable(host_of(target.user_host));
  const int port = target.port.value_or(22);
  const std::string by_hand =
      port == 22 ? fmt::format("ssh {}", user_host) : fmt::format("ssh -p {} {}", port, user_host);
  const std::string forget_key = port == 22 ? fmt::format("ssh-keygen -R {}", host)
                                            : fmt::format("ssh-keygen -R '[{}]:{}'", host, port);
  const std::string port_text = target.port ? fmt::format("{}", port) : "22 (or ~/.ssh/config's)";
  return fmt::format(fmt::runtime(remedy), fmt::arg("by_hand", by_hand),
                     fmt::arg("forget_key", forget_key), fmt::arg("host", host),
                     fmt::arg("port", port_text));
}

std::string in_brackets(std::string_view quoted) {
  return quoted.empty() ? std::string() : fmt::format(" ({})", quoted);
}

std::optional<Error> explain_own_failure(const SshTarget& target, std::string_view server,
                                         std::string_view text) {
  for (const Row& row : kRows) {
    for (const std::string_view needle : row.texts) {
      if (needle.empty() || text.find(needle) == std::string_view::npos) {
        continue;
      }
      return Error{row.code,
                   fmt::format("{}: {}{}; {}", server, fill_in(row.what, target),
                               in_brackets(last_line(text, needle)), fill_in(row.remedy, target))};
    }
  }
  return std::nullopt;
}

}  // namespace

Result<void> check_sshopt(const std::vector<std::string>& sshopt) {
  constexpr std::string_view with_argument = "bceilmopBDEFIJLPQORSwW";  // of OpenSSH 9
  constexpr std::string_view unusable = "fnsGNOQVW";
  for (std::size_t i = 0; i < sshopt.size(); ++i) {
    const std::string& word = sshopt[i];
    if (std::ranges::any_of(word, is_control)) {
      return bad_sshopt(word, "which has control characters");
    }
    if (word.size() < 2 || word[0] != '-' || word == "--") {
      return bad_sshopt(word, "which is no option of ssh");
    }
    for (std::size_t letter = 1; letter < word.size(); ++letter) {
      if (unusable.contains(word[letter])) {
        return bad_sshopt(word, "an option with which ssh cannot serve as a connection");
      }
      if (!with_argument.contains(word[letter])) {
        continue;
      }
      if (letter + 1 == word.size() && ++i == sshopt.size()) {
        return bad_sshopt(word, "an option whose value is missing");
      }
      break;
    }
  }
  return {};
}

Result<std::vector<std::string>> ssh_argv(const SshTarget& target,
                                          const std::vector<std::string>& sshopt,
                                          std::string_view remote_command,
                                          std::chrono::seconds connect_timeout) {
  if (auto checked = check_target(target); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (auto checked = check_sshopt(sshopt); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (remote_command.empty()) {
    return fail(Errc::bad_argument, "no command for the server was given; ssh would start a shell");
  }
  std::vector<std::string> argv = ssh_program();
  const auto option = [&argv](std::string value) {
    argv.emplace_back("-o");
    argv.push_back(std::move(value));
  };
  option("BatchMode=yes");
  option("ClearAllForwardings=yes");
  if (target.port) {
    argv.emplace_back("-p");
    argv.push_back(fmt::format("{}", *target.port));
  }
  argv.insert(argv.end(), sshopt.begin(), sshopt.end());
  const auto timeout = std::clamp(connect_timeout, std::chrono::seconds{1}, kConnectTimeoutMax);
  option(fmt::format("ConnectTimeout={}", timeout.count()));
  option("ServerAliveInterval=5");
  option("ServerAliveCountMax=3");
  option("LogLevel=ERROR");
  option("ControlMaster=no");
  for (const char* const word : {"-T", "-a", "-x", "--"}) {
    argv.emplace_back(word);
  }
  argv.push_back(target.user_host);
  argv.emplace_back(remote_command);
  return argv;
}

Error explain_ssh_end(const SshTarget& target, const ProcessEnd& end) {
  const std::string server = fmt::format(
      "lock server {}", printable(target.shown.empty() ? target.user_host : target.shown));
  const std::string said = in_brackets(last_line(end.error_text, ""));
  const std::string by_hand = fill_in("`{by_hand}`", target);
  if (!end.why.empty()) {
    return {Errc::no_quorum, fmt::format("{}: the connection was given up: {}{}; check with {}",
                                         server, printable(end.why), said, by_hand)};
  }
  if (end.signal != 0) {
    const char* const name = ::sigabbrev_np(end.signal);
    return {Errc::no_quorum,
            fmt::format("{}: ssh was killed by signal {} (SIG{}); find out who stopped it", server,
                        end.signal, name == nullptr ? "?" : name)};
  }
  if (end.exit_status == kSshOwnFailure) {
    if (auto explained = explain_own_failure(target, server, end.error_text)) {
      return *std::move(explained);
    }
    return {Errc::no_quorum,
            fmt::format("{}: ssh failed{}; see what {} says", server, said, by_hand)};
  }
  if (end.exit_status == kShellCannotExec || end.exit_status == kShellNotFound) {
    return {
        Errc::bad_config,
        fmt::format("{}: a program is missing there{}; the login needs a plain shell and /bin/sh",
                    server, said)};
  }
  if (end.exit_status == 0) {
    return {Errc::no_quorum,
            fmt::format("{}: the other side ended the connection{}; see what {} says", server, said,
                        by_hand)};
  }
  if (end.exit_status < 0) {
    return {Errc::no_quorum,
            fmt::format("{}: ssh ended, nobody knows how{}; let this program wait for its children",
                        server, said)};
  }
  return {Errc::no_quorum,
          fmt::format("{}: the command there ended with status {}{}; see what {} says", server,
                      end.exit_status, said, by_hand)};
}

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::optional<std::string> word;  // '' is a word, though an empty one
  char quote = 0;
  for (const char c : text) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        *word += c;
      }
    } else if (kBlanks.contains(c)) {
      if (word) {
        words.push_back(*std::exchange(word, std::nullopt));
      }
    } else {
      if (!word) {
        word.emplace();
      }
      if (c == '\'' || c == '"') {
        quote = c;
      } else {
        *word += c;
      }
    }
  }
  if (quote != 0) {
    return fail(Errc::bad_config, fmt::format("a {} is opened and not closed in '{}'; close it",
                                              quote, printable(text)));
  }
  if (word) {
    words.push_back(*std::move(word));
  }
  return words;
}

}  // namespace dexlock
