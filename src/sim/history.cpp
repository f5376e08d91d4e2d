#include "sim/history.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "lock/fields.hpp"

namespace dexlock::sim {
namespace {

constexpr std::uint64_t kLargest = (std::uint64_t{1} << 62U);
constexpr std::size_t kFields = 7;

using Fields = std::array<std::string_view, kFields>;

enum Place : std::size_t { lock, client, what, argument, invoked, answered, outcome };

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  line = line.substr(0, line.find('#'));
  constexpr std::string_view kBlanks = " \t\r";
  for (auto from = line.find_first_not_of(kBlanks); from != std::string_view::npos;) {
    const auto end = std::min(line.find_first_of(kBlanks, from), line.size());
    words.push_back(line.substr(from, end - from));
    from = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

// Numbers for names; 0 is kept for nobody and nothing.
class Names {
 public:
  std::uint64_t number(std::string_view name) {
    return names_.try_emplace(std::string(name), names_.size() + 1).first->second;
  }

 private:
  std::map<std::string, std::uint64_t> names_;
};

class Parser {
 public:
  Result<std::vector<History>> parse(std::string_view text) {
    while (!text.empty()) {
      ++line_;
      const auto end = std::min(text.find('\n'), text.size());
      const auto words = words_of(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
      if (words.empty()) {
        continue;
      }
      if (words.size() != kFields) {
        return wrong("has " + std::to_string(words.size()) +
                     " fields; LOCK CLIENT OPERATION ARGUMENT INVOKED ANSWERED OUTCOME are 7");
      }
      Fields fields{};
      std::ranges::copy(words, fields.begin());
      if (auto added = add(fields); !added) {
        return std::unexpected(added.error());
      }
    }
    return std::move(histories_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(const std::string& why) const {
    return fail(Errc::bad_argument, "line " + std::to_string(line_) + ' ' + why);
  }

  Result<void> add(const Fields& fields) {
    const bool plain = fields[what] == "change" || fields[what] == "read";
    TimedOperation timed;
    if (auto times = read_times(fields, timed); !times) {
      return times;
    }
    const bool said_no = fields[outcome] == "no" && fields[what] == "get";
    const bool known = fields[outcome] == (fields[what] == "get" ? "held" : "done");
    if (!said_no && !(known && timed.answered) &&
        !(fields[outcome] == "unknown" && !timed.answered)) {
      return wrong("has the outcome \"" + std::string(fields[outcome]) +
                   "\": get is held or no, all else is done, and unknown goes with ANSWERED ?");
    }
    History& history = history_of(fields[lock], plain);
    if (history.plain_register != plain) {
      return wrong("treats " + history.lock + " as a lock and others as a plain register");
    }
    const bool nothing_told = said_no || (fields[outcome] == "unknown" && fields[argument] == "-");
    if (nothing_told) {
      return {};  // says nothing of the register: who does not know that it holds does not hold
    }
    auto operation = plain ? read_change(fields) : read_lock_operation(fields);
    if (!operation) {
      return std::unexpected(operation.error());
    }
    timed.operation = *operation;
    history.operations.push_back(timed);
    history.lines.push_back(line_);
    return {};
  }

  Result<void> read_times(const Fields& fields, TimedOperation& timed) const {
    const auto from = parse_number(fields[invoked], kLargest);
    if (!from) {
      return wrong("has no number of nanoseconds as INVOKED");
    }
    timed.invoked = Nanoseconds(static_cast<std::int64_t>(*from));
    if (fields[answered] == "?") {
      return {};
    }
    const auto to = parse_number(fields[answered], kLargest);
    if (!to || *to < *from) {
      return wrong("has neither ? nor a number of nanoseconds after INVOKED as ANSWERED");
    }
    timed.answered = Nanoseconds(static_cast<std::int64_t>(*to));
    return {};
  }

  Result<RegisterOperation> read_lock_operation(const Fields& fields) {
    using Kind = RegisterOperation::Kind;
    const bool get = fields[what] == "get";
    if (!get && fields[what] != "release" && fields[what] != "lost") {
      return wrong("has the operation \"" + std::string(fields[what]) +
                   "\"; there are get, release, lost, change and read");
    }
    const auto token = parse_number(fields[argument], kLargest);
    if (!token || *token == 0) {
      return wrong("has no token");
    }
    return RegisterOperation{.kind = get ? Kind::get : Kind::end,
                             .writes = *token,
                             .client = clients_.number(fields[client])};
  }

  Result<RegisterOperation> read_change(const Fields& fields) {
    const auto value = [&](std::string_view name) {
      return name == "nil" ? 0 : values_.number(name);
    };
    const auto arrow = fields[argument].find('>');
    if (fields[what] == "read") {
      return RegisterOperation{.reads = value(fields[argument]), .writes = value(fields[argument])};
    }
    if (arrow == std::string_view::npos || arrow == 0 || arrow + 1 == fields[argument].size()) {
      return wrong("has no BASE>NEXT");
    }
    const std::uint64_t base = value(fields[argument].substr(0, arrow));
    return RegisterOperation{.reads = base, .writes = value(fields[argument].substr(arrow + 1))};
  }

  History& history_of(std::string_view name, bool plain) {
    const auto at = std::ranges::find(histories_, name, &History::lock);
    if (at != histories_.end()) {
      return *at;
    }
    return histories_.emplace_back(History{std::string(name), plain, {}, {}});
  }

  std::size_t line_ = 0;
  Names clients_;
  Names values_;
  std::vector<History> histories_;
};

}  // namespace

Result<std::vector<History>> parse_histories(std::string_view text) { return Parser().parse(text); }

}  // namespace dexlock::sim
