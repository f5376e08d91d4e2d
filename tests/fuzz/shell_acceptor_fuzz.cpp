// The acceptor in front of a store of plain files that answers anything. The input is lines: a
// request as for a native server while nothing is under way, else what the store answers. Each line
// to the store keeps its form, and each answer says what its verdict means.
#include "fuzz/fuzz.hpp"
#include "lock/fields.hpp"
#include "store/shell_acceptor.hpp"
#include "wire/line_fields.hpp"
#include "wire/reply_line.hpp"

namespace {

using namespace dexlock;

const Where kWhere{"g", "i", Epoch{1}};

// Blank-separated fields of a line to the store, by its verb.
std::size_t fields_of(char verb) {
  constexpr std::string_view kVerbs = "GDHTC";
  constexpr std::array<std::size_t, 5> kFields{3, 3, 5, 5, 8};
  return kFields.at(kVerbs.find(verb));
}

void check_line(const std::string& line) {
  INVARIANT(is_printable(line));
  INVARIANT(line.size() <= kLineBytesMax);
  const auto parts = split_fields(line, ' ', 16);
  INVARIANT(parts && parts->size() == fields_of(line.front()));
  INVARIANT(std::ranges::none_of(*parts, &std::string_view::empty));
}

void check_answer(const Answer& answer, const Request& request) {
  const State& state = answer.state;
  const std::string line = reply_line({1, answer});
  const auto again = parse_reply_line(line);
  INVARIANT(again.has_value());  // what is learned from files is what a native server may say
  INVARIANT(reply_line(*again) == line);
  switch (answer.verdict) {
    case Verdict::promise:
      INVARIANT(state.promised == std::get<Prepare>(request).ballot);
      break;
    case Verdict::accepted:
      INVARIANT(state.accepted == std::get<Accept>(request).ballot);
      INVARIANT(state.value == std::get<Accept>(request).value);
      break;
    case Verdict::beating: {
      const auto& beat = std::get<Heartbeat>(request);
      INVARIANT(state.value->find(beat.token) != nullptr);
      INVARIANT(beat.beat == 0 || state.beats.at(beat.token) >= beat.beat);
      break;
    }
    default:
      break;
  }
}

}  // namespace

void dexlock::fuzz::consume(std::string_view text) {
  ShellAcceptor acceptor({.where = kWhere,
                          .name = "n",
                          .key = "n",
                          .boot = {"boot"},
                          .writer = "w",
                          .server = "server"});
  std::optional<Request> under_way;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    ShellAcceptor::Output output;
    if (under_way) {
      output = acceptor.on_result(line);
      INVARIANT(output.line || output.reply);
    } else {
      const auto asked = parse_request_line(line);
      const auto* about_key = asked ? std::get_if<KeyRequest>(&asked->line) : nullptr;
      if (about_key == nullptr) {
        continue;
      }
      under_way = about_key->request;
      output = acceptor.start(*under_way);
    }
    INVARIANT(output.line.has_value() != output.reply.has_value());
    if (output.line) {
      check_line(*output.line);
      continue;
    }
    if (const auto* answer = std::get_if<Answer>(&*output.reply)) {
      check_answer(*answer, *under_way);
    } else {
      INVARIANT(is_one_line(std::get<Fault>(*output.reply).text));
    }
    under_way.reset();
  }
}
