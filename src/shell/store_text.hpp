// The shell store as text: the program that serves a lock server on which nothing is installed, and
// the command that makes a remote /bin/sh take it over its standard input.
//
// Invariants:  The command is a constant: it works under any login shell (no !, no newline, no
// backslash, nothing
//              that csh or fish read otherwise) and fits a forced command of authorized_keys.
//              It reads exactly the payload, so requests may be sent right behind it, before the
//              greeting.
// Threads:     any.     Never does: I/O.
#pragma once

#include <string>
#include <string_view>

namespace dexlock {

struct StoreStart {
  std::string root;    // the store's directory: absolute, or relative to the login directory; no
                       // newline, no NUL
  std::string unique;  // 24 lower-case hexadecimal digits, random, fresh for each connection
  bool native = true;  // let an installed dex-lock serve a store of its format, or a blank one
  bool unsynced =
      false;  // serve even where nothing can be synced; for tests and throw-away stores only
};

// The program, src/shell/store.sh without comments and indentation; the build generates it.
std::string_view store_program();

// What /bin/sh is to run there: reads one line with the size of the payload, then the payload, and
// evaluates it.
std::string_view bootstrap_script();

// The whole remote command, to be one argument of ssh.
std::string_view bootstrap_command();

// What is to be sent first on the command's standard input.
std::string store_payload(const StoreStart& start);

}  // namespace dexlock
