#include "sim/fake_clock.hpp"

#include <algorithm>

namespace dexlock::sim {
namespace {

constexpr std::int64_t kMillionParts = 1'000'000;

// Far enough to be never, near enough not to overflow; the estimates are exact to a few
// nanoseconds.
constexpr Nanoseconds kFar = std::chrono::hours(2);
constexpr Nanoseconds kRounding(16);

Nanoseconds shown_after(Nanoseconds true_span, std::int64_t ppm, bool runs) {
  if (!runs) {
    return Nanoseconds(0);
  }
  return true_span + Nanoseconds(true_span.count() / kMillionParts * ppm +
                                 true_span.count() % kMillionParts * ppm / kMillionParts);
}

// A true span after which `shown` is surely shown; at most a few nanoseconds too long.
Nanoseconds true_span_for(Nanoseconds shown, std::int64_t ppm, bool runs) {
  if (shown.count() <= 0) {
    return Nanoseconds(0);
  }
  if (!runs || shown > kFar) {
    return kFar;
  }
  const std::int64_t rate = kMillionParts + ppm;
  const std::int64_t whole = shown.count() / rate;
  const std::int64_t rest = shown.count() % rate;
  return Nanoseconds(whole * kMillionParts + rest * kMillionParts / rate);
}

}  // namespace

void FakeClock::restart(Nanoseconds now, Instant shown, ClockRates rates) {
  pieces_.assign(1, Piece{now, shown, rates});
}

void FakeClock::change(Nanoseconds now, ClockRates rates) {
  const Instant shown = at(now);
  pieces_.push_back(Piece{now, shown, rates});
}

void FakeClock::jump(Nanoseconds now, Nanoseconds by) {
  Instant shown = at(now);
  shown.boot += by;
  pieces_.push_back(Piece{now, shown, rates()});
}

Instant FakeClock::at(Nanoseconds now) const {
  const Piece& piece = pieces_.back();
  const Nanoseconds span = now - piece.from;
  return Instant{piece.shown.boot + shown_after(span, piece.rates.boot_ppm, piece.rates.boot_runs),
                 piece.shown.raw + shown_after(span, piece.rates.raw_ppm, piece.rates.raw_runs)};
}

Nanoseconds FakeClock::when_boot_shows(Nanoseconds boot, Nanoseconds now) const {
  const Piece& piece = pieces_.back();
  Nanoseconds then =
      std::max(now, piece.from + true_span_for(boot - piece.shown.boot, piece.rates.boot_ppm,
                                               piece.rates.boot_runs));
  for (const Nanoseconds last = then + kRounding; then < last && at(then).boot < boot;) {
    ++then;
  }
  return then;
}

Nanoseconds FakeClock::when_holder_counts(Instant from, Nanoseconds span, Nanoseconds now) const {
  const Piece& piece = pieces_.back();
  const Nanoseconds by_boot = true_span_for(from.boot + span - piece.shown.boot,
                                            piece.rates.boot_ppm, piece.rates.boot_runs);
  const Nanoseconds by_raw =
      true_span_for(from.raw + span - piece.shown.raw, piece.rates.raw_ppm, piece.rates.raw_runs);
  Nanoseconds then = std::max(now, piece.from + std::min(by_boot, by_raw));
  for (const Nanoseconds last = then + kRounding;
       then < last && elapsed_for_holder(from, at(then)) < span;) {
    ++then;
  }
  return then;
}

Nanoseconds FakeClock::true_time_of(Nanoseconds boot) const {
  const auto later =
      std::ranges::upper_bound(pieces_, boot, {}, [](const Piece& p) { return p.shown.boot; });
  const Piece& piece = later == pieces_.begin() ? pieces_.front() : *std::prev(later);
  const Nanoseconds then = piece.from + true_span_for(boot - piece.shown.boot, piece.rates.boot_ppm,
                                                      piece.rates.boot_runs);
  return later == pieces_.end() ? then
                                : std::min(then, later->from);  // it may have been jumped over
}

}  // namespace dexlock::sim
