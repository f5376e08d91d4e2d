#include "wire/where.hpp"

#include <utility>

#include "lock/fields.hpp"

namespace dexlock {

std::string where_text(const Where& where) {
  std::string out;
  append(out, where.group, '.', where.incarnation, ".e", where.epoch.value);
  return out;
}

std::optional<Epoch> parse_epoch(std::string_view text) {
  const auto number = parse_number(text, kEpochMax);
  return number && *number > 0 ? std::optional(Epoch{*number}) : std::nullopt;
}

std::optional<Where> parse_where(std::string_view text) {
  const auto parts = split_fields(text, '.', 3);
  if (!parts || parts->size() != 3 || !(*parts)[2].starts_with('e')) {
    return std::nullopt;
  }
  auto group = parse_id((*parts)[0]);
  auto incarnation = parse_id((*parts)[1]);
  const auto epoch = parse_epoch((*parts)[2].substr(1));
  if (!group || !incarnation || !epoch) {
    return std::nullopt;
  }
  return Where{std::move(*group), std::move(*incarnation), *epoch};
}

}  // namespace dexlock
