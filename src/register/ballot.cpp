#include "register/ballot.hpp"

#include <array>

#include "lock/fields.hpp"

namespace dexlock {

std::string ballot_text(const Ballot& ballot) {
  std::string out;
  append_ballot(out, ballot);
  return out;
}

void append_ballot(std::string& out, const Ballot& ballot) {
  append(out, ballot.epoch, '.', ballot.round, '.', ballot.proposer.high, '.', ballot.proposer.low,
         '.', ballot.fast);
}

std::optional<Ballot> parse_ballot(std::string_view text) {
  const auto parts = split_fields(text, '.', 5);
  if (!parts || parts->size() != 5) {
    return std::nullopt;
  }
  std::array<std::uint32_t, 5> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto number = parse_number((*parts)[i], i == 4 ? 1 : kSmallNumberMax);
    if (!number) {
      return std::nullopt;
    }
    numbers[i] = static_cast<std::uint32_t>(*number);
  }
  if (numbers[0] == 0) {
    return std::nullopt;
  }
  return Ballot{numbers[0], numbers[1], {numbers[2], numbers[3]}, numbers[4]};
}

}  // namespace dexlock
