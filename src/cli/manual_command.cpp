#include "cli/manual_command.hpp"

#include <CLI/CLI.hpp>
#include <fstream>

#include "cli/command_line.hpp"
#include "cli/completion.hpp"
#include "cli/manual_page.hpp"
#include "cli/parse.hpp"
#include "dexlock/exit_status.hpp"

namespace dexlock {
namespace {

bool write_page(const std::string& directory, const std::string& name, const std::string& text) {
  const std::string path = directory + "/" + name + ".1";
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    complain("cannot write " + path);
  }
  return static_cast<bool>(out);
}

bool write_pages(const std::string& directory, std::span<const CommandText> commands) {
  bool written = write_page(directory, "dex-lock", overview_page(commands));
  for (const CommandText& command : commands) {
    written = written && write_page(directory, page_name(command), manual_page(command, commands));
  }
  return written;
}

std::string completion_for(const std::string& shell, std::span<const CommandText> commands) {
  if (shell == "bash") {
    return bash_completion(commands);
  }
  return shell == "zsh" ? zsh_completion(commands) : fish_completion(commands);
}

}  // namespace

int manual_command(std::span<const std::string> words) {
  CLI::App app("Writes the manual pages of all commands, or prints the completion for a shell.",
               "dex-lock manual");
  app.group("Other");
  app.footer(R"(examples:
  # completion in this shell, without an installed package
  source <(dex-lock manual --completion bash)
  # read a page
  dex-lock manual --man /tmp && man /tmp/dex-lock-run.1
)");
  std::string directory;
  std::string shell;
  auto* man = app.add_option("--man", directory, "write a page for each command into it")
                  ->type_name("DIRECTORY");
  app.add_option("--completion", shell, "print the completion for this shell")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL")
      ->excludes(man);
  if (const auto status = parse_words(app, words)) {
    return *status;
  }
  const auto commands = all_command_texts();
  if (!directory.empty()) {
    return static_cast<int>(write_pages(directory, commands) ? ExitStatus::ok
                                                             : ExitStatus::damaged);
  }
  if (shell.empty()) {
    complain("manual: say --man DIRECTORY or --completion SHELL; see dex-lock manual --help");
    return static_cast<int>(ExitStatus::usage);
  }
  return print(completion_for(shell, commands));
}

}  // namespace dexlock
