#include "store/kept_record.hpp"

#include "lock/fields.hpp"
#include "wire/durable_text.hpp"

namespace dexlock {
namespace {

constexpr char kGenerationMark = '~';

}  // namespace

std::string kept_text(const Durable& durable, std::uint64_t generation) {
  std::string text = durable_text(durable);
  if (generation != 0) {
    append(text, kGenerationMark, generation);
  }
  return text;
}

std::optional<KeptRecord> parse_kept(std::string_view text) {
  const auto mark = text.find(kGenerationMark);
  auto durable = parse_durable(text.substr(0, mark));
  if (!durable) {
    return std::nullopt;
  }
  std::uint64_t generation = 0;
  if (mark != std::string_view::npos) {
    const auto number = parse_number(text.substr(mark + 1), kSmallNumberMax);
    if (!number || *number == 0) {
      return std::nullopt;
    }
    generation = *number;
  }
  return KeptRecord{std::move(*durable), generation};
}

}  // namespace dexlock
