#include "cli/manual_page.hpp"

#include <algorithm>

#include "cli/help_text.hpp"
#include "cli/overview.hpp"

namespace dexlock {
namespace {

std::string upper_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return text;
}

std::string roff_char(char c) {
  switch (c) {
    case '\\':
      return "\\e";
    case '-':
      return "\\-";
    case '~':
      return "\\(ti";
    case '\'':
      return "\\(aq";
    case '`':
      return "\\(ga";
    default:
      return {c};
  }
}

// One line of text. What stands in `backquotes` is bold.
std::string roff(std::string_view text) {
  std::string out = text.starts_with('.') ? "\\&" : "";
  bool is_bold = false;
  for (const char c : text) {
    if (c == '`') {
      is_bold = !is_bold;
      out += is_bold ? "\\fB" : "\\fR";
    } else {
      out += roff_char(c);
    }
  }
  return out;
}

// In lines of the usual length.
std::string filled(std::string_view text) {
  constexpr std::size_t kLongEnough = 60;
  std::string out;
  std::size_t line_at = 0;
  for (const char c : roff(text)) {
    if (c == ' ' && out.size() - line_at > kLongEnough) {
      out += '\n';
      line_at = out.size();
    } else {
      out += out.size() == line_at && c == '.' ? "\\&." : std::string{c};
    }
  }
  return out + '\n';
}

std::string literal(std::string_view text) {
  std::string out = "\\&";
  for (const char c : text) {
    out += roff_char(c);
  }
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }

std::string heading(const std::string& title) { return ".SH \"" + upper_case(title) + "\"\n"; }

std::string entry(const std::string& what, const std::string& text) {
  return ".TP\n" + what + '\n' + filled(text);
}

std::string title_line(const std::string& page, const std::string& summary) {
  return ".TH \"" + upper_case(page) +
         "\" 1 \"" DEXLOCK_DATE "\" \"dex-lock " DEXLOCK_VERSION "\" \"dex-lock\"\n" +
         heading("name") + page + " \\- " + roff(summary) + '\n';
}

std::string option_head(const OptionText& option) {
  std::string out;
  for (const std::string& name : option.names) {
    out += (out.empty() ? "" : ", ") + bold(name);
  }
  return option.value.empty() ? out : out + " \\fI" + roff(option.value) + "\\fR";
}

std::string section_page(const SectionText& section) {
  std::string out = heading(section.title);
  for (const std::string& line : section.lines) {
    const std::string text = line.substr(line.find_first_not_of(' '));
    const std::string between = &line == &section.lines.front() ? "" : ".PP\n";
    if (const auto explained = entry_of(section, line)) {
      out += entry(bold(explained->first), explained->second);
    } else if (section.title != "examples") {
      out += between + filled(text);
    } else if (text.starts_with("# ")) {
      out += between + filled(text.substr(2) + (text.ends_with('?') ? "" : ":"));
    } else {
      out += ".PP\n.RS 4\n.nf\n" + literal(text) + "\n.fi\n.RE\n";
    }
  }
  return out;
}

std::string statuses_page(std::string_view word) {
  std::string out = heading("exit status");
  for (const ExitStatusText& row : kExitStatuses) {
    if (word.empty() || concerns(row, word)) {
      out +=
          entry(bold(std::to_string(static_cast<int>(row.status))),
                (word.empty() ? std::string(row.commands) + ": " : "") + std::string(row.meaning));
    }
  }
  return out;
}

}  // namespace

std::string page_name(const CommandText& command) {
  std::string name = command.called;
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string manual_page(const CommandText& command, std::span<const CommandText> all) {
  std::string out = title_line(page_name(command), command.summary) + heading("synopsis") +
                    bold(command.called) + ' ' + roff(arguments_text(command)) + '\n' +
                    heading("description") + filled(command.description);
  if (!command.arguments.empty()) {
    out += heading("arguments");
    for (const OptionText& argument : command.arguments) {
      out += entry("\\fI" + roff(argument.names.front()) + "\\fR", option_meaning(argument));
    }
  }
  out += heading("options");
  for (const OptionText& option : command.options) {
    out += entry(option_head(option), option_meaning(option));
  }
  for (const SectionText& section : command.sections) {
    out += section_page(section);
  }
  out += statuses_page(command.word) + heading("see also") + ".BR dex\\-lock (1)";
  for (const CommandText& other : all) {
    if (other.group == command.group && other.word != command.word) {
      out += ",\n.BR " + roff(page_name(other)) + " (1)";
    }
  }
  return out + '\n';
}

std::string overview_page(std::span<const CommandText> all) {
  std::string out = title_line("dex-lock", "locks for the whole network") + heading("synopsis") +
                    "\\fBdex\\-lock\\fR \\fICOMMAND\\fR [OPTION]... [ARGUMENT]...\n";
  const auto sections = sections_of(kOverview);
  for (const SectionText& section : sections) {
    if (section.title == "description") {
      out += section_page(section);
    }
  }
  out += heading("commands");
  std::vector<std::string> groups;
  for (const CommandText& command : all) {
    if (std::ranges::find(groups, command.group) == groups.end()) {
      groups.push_back(command.group);
    }
  }
  for (const std::string& group : groups) {
    out += ".SS \"" + roff(group) + "\"\n";
    for (const CommandText& command : all) {
      if (command.group == group) {
        out += ".TP\n.BR " + roff(page_name(command)) + " (1)\n" + roff(command.summary) + '\n';
      }
    }
  }
  out += statuses_page("");
  for (const SectionText& section : sections) {
    if (section.title != "description") {
      out += section_page(section);
    }
  }
  return out + heading("see also") + ".BR flock (1),\n.BR ssh (1)\n";
}

}  // namespace dexlock
