#include "client/server_entry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lock/quoted_text.hpp"
#include "transport/host_port.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kEntryBytesMax = 1024;  // longer than any host name, user and path in use
constexpr std::size_t kRemotePathBytesMax = 1024;

constexpr std::string_view kForms =
    "write HOST, USER@HOST, HOST:PORT, [V6ADDRESS]:PORT, ssh://USER@HOST:PORT/PATH, dir:/PATH, "
    "unix:/PATH, tcp://HOST:PORT, tls://HOST:PORT or etcd://HOST:PORT,HOST:PORT,HOST:PORT";

constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return out;
}

std::unexpected<Error> refuse(std::string_view entry, std::string_view why) {
  return fail(Errc::bad_config, fmt::format("lock server {}: {}", quoted_text(entry), why));
}

// The scheme of "scheme:..." where it is one that could be meant; a plain host:port has none.
std::string scheme_of(std::string_view text) {
  if (const auto end = text.find("://"); end != std::string_view::npos) {
    return lower_case(text.substr(0, end));
  }
  for (const std::string_view scheme : {"dir", "unix"}) {
    if (text.size() > scheme.size() && text[scheme.size()] == ':' &&
        lower_case(text.substr(0, scheme.size())) == scheme) {
      return std::string(scheme);
    }
  }
  return {};
}

// Without repeated and trailing slashes.
std::string tidy_path(std::string_view text) {
  std::string path;
  for (const char c : text) {
    if (c != '/' || !path.ends_with('/')) {
      path += c;
    }
  }
  if (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

Result<ServerEntry> parse_dir(std::string_view entry) {
  std::string path = tidy_path(entry.substr(4));
  if (!path.starts_with('/')) {
    return refuse(entry, "the path must be absolute, as in dir:/var/lib/locks");
  }
  return ServerEntry{.kind = ServerEntry::Kind::dir,
                     .shown = std::string(entry),
                     .user_host = {},
                     .port = {},
                     .path = std::move(path)};
}

std::string user_fault(std::string_view user) {
  if (user.empty()) {
    return "the user before @ is empty";
  }
  if (user.front() == '-' || user.back() == '\\' || !consists_of(user, "._+@\\-")) {
    return "the user before @ must be letters, digits and . _ + - and not begin with -";
  }
  return "";
}

// `target` is [USER@]HOST[:PORT]; `entry` is quoted in errors.
Result<ServerEntry> parse_ssh(std::string_view entry, std::string_view target, std::string path) {
  ServerEntry out{.kind = ServerEntry::Kind::ssh,
                  .shown = std::string(entry),
                  .user_host = {},
                  .port = {},
                  .path = std::move(path)};
  std::string_view host_text = target;
  if (const auto at = target.rfind('@'); at != std::string_view::npos) {
    if (const auto fault = user_fault(target.substr(0, at)); !fault.empty()) {
      return refuse(entry, fault);
    }
    out.user_host = target.substr(0, at + 1);
    host_text = target.substr(at + 1);
  }
  const auto split = split_host_port(host_text);
  if (!split) {
    return refuse(entry, fmt::format("cannot be read; {}", kForms));
  }
  if (const auto fault = host_fault(split->host, split->bracketed); !fault.empty()) {
    return refuse(entry, fmt::format("{}; {}", fault, kForms));
  }
  if (split->port) {
    out.port = parse_port(*split->port);
    if (!out.port && split->port->contains(':')) {
      return refuse(entry, "an IPv6 address must stand in brackets, as in [::1] or [::1]:22");
    }
    if (!out.port) {
      return refuse(entry, fmt::format("port {} is no number from 1 to {}; a directory is written "
                                       "as in ssh://HOST/PATH",
                                       quoted_text(*split->port), kPortMax));
    }
  }
  out.user_host += split->host;
  return out;
}

Result<ServerEntry> parse_ssh_url(std::string_view entry) {
  const std::string_view rest = entry.substr(std::string_view("ssh://").size());
  const auto slash = std::min(rest.find('/'), rest.size());
  std::string_view path = rest.substr(slash);
  if (path == "/") {
    path = {};
  }
  if (path.starts_with("/~/")) {
    path.remove_prefix(1);  // relative to the login directory
  }
  if (path.empty()) {
    return parse_ssh(entry, rest.substr(0, slash), {});
  }
  auto remote_path = parse_remote_path(path);
  if (!remote_path) {
    return refuse(entry, remote_path.error().text);
  }
  return parse_ssh(entry, rest.substr(0, slash), std::move(*remote_path));
}

Result<ServerEntry> parse_etcd(std::string_view entry, bool tls) {
  ServerEntry out{.kind = ServerEntry::Kind::etcd,
                  .shown = std::string(entry),
                  .user_host = {},
                  .port = {},
                  .path = {}};
  out.etcd_tls = tls;
  std::string_view rest = entry.substr(entry.find("://") + 3);
  while (true) {
    const auto comma = std::min(rest.find(','), rest.size());
    const std::string_view endpoint = rest.substr(0, comma);
    const auto split = split_host_port(endpoint);
    const auto port = split && split->port ? parse_port(*split->port) : std::nullopt;
    if (!port || !host_fault(split->host, split->bracketed).empty()) {
      return refuse(entry, "an etcd cluster is written etcd://HOST:PORT,HOST:PORT,HOST:PORT");
    }
    out.endpoints.emplace_back(endpoint);
    if (comma == rest.size()) {
      return out;
    }
    rest.remove_prefix(comma + 1);
  }
}

}  // namespace

bool is_same_place(const ServerEntry& a, const ServerEntry& b) {
  return a.kind == b.kind && a.user_host == b.user_host && a.port == b.port && a.path == b.path &&
         a.socket.path == b.socket.path && a.socket.host == b.socket.host &&
         a.socket.port == b.socket.port && a.endpoints == b.endpoints;
}

Result<ServerEntry> parse_server_entry(std::string_view text) {
  if (text.size() > kEntryBytesMax) {
    return refuse(text, fmt::format("longer than {} bytes", kEntryBytesMax));
  }
  if (std::ranges::any_of(text, is_control)) {
    return refuse(text, "control bytes are not allowed in it");
  }
  const std::string scheme = scheme_of(text);
  if (scheme == "dir") {
    return parse_dir(text);
  }
  if (scheme == "ssh") {
    return parse_ssh_url(text);
  }
  if (scheme == "unix" || scheme == "tcp" || scheme == "tls") {
    auto address = parse_socket_address(text);
    if (!address) {
      return refuse(text, address.error().text);
    }
    return ServerEntry{.kind = ServerEntry::Kind::socket,
                       .shown = std::string(text),
                       .user_host = {},
                       .port = {},
                       .path = {},
                       .socket = std::move(*address)};
  }
  if (scheme == "etcd" || scheme == "etcds") {
    return parse_etcd(text, scheme == "etcds");
  }
  if (!scheme.empty() || text.contains("://")) {
    return refuse(text, fmt::format("unknown kind of server; {}", kForms));
  }
  return parse_ssh(text, text, {});
}

Result<std::string> parse_remote_path(std::string_view text) {
  const auto refuse_path = [&](std::string_view why) {
    return fail(Errc::bad_config, fmt::format("path {}: {}", quoted_text(text), why));
  };
  std::string_view path = text;
  if (path.starts_with("~/")) {
    path.remove_prefix(std::min(path.find_first_not_of('/', 1), path.size()));
  }
  if (path.empty()) {
    return refuse_path("it is empty; name a directory, as in .dex-lock");
  }
  if (path.size() > kRemotePathBytesMax) {
    return refuse_path(fmt::format("longer than {} bytes", kRemotePathBytesMax));
  }
  if (std::ranges::any_of(path, is_control)) {
    return refuse_path("control bytes are not allowed in it");
  }
  if (path.front() == '-') {
    return refuse_path("it must not begin with -; write ./ before it");
  }
  if (path.front() == '~') {
    return refuse_path(
        "~ stands only for the own login directory, as in ~/locks; write / or ./ "
        "before anything else");
  }
  return std::string(path);
}

}  // namespace dexlock
