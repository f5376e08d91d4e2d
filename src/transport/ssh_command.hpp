// The command line that reaches a lock server through the system's ssh, and what its end means.
//
// The user's own ssh set-up stays in force: ~/.ssh/config, agents, jump hosts, known_hosts. Only
// what would break a connection without a terminal is fixed, see ssh_argv.
//
// Threads: plain functions. The one input besides the arguments is $DEXLOCK_SSH.
// Never does: start a process, read a file, look a name up.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dexlock/error.hpp"
#include "transport/line_process.hpp"

namespace dexlock {

struct SshTarget {
  std::string user_host;    // "host" or "user@host", as ssh takes it
  std::optional<int> port;  // wins over a port in sshopt
  std::string shown;        // what messages call this server; user_host if empty
};

// bad_config for words that are no options or would break the connection. A stray word would be
// taken for the host, and another host would be locked without a word. Some options end the
// connection before it begins, or leave stdin to nobody.
Result<void> check_sshopt(const std::vector<std::string>& sshopt);

// The words to run. `remote_command` is one word for ssh, read by the login shell of the other
// side.
//
// ssh takes the first value it sees of an -o option, and the last of a plain flag, so the order is:
//   fixed  -o BatchMode=yes -o ClearAllForwardings=yes [-p PORT]
//   sshopt
//   defaults, unless sshopt said otherwise
//          -o ConnectTimeout -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o LogLevel=ERROR
//          -o ControlMaster=no
//   fixed  -T -a -x -- USER_HOST REMOTE_COMMAND
// ClearAllForwardings: a LocalForward for this host in the user's configuration would fail the
// second connection. It does not reach ProxyJump or ProxyCommand, which run an ssh of their own.
// ControlMaster=no: a running master is used, but this connection, which may be killed any time,
// never becomes the master of the user's other sessions.
//
// Errors: bad_config for a host that ssh could take for an option or that has blanks or control
// bytes, for a port out of range, and for what check_sshopt refuses; bad_argument for an empty
// remote command.
Result<std::vector<std::string>> ssh_argv(const SshTarget& target,
                                          const std::vector<std::string>& sshopt,
                                          std::string_view remote_command,
                                          std::chrono::seconds connect_timeout);

// One line that names the server, the reason and the remedy. bad_config: somebody has to change
// something first (host key, login, name, options, no shell). no_quorum: this server cannot be
// reached or does not serve now, another try may succeed.
Error explain_ssh_end(const SshTarget& target, const ProcessEnd& end);

// Words separated by blanks and line ends. '...' and "..." keep blanks, and may be part of a word;
// a backslash is an ordinary character. bad_config for a quote that is not closed.
Result<std::vector<std::string>> split_words(std::string_view text);

}  // namespace dexlock
