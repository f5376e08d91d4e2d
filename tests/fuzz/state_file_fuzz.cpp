// State files: what is read is exactly what stands between the header and the end, and what is
// written is read back. An input that begins with `=` gets the header of this boot before it.
#include "client/state_file.hpp"
#include "fuzz/fuzz.hpp"
#include "fuzz/scratch_place.hpp"
#include "system/small_file.hpp"

namespace {

std::string header_of_this_boot() {
  const auto path = dexlock::fuzz::scratch_place() / "empty";
  INVARIANT(dexlock::write_state_file(path, "").has_value());
  const std::string text = dexlock::read_small(path, 1000).value();
  return text.substr(0, text.find('\n') + 1);
}

}  // namespace

void dexlock::fuzz::consume(std::string_view text) {
  static const std::string header = header_of_this_boot();
  const auto path = scratch_place() / "state";
  std::string file(text);
  if (text.starts_with('=')) {
    file = header + file.substr(1);
  }
  write_file(path, file);
  if (const auto content = read_state_file(path)) {
    INVARIANT(header + *content + "end\n" == file);
  }
  INVARIANT(write_state_file(path, text).has_value());
  INVARIANT(read_state_file(path) == text);
}
