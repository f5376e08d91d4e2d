#include "wire/greeting_line.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "lock/fields.hpp"
#include "lock/quoted_text.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {
namespace {

constexpr std::string_view kName = "dex-lock";
constexpr std::string_view kDirectory = "dir=";
// Far more than there are, few enough to be read at once.
constexpr std::size_t kUnknownFieldsMax = 32;

std::string printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

bool has_control_bytes(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

std::string proposed_text(const ProposedGroup& proposed) {
  return proposed.group + ':' + std::to_string(proposed.epoch.value) + ':' +
         members_text(proposed.members);
}

std::optional<ProposedGroup> parse_proposed(std::string_view text) {
  const auto parts = split_fields(text, ':', 3);
  if (!parts || parts->size() != 3) {
    return std::nullopt;
  }
  auto group = parse_id((*parts)[0]);
  const auto epoch = parse_epoch((*parts)[1]);
  auto members = parse_members((*parts)[2]);
  if (!group || !epoch || !members) {
    return std::nullopt;
  }
  return ProposedGroup{std::move(*group), *epoch, std::move(*members)};
}

// A word of lower-case letters, as a way to sync or a reason is.
std::optional<std::string> parse_plain_word(std::string_view text) {
  constexpr std::size_t kWordBytesMax = 32;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; };
  if (text.empty() || text.front() == '-' || text.size() > kWordBytesMax ||
      !std::ranges::all_of(text, plain)) {
    return std::nullopt;
  }
  return std::string(text);
}

// The value of a field that may be `-`.
template <class T, class Parse>
bool read_optional(std::string_view text, std::optional<T>& value, Parse parse) {
  if (text == "-") {
    return true;
  }
  value = parse(text);
  return value.has_value();
}

bool read_into(std::string& value, std::optional<std::string> parsed) {
  value = parsed.value_or("");
  return parsed.has_value();
}

constexpr std::array<std::string_view, 5> kKeys{"inc", "boot", "sync", "proposed", "active"};

bool read_field(std::string_view key, std::string_view value, Greeting& greeting) {
  if (key == "inc") {
    return read_into(greeting.incarnation, parse_id(value));
  }
  if (key == "boot") {
    return read_optional(value, greeting.boot, parse_boot);
  }
  if (key == "sync") {
    return read_into(greeting.sync, parse_plain_word(value));
  }
  if (key == "proposed") {
    return read_optional(value, greeting.proposed, parse_proposed);
  }
  return read_optional(value, greeting.active, parse_where);
}

// Reads the fields in front of the directory and takes them off `rest`. What is wrong, or nothing.
std::optional<std::string> read_fields(std::string_view& rest, Greeting& greeting) {
  std::array<bool, kKeys.size()> seen{};
  std::size_t unknown = 0;
  while (!rest.starts_with(kDirectory)) {
    const auto blank = rest.find(' ');
    const std::string_view field = rest.substr(0, blank);
    const auto equals = field.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return quoted_text(field) + " is no KEY=VALUE";
    }
    const auto at = std::ranges::find(kKeys, field.substr(0, equals));
    if (at == kKeys.end()) {
      if (++unknown > kUnknownFieldsMax) {
        return "too many unknown fields";
      }
    } else if (std::exchange(seen.at(static_cast<std::size_t>(at - kKeys.begin())), true) ||
               !read_field(*at, field.substr(equals + 1), greeting)) {
      return quoted_text(field) + " cannot be read or is repeated";
    }
    if (blank == std::string_view::npos) {
      return "dir= is missing";
    }
    rest.remove_prefix(blank + 1);
  }
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    if (!seen.at(i)) {
      return std::string(kKeys.at(i)) + "= is missing";
    }
  }
  return std::nullopt;
}

// Takes the first word and the blank behind it off `rest`.
std::string_view first_word(std::string_view& rest) {
  const std::string_view word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  return word;
}

std::unexpected<GreetingTrouble> unreadable(const std::string& why) {
  return std::unexpected(GreetingTrouble{std::string(kUnreadable),
                                         "its greeting makes no sense: " + why +
                                             "; is dex-lock there damaged or of another version?"});
}

}  // namespace

std::string greeting_line(const Greeting& greeting) {
  return std::string(kName) + ' ' + std::to_string(greeting.version) + ' ' + greeting.format +
         " inc=" + greeting.incarnation + " boot=" + (greeting.boot ? greeting.boot->text : "-") +
         " sync=" + greeting.sync +
         " proposed=" + (greeting.proposed ? proposed_text(*greeting.proposed) : "-") +
         " active=" + (greeting.active ? where_text(*greeting.active) : "-") + ' ' +
         std::string(kDirectory) + printable(greeting.directory);
}

std::string greeting_line(const GreetingTrouble& trouble) {
  return std::string(kName) + ' ' + std::to_string(kGreetingVersion) + " error " + trouble.reason +
         ' ' + printable(std::string_view(trouble.detail).substr(0, kDetailBytesMax));
}

std::expected<Greeting, GreetingTrouble> parse_greeting_line(std::string_view line) {
  if (line.size() > kLineBytesMax || has_control_bytes(line)) {
    return unreadable("it is too long or has control bytes in it");
  }
  std::string_view rest = line;
  const std::string start = std::string(kName) + ' ' + std::to_string(kGreetingVersion) + ' ';
  if (!rest.starts_with(start)) {
    return unreadable(quoted_text(line) + " does not begin with \"" + start + '"');
  }
  rest.remove_prefix(start.size());
  const std::string_view format = first_word(rest);
  if (format == "error") {
    const auto reason = parse_plain_word(first_word(rest));
    if (!reason) {
      return unreadable("it reports an error without a reason");
    }
    return std::unexpected(GreetingTrouble{*reason, printable(rest.substr(0, kDetailBytesMax))});
  }
  if (format != "files" && format != "lmdb") {
    return unreadable("stores of the format " + quoted_text(format) + " are not known here");
  }
  Greeting greeting{.format = std::string(format)};
  if (const auto why = read_fields(rest, greeting)) {
    return unreadable(*why);
  }
  if (greeting.active && greeting.active->incarnation != greeting.incarnation) {
    return unreadable("it is active as " + quoted_text(greeting.active->incarnation) +
                      ", which is another store");
  }
  const std::string_view directory = rest.substr(kDirectory.size());
  if (directory.empty() || directory.size() > kDirectoryBytesMax) {
    return unreadable("the name of its directory is empty or too long");
  }
  greeting.directory = printable(directory);
  return greeting;
}

}  // namespace dexlock
