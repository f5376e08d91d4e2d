// A store in a directory of the test's own, reached through one of the shells it must run on; a
// shell that is not installed is skipped, visibly. What a server lacks or does wrong is staged by
// tools that stand before its own on PATH.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "conformance/shell_session.hpp"
#include "unit/scratch_directory.hpp"

namespace dexlock::testing {

namespace fs = std::filesystem;

inline const std::string kServerPath = "/usr/local/bin:/usr/bin:/bin";

inline std::string found(const std::string& program) {
  for (const std::string place : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    if (::access((place + program).c_str(), X_OK) == 0) return place + program;
  }
  return "";
}

inline std::vector<ShellKind> all_shells() {
  return {{"dash", {"dash"}},
          {"bash", {"bash", "--posix"}},
          {"busybox", {"busybox", "sh"}, true},
          {"mksh", {"mksh"}},
          {"ksh93", {"ksh93"}},
          {"yash", {"yash"}},
          {"posh", {"posh"}},
          {"zsh", {"zsh", "--emulate", "sh"}}};
}

// One of each family, for tests that stage the server's tools: they take their time.
inline std::vector<ShellKind> some_shells() {
  const std::vector<ShellKind> all = all_shells();
  return {all.at(0), all.at(2), all.at(3), all.at(7)};
}

inline std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

inline std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The names in a directory, sorted.
inline std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class ShellStore : public ::testing::TestWithParam<ShellKind> {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    shell_ = GetParam();
    shell_.command[0] = found(shell_.command[0]);
    if (shell_.command[0].empty()) GTEST_SKIP() << "no " << shell_.name << " on this machine";
    path_ = kServerPath;
    if (shell_.busybox) {
      path_ = (scratch_.path() / "applets").native();
      fs::create_directory(path_);
      make_applets();
    }
  }

  // A session of a store, past its greeting.
  std::unique_ptr<ShellSession> open() { return open(connecting()); }
  std::unique_ptr<ShellSession> open(const Connecting& how) {
    auto session = std::make_unique<ShellSession>(shell_, how);
    greeting_ = session->receive().value_or("EOF");
    return session;
  }

  [[nodiscard]] Connecting connecting() const { return {.root = root_.native(), .path = path_}; }

  // A session of an active group; the group was formed before.
  std::unique_ptr<ShellSession> open_active() {
    const std::string incarnation = fresh_unique();
    where_ = "gid." + incarnation + ".e1";
    for (const std::string& directory : {where_, std::string("tmp"), std::string("proposed")}) {
      fs::create_directories(root_ / directory);
    }
    std::ofstream(root_ / "format") << "dex-lock files 1\n";
    std::ofstream(root_ / "incarnation") << incarnation << "\n";
    std::ofstream(root_ / "proposed" / "members") << "gid 1 a,b,c end\n";
    return open();
  }

  [[nodiscard]] std::string on(char verb, const std::string& rest = "k") const {
    return std::string(1, verb) + " " + where_ + " " + rest;
  }
  [[nodiscard]] fs::path lock(const std::string& key = "k") const { return root_ / where_ / key; }

  // The server's tools, with one that does `script` instead: "$REAL" is the tool itself, $DIR the
  // scratch directory.
  Connecting with_tool(const std::string& tool, const std::string& script) {
    const fs::path place = scratch_.path() / ("with-" + tool);
    fs::create_directory(place);
    const std::string real = shell_.busybox        ? found("busybox") + " " + tool
                             : found(tool).empty() ? "false"
                                                   : found(tool);
    std::ofstream(place / tool) << "#!" << found("dash") << "\nREAL='" << real << "'\nDIR='"
                                << scratch_.path().native() << "'\n"
                                << script << "\n";
    fs::permissions(place / tool, fs::perms::owner_all);
    Connecting how = connecting();
    how.path = place.native() + ":" + how.path;
    return how;
  }

  void make_applets() {
    std::unique_ptr<FILE, int (*)(FILE*)> list(::popen("busybox --list", "r"), ::pclose);
    std::array<char, 64> line{};
    while (std::fgets(line.data(), line.size(), list.get()) != nullptr) {
      const std::string name(line.data(), std::string_view(line.data()).find('\n'));
      fs::create_symlink(found("busybox"), fs::path(path_) / name);
    }
    shell_.command = {path_ + "/sh"};
  }

  ScratchDirectory scratch_;
  fs::path root_ = scratch_.path() / "it's a $(touch evil) `store`\\*";
  ShellKind shell_;
  std::string path_;
  std::string greeting_;
  std::string where_;
};

}  // namespace dexlock::testing
