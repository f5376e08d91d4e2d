#include "store/shell_acceptor.hpp"

#include <algorithm>
#include <utility>

#include "lock/fields.hpp"
#include "lock/invariant.hpp"
#include "lock/lock_name.hpp"
#include "store/digest.hpp"
#include "wire/durable_text.hpp"
#include "wire/line_fields.hpp"

namespace dexlock {
namespace {

// So many lost races in a row mean that something else is wrong.
constexpr std::uint32_t kLostMax = 100;

// Longer is no file name.
constexpr std::size_t kPointerBytesMax = 255;

// Of a name that is too long for a file name, so many bytes begin its key.
constexpr std::size_t kHeadBytes = 80;

// Heartbeats of tokens that the value no longer lists follow the record in the content.
constexpr char kPastMark = '~';

std::string beats_of_holders(const Durable& durable, const Soft& soft) {
  std::string out;
  if (durable.value) {
    for (const Holder& holder : durable.value->holders) {
      const auto at = soft.beats.find(holder.token);
      out += (out.empty() ? "" : "_") + std::to_string(at == soft.beats.end() ? 0 : at->second);
    }
  }
  return out.empty() ? "0" : out;
}

std::string past_beats(const Durable& durable, const Soft& soft) {
  std::string out;
  for (const auto& [token, beat] : soft.beats) {
    if (!durable.value || durable.value->find(token) == nullptr) {
      out += kPastMark + std::to_string(token.value) + ':' + std::to_string(beat);
    }
  }
  return out;
}

// VERSION.CONTENT.BEATS of the bytes that the store itself allows: it goes into the next line.
std::optional<Fields> parse_pointer(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  auto parts = split_fields(text, '.', 3);
  if (!parts || parts->size() != 3 || text.size() > kPointerBytesMax ||
      !std::ranges::all_of(*parts, [&](std::string_view part) {
        return !part.empty() && std::ranges::all_of(part, fits);
      })) {
    return std::nullopt;
  }
  return parts;
}

bool read_past_beats(std::string_view text, Soft& soft) {
  const auto parts = split_fields(text, kPastMark, kPastBeatsMax + 1);
  if (!parts) {
    return false;
  }
  for (const std::string_view part : *parts) {
    const auto colon = part.find(':');
    const auto token = parse_token(part.substr(0, colon));
    const auto beat = colon == std::string_view::npos
                          ? std::nullopt
                          : parse_number(part.substr(colon + 1), kSmallNumberMax);
    if (!token || !beat) {
      return false;
    }
    soft.beats[*token] = static_cast<std::uint32_t>(*beat);
  }
  return true;
}

bool read_holder_beats(std::string_view text, const Durable& durable, Soft& soft) {
  const std::size_t holders = durable.value ? durable.value->holders.size() : 0;
  const auto parts = split_fields(text, '_', kFilesHoldersMax);
  if (!parts || (holders > 0 && parts->size() != holders)) {
    return false;
  }
  for (std::size_t i = 0; i < holders; ++i) {
    const auto beat = parse_number((*parts)[i], kSmallNumberMax);
    if (!beat) {
      return false;
    }
    if (*beat > 0) {
      soft.beats[durable.value->holders[i].token] = static_cast<std::uint32_t>(*beat);
    }
  }
  return true;
}

}  // namespace

std::string key_file_name(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  constexpr std::size_t kPlainMax = 150;
  std::string out;
  for (const char c : name) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  if (out.size() <= kPlainMax) {
    return out;
  }
  return out.substr(0, kHeadBytes) + '%' + sha256_hex(name);
}

std::optional<std::string> name_of_key(std::string_view key) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string name;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] != '%') {
      name += key[i];
      continue;
    }
    const int high = key.size() - i > 2 ? digit(key[i + 1]) : -1;
    const int low = key.size() - i > 2 ? digit(key[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return LockName::parse(name) && key_file_name(name) == key ? std::optional(name) : std::nullopt;
}

bool is_digest_key(std::string_view key) {
  constexpr std::size_t kDigestKeyBytes = kHeadBytes + 1 + 64;
  return key.size() == kDigestKeyBytes && key[kHeadBytes] == '%';
}

ShellAcceptor::Output ShellAcceptor::start(const Request& request) {
  INVARIANT(asked_ == Asked::nothing);
  request_ = request;
  lost_ = 0;
  if (const auto* post = std::get_if<Post>(&request)) {
    return ask(Asked::post, "T " + place_.key + ' ' + post->ticket.claim.client.text + ' ' +
                                (post->remove ? "-" : ticket_text(post->ticket)));
  }
  if (const auto* read = std::get_if<Read>(&request); read != nullptr || !known_) {
    const bool durable = read != nullptr && read->durable;
    return ask(durable ? Asked::durable_get : Asked::get, (durable ? "D " : "G ") + place_.key);
  }
  return evaluate(false, false);
}

// `fresh`: the known state was told by the store within this request; `durable`: after syncing it.
ShellAcceptor::Output ShellAcceptor::evaluate(bool fresh, bool durable) {
  INVARIANT(known_.has_value());
  Known next = *known_;
  const Step step = apply(next.durable, next.soft, place_.boot, *request_);
  verdict_ = step.verdict;
  if (step.durable_changed) {
    const std::size_t holders = next.durable.value ? next.durable.value->holders.size() : 0;
    if (holders > kFilesHoldersMax) {
      return fault(FaultKind::refused,
                   "more than " + std::to_string(kFilesHoldersMax) +
                       " holders of one lock do not fit on a server with files");
    }
    proposed_ = std::move(next);
    return ask(Asked::swap, swap_line());
  }
  if (step.soft_changed) {
    proposed_ = std::move(next);
    return ask(Asked::beat, beat_line());
  }
  if (!fresh) {
    return ask(Asked::get, "G " + place_.key);
  }
  const bool acknowledges = step.verdict == Verdict::accepted || step.verdict == Verdict::beating;
  if (acknowledges && !durable) {  // it was there already: is it durable?
    return ask(Asked::durable_get, "D " + place_.key);
  }
  return answer(step.verdict);
}

std::optional<std::string> ShellAcceptor::seen() const {
  if (!known_ || known_->pointer == "-") {
    return std::nullopt;
  }
  return place_.name + '|' + known_->pointer + '|' + durable_text(known_->durable) +
         past_beats(known_->durable, known_->soft);
}

void ShellAcceptor::recall(std::string_view name, std::string_view seen) {
  const auto parts = split_fields(seen, '|', 3);
  if (parts && parts->size() == 3 && (*parts)[0] == name && asked_ == Asked::nothing) {
    static_cast<void>(learn("= " + std::string((*parts)[1]) + ' ' + place_.name + ' ' +
                            std::string((*parts)[2])));
  }
}

ShellAcceptor::Output ShellAcceptor::on_result(std::string_view result) {
  const Asked asked = std::exchange(asked_, Asked::nothing);
  if (asked == Asked::nothing) {
    return {};
  }
  if (result.starts_with("! ")) {
    return on_trouble(result.substr(2));
  }
  if (result.starts_with("ok")) {
    if (asked == Asked::swap || asked == Asked::beat) {
      return on_swapped(result.size() > 3 ? result.substr(3) : "");
    }
    if (asked == Asked::post) {
      return ask(Asked::get, "G " + place_.key);
    }
  }
  if (asked == Asked::post &&
      result == "-") {  // nobody ever wanted this lock: no place for a ticket
    static_cast<void>(learn(result));
    return answer(Verdict::state);
  }
  if (asked == Asked::post || !learn(result)) {
    known_.reset();
    return fault(FaultKind::corrupt, "its store answers what cannot be understood; look at " +
                                         place_.key + " in its directory");
  }
  if (std::holds_alternative<Read>(*request_) || std::holds_alternative<Post>(*request_)) {
    return answer(Verdict::state);
  }
  if (++lost_ > kLostMax) {
    return fault(FaultKind::busy, "too many clients write this lock at once");
  }
  return evaluate(true, asked == Asked::durable_get);
}

ShellAcceptor::Output ShellAcceptor::on_swapped(std::string_view pointer) {
  INVARIANT(proposed_.has_value());
  known_ = std::exchange(proposed_, std::nullopt);
  known_->pointer = pointer;
  if (!parse_pointer(pointer)) {
    known_.reset();
    return fault(FaultKind::corrupt, "its store acknowledges what cannot be understood");
  }
  return answer(verdict_);
}

// Takes over `= POINTER NAME CONTENT` or `-`. False for anything else.
bool ShellAcceptor::learn(std::string_view result) {
  known_.reset();
  proposed_.reset();
  if (result == "-") {
    known_ = Known{"-", absent_record(place_.where.epoch), {}};
    return true;
  }
  const auto parts = split_fields(result, ' ', 4);
  if (!parts || parts->size() != 4 || (*parts)[0] != "=" || (*parts)[2] != place_.name) {
    return false;
  }
  const auto pointer = parse_pointer((*parts)[1]);
  const std::string_view content = (*parts)[3];
  const auto mark = content.find(kPastMark);
  const auto durable = parse_durable(content.substr(0, mark));
  if (!pointer || !durable || durable->promised.epoch != place_.where.epoch.value) {
    return false;
  }
  Known known{std::string((*parts)[1]), *durable, {}};
  const bool past_fine =
      mark == std::string_view::npos || read_past_beats(content.substr(mark + 1), known.soft);
  if (!past_fine || !read_holder_beats((*pointer)[2], known.durable, known.soft)) {
    return false;
  }
  known_ = std::move(known);
  return true;
}

std::string ShellAcceptor::swap_line() {
  return "C " + place_.key + ' ' + known_->pointer + ' ' + place_.writer + 'x' +
         std::to_string(++writes_) + ' ' + beats_of_holders(proposed_->durable, proposed_->soft) +
         ' ' + place_.name + ' ' + durable_text(proposed_->durable) +
         past_beats(proposed_->durable, proposed_->soft);
}

std::string ShellAcceptor::beat_line() const {
  return "H " + place_.key + ' ' + known_->pointer + ' ' +
         beats_of_holders(proposed_->durable, proposed_->soft);
}

ShellAcceptor::Output ShellAcceptor::ask(Asked asked, std::string line) {
  asked_ = asked;
  line.insert(2, where_text(place_.where) + ' ');
  return Output{.line = std::move(line), .reply = std::nullopt};
}

ShellAcceptor::Output ShellAcceptor::answer(Verdict verdict) {
  return Output{.line = std::nullopt,
                .reply = Answer{verdict, state_of(known_->durable, known_->soft, place_.boot)}};
}

ShellAcceptor::Output ShellAcceptor::fault(FaultKind kind, std::string text) {
  return Output{.line = std::nullopt, .reply = Fault{kind, place_.server + ": " + text}};
}

ShellAcceptor::Output ShellAcceptor::on_trouble(std::string_view reason) {
  known_.reset();
  proposed_.reset();
  const std::string_view word = reason.substr(0, reason.find(' '));
  std::string detail;
  for (const char c : reason.substr(word.size(), 200)) {
    detail += c >= ' ' && c <= '~' ? c : '?';
  }
  if (word == "corrupt") {
    return fault(FaultKind::corrupt, "the files of this lock are damaged (" + place_.key + detail +
                                         "); this server has no vote on it. Do not mend them: " +
                                         "make this server's store anew, together with the group");
  }
  if (word == "write" || word == "sync") {
    return fault(FaultKind::full, "cannot write its store (disk full, or no permission?)" + detail);
  }
  if (word == "gone" || word == "sealed") {
    return fault(FaultKind::not_member, "its store is gone, or was replaced");
  }
  return fault(FaultKind::refused, "its store refuses the request:" + detail);
}

}  // namespace dexlock
