#include "client/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "client/config_file.hpp"
#include "client/local_paths.hpp"
#include "etcd/etcd_sight.hpp"
#include "lock/fields.hpp"
#include "lock/quoted_text.hpp"
#include "system/duration_text.hpp"
#include "transport/ssh_command.hpp"

namespace dexlock {
namespace {

using std::filesystem::path;

constexpr std::string_view kBlanks = " \t\r";

// The files of one directory, read but not judged.
struct ConfigTexts {
  std::optional<std::string> lock_servers;
  std::optional<std::string> remote_path;
  std::optional<std::string> sshopt;
  std::optional<std::string> options;

  [[nodiscard]] bool is_empty() const {
    return !lock_servers && !remote_path && !sshopt && !options;
  }
};

Result<ConfigTexts> read_texts(const path& dir) {
  ConfigTexts texts;
  const std::array<std::pair<const char*, std::optional<std::string>*>, 4> files{
      {{"lock_servers", &texts.lock_servers},
       {"remote_path", &texts.remote_path},
       {"sshopt", &texts.sshopt},
       {"options", &texts.options}}};
  for (const auto& [name, text] : files) {
    auto content = read_config_file(dir / name);
    if (!content) {
      return std::unexpected(std::move(content.error()));
    }
    *text = std::move(*content);
  }
  return texts;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

struct Line {
  std::size_t number;  // from 1
  std::string_view text;
};

// The lines that say something: neither blank nor a comment, without blanks around them.
std::vector<Line> telling_lines(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!line.empty() && line.front() != '#') {
      lines.push_back({number, line});
    }
  }
  return lines;
}

std::vector<std::string_view> words_before_comment(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = trimmed(line)).empty() && line.front() != '#') {
    const auto end = std::min(line.find_first_of(kBlanks), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

Result<void> add_server(const path& file, std::string_view word,
                        std::vector<ServerEntry>& servers) {
  auto entry = parse_server_entry(word);
  if (!entry) {
    return refuse_config(file, entry.error().text);
  }
  const auto same = std::ranges::find_if(
      servers, [&](const ServerEntry& other) { return is_same_place(other, *entry); });
  if (same != servers.end()) {
    return refuse_config(
        file,
        fmt::format(
            "lock server {} stands there twice{}; one server must have one "
            "vote, remove one of them",
            quoted_text(same->shown),
            same->shown == entry->shown ? "" : fmt::format(" (also as {})", quoted_text(word))));
  }
  if (servers.size() == kServersMax) {
    return refuse_config(file, fmt::format("more than {} servers; 3 or 5 are usual", kServersMax));
  }
  servers.push_back(std::move(*entry));
  return {};
}

Result<std::vector<ServerEntry>> parse_servers(const path& file, std::string_view text) {
  std::vector<ServerEntry> servers;
  for (const Line& line : telling_lines(text)) {
    for (const std::string_view word : words_before_comment(line.text)) {
      if (auto added = add_server(file, word, servers); !added) {
        return std::unexpected(std::move(added.error()));
      }
    }
  }
  if (servers.empty()) {
    return refuse_config(file,
                         "is blank; write the lock servers into it, separated by blanks, or remove "
                         "the configuration to use this machine's own store");
  }
  return servers;
}

Result<std::string> parse_remote_path_file(const path& file, std::string_view text) {
  const auto lines = telling_lines(text);
  if (lines.size() != 1) {
    return refuse_config(file, lines.empty()
                                   ? "is blank; write one directory into it or remove the file"
                                   : "has more than one line; write one directory into it");
  }
  auto remote_path = parse_remote_path(lines.front().text);
  if (!remote_path) {
    return refuse_config(file, remote_path.error().text);
  }
  return remote_path;
}

Result<std::vector<std::string>> parse_sshopt(const path& file, std::string_view text) {
  std::vector<std::string> options;
  for (const Line& line : telling_lines(text)) {
    const auto is_control = [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    };
    if (std::ranges::any_of(line.text, is_control)) {
      return refuse_config(file,
                           fmt::format("line {}: control bytes are not allowed", line.number));
    }
    auto words = split_words(line.text);
    if (!words) {
      return refuse_config(file, fmt::format("line {}: {}", line.number, words.error().text));
    }
    std::ranges::move(*words, std::back_inserter(options));
  }
  if (const auto checked = check_sshopt(options); !checked) {
    return refuse_config(file, checked.error().text);
  }
  return options;
}

constexpr std::string_view kKnownOptions =
    "known are: allow_unsynced_store yes|no, fast_ballots yes|no, tls_certificate FILE, tls_key "
    "FILE, tls_authority FILE, etcd_user_file FILE, etcd_prefix PREFIX, etcd_idle DURATION";

// A number of days may be more than a duration elsewhere.
Result<std::chrono::seconds> parse_idle(std::string_view value) {
  constexpr std::uint64_t kDaysMax = 3650;
  if (value.ends_with('d')) {
    const auto days = parse_number(value.substr(0, value.size() - 1), kDaysMax);
    if (days && *days > 0) {
      return std::chrono::hours(24 * *days);
    }
  }
  const auto idle = parse_duration(value, {.min = std::chrono::seconds(1)}, "it");
  return idle ? Result<std::chrono::seconds>(std::chrono::ceil<std::chrono::seconds>(*idle))
              : fail(Errc::bad_config, idle.error().text);
}

Result<void> set_option(std::string_view key, std::string_view value, Config& config) {
  for (const auto& [name, flag] : {std::pair("allow_unsynced_store", &config.allow_unsynced),
                                   std::pair("fast_ballots", &config.fast_ballots)}) {
    if (key == name) {
      if (value != "yes" && value != "no") {
        return fail(Errc::bad_config, "its value must be yes or no");
      }
      *flag = value == "yes";
      return {};
    }
  }
  for (const auto& [name, where] :
       {std::pair("tls_certificate", &config.tls.certificate),
        std::pair("tls_key", &config.tls.key), std::pair("tls_authority", &config.tls.authority),
        std::pair("etcd_user_file", &config.etcd_user_file)}) {
    if (key == name) {
      *where = std::filesystem::path(config.source) / value;  // an absolute one stays as it is
      return {};
    }
  }
  if (key == "etcd_prefix") {
    if (!value.starts_with('/') || !value.ends_with('/') || value.contains('#')) {
      return fail(Errc::bad_config, "it must begin and end with / and contain no #");
    }
    if (is_ambiguous_prefix(value)) {
      return fail(Errc::bad_config,
                  "none of its parts may be lock, beat, wait, mark or past: its keys could be "
                  "those of a shorter prefix");
    }
    config.etcd_prefix = value;
    return {};
  }
  if (key == "etcd_idle") {
    const auto idle = parse_idle(value);
    if (!idle) {
      return std::unexpected(idle.error());
    }
    config.etcd_idle = *idle;
    return {};
  }
  return fail(Errc::bad_config, "unknown key " + quoted_text(key));
}

Result<void> parse_options(const path& file, std::string_view text, Config& config) {
  std::vector<std::string_view> seen;
  for (const Line& line : telling_lines(text)) {
    const auto words = words_before_comment(line.text);
    const auto refuse_line = [&](std::string_view why) {
      return refuse_config(file, fmt::format("line {}: {}; {}", line.number, why, kKnownOptions));
    };
    if (words.size() != 2) {
      return refuse_line("a key and its value must stand there");
    }
    if (std::ranges::find(seen, words.front()) != seen.end()) {
      return refuse_line("the key stands there twice");
    }
    seen.push_back(words.front());
    if (const auto done = set_option(words[0], words[1], config); !done) {
      return refuse_line(done.error().text);
    }
  }
  return {};
}

// Those who talk under TLS must have something to show.
Result<void> check_tls(const path& dir, const Config& config) {
  const auto tls = std::ranges::find_if(config.servers, [](const ServerEntry& entry) {
    return entry.kind == ServerEntry::Kind::socket && entry.socket.kind == SocketAddress::Kind::tls;
  });
  const TlsFiles& files = config.tls;
  if (tls != config.servers.end() &&
      (files.certificate.empty() || files.key.empty() || files.authority.empty())) {
    return refuse_config(
        dir / "options",
        fmt::format("lock server {} needs tls_certificate, tls_key and tls_authority there",
                    quoted_text(tls->shown)));
  }
  return {};
}

// An etcd cluster is the only acceptor of its group.
Result<void> check_etcd(const path& dir, const Config& config) {
  const auto etcd = std::ranges::find(config.servers, ServerEntry::Kind::etcd, &ServerEntry::kind);
  if (etcd == config.servers.end()) {
    return {};
  }
  if (config.servers.size() > 1) {
    return refuse_config(dir / "lock_servers",
                         fmt::format("{} is a cluster by itself; write all its endpoints into one "
                                     "entry and no other servers beside it",
                                     quoted_text(etcd->shown)));
  }
  if (etcd->etcd_tls &&
      (config.tls.authority.empty() || config.tls.certificate.empty() != config.tls.key.empty())) {
    return refuse_config(dir / "options",
                         fmt::format("lock server {} needs tls_authority there, and tls_key with "
                                     "tls_certificate where it wants one",
                                     quoted_text(etcd->shown)));
  }
  return {};
}

void add_warnings(Config& config) {
  const std::size_t count = config.servers.size();
  if (count == 1 && config.servers.front().kind != ServerEntry::Kind::dir &&
      config.servers.front().endpoints.size() < 3) {
    config.warnings.push_back(
        fmt::format("only one lock server ({}): while it is down nobody gets a lock; use 3",
                    quoted_text(config.servers.front().shown)));
  }
  if (count % 2 == 0) {
    config.warnings.push_back(fmt::format(
        "{} lock servers: an even number survives no more failures than {}; use an odd number",
        count, count - 1));
  }
}

Result<Config> config_from(const path& dir, const ConfigTexts& texts) {
  if (!texts.lock_servers) {
    return refuse_config(dir / "lock_servers",
                         "is missing; write the lock servers into it, separated by blanks");
  }
  Config config;
  std::error_code ignored;
  const path absolute_dir = std::filesystem::absolute(dir, ignored);
  config.source = ignored ? dir.native() : absolute_dir.native();
  auto servers = parse_servers(dir / "lock_servers", *texts.lock_servers);
  if (!servers) {
    return std::unexpected(std::move(servers.error()));
  }
  config.servers = std::move(*servers);
  if (texts.remote_path) {
    auto remote_path = parse_remote_path_file(dir / "remote_path", *texts.remote_path);
    if (!remote_path) {
      return std::unexpected(std::move(remote_path.error()));
    }
    config.remote_path = std::move(*remote_path);
  }
  if (texts.sshopt) {
    auto options = parse_sshopt(dir / "sshopt", *texts.sshopt);
    if (!options) {
      return std::unexpected(std::move(options.error()));
    }
    config.ssh_options = std::move(*options);
  }
  if (texts.options) {
    if (auto parsed = parse_options(dir / "options", *texts.options, config); !parsed) {
      return std::unexpected(std::move(parsed.error()));
    }
  }
  if (auto shown = check_tls(dir, config); !shown) {
    return std::unexpected(std::move(shown.error()));
  }
  if (auto checked = check_etcd(dir, config); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  add_warnings(config);
  return config;
}

Result<Config> embedded_config() {
  const auto paths = local_paths();
  if (!paths) {
    return std::unexpected(paths.error());
  }
  Config config;
  config.embedded_default = true;
  config.servers.push_back({.kind = ServerEntry::Kind::dir,
                            .shown = "dir:" + paths->store_dir.native(),
                            .user_host = {},
                            .port = {},
                            .path = paths->store_dir.native()});
  return config;
}

Result<Config> explicit_config(const path& dir) {
  if (dir.empty()) {
    return fail(Errc::bad_config,
                "DEXLOCK_CONF is set but empty; unset it or let it name a directory");
  }
  std::error_code error;
  if (!std::filesystem::is_directory(dir, error)) {
    return fail(Errc::bad_config,
                fmt::format("DEXLOCK_CONF names {}: {}; correct or unset it",
                            quoted_text(dir.native()), error ? error.message() : "no directory"));
  }
  const auto texts = read_texts(dir);
  return texts ? config_from(dir, *texts) : std::unexpected(texts.error());
}

}  // namespace

Result<Config> load_config(const ConfigPlaces& places) {
  if (places.explicit_dir) {
    return explicit_config(*places.explicit_dir);
  }
  for (const path& dir : {places.installation_dir, places.user_dir, places.system_dir}) {
    if (dir.empty()) {
      continue;
    }
    const auto texts = read_texts(dir);
    if (!texts) {
      return std::unexpected(texts.error());
    }
    if (!texts->is_empty()) {
      return config_from(dir, *texts);
    }
  }
  return embedded_config();
}

}  // namespace dexlock
