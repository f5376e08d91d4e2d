// What a login prints before the greeting: the first decision stands, and noise has an end.
#include "fuzz/fuzz.hpp"
#include "transport/greeting.hpp"

void dexlock::fuzz::consume(std::string_view text) {
  GreetingFinder finder("host");
  std::optional<Result<std::string>> decision;
  std::size_t lines = 0;
  while (!text.empty()) {
    const auto now = finder.feed(take_line(text));
    INVARIANT(!decision || (now && now->has_value() == decision->has_value()));
    decision = now;
    INVARIANT(decision || ++lines <= kGreetingNoiseLines);
  }
  if (decision && *decision) {
    INVARIANT((*decision)->starts_with("dex-lock 1 "));
  } else if (decision) {
    INVARIANT((*decision).error().code == Errc::bad_config);
    INVARIANT(is_one_line((*decision).error().text));
  }
}
