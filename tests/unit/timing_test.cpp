#include "lease/timing.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "lock/record_text.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Exact = long double;  // 64 bits of mantissa: the slow second computation

constexpr std::int64_t kLongest = (std::int64_t{1} << 31) - 1;  // ms; what a record may say

Terms terms(std::int64_t lease_ms, std::int64_t stop_ms, std::uint32_t drift_ppm) {
  return Terms{milliseconds(lease_ms), milliseconds(stop_ms), milliseconds(lease_ms / 3),
               drift_ppm};
}

Exact exact(Nanoseconds span) { return static_cast<Exact>(span.count()); }
Exact share(std::uint32_t ppm) { return static_cast<Exact>(ppm) / 1e6L; }

// Real time that passes at least while a clock fast by `ppm` shows `span`.
Exact real_at_least(Nanoseconds span, std::uint32_t ppm) { return exact(span) / (1 + share(ppm)); }
// Real time that passes at most while a clock slow by `ppm` shows `span`.
Exact real_at_most(Nanoseconds span, std::uint32_t ppm) { return exact(span) / (1 - share(ppm)); }

const std::vector<std::int64_t> kLeases{1, 7, 999, 1000, 5000, 30'000, 86'400'000, kLongest};
const std::vector<std::int64_t> kStops{0, 1, 333, 60'000, kLongest};
const std::vector<std::uint32_t> kDrifts{0, 1, 200, 1000, 100'000, 333'333, 500'000};

// S3 and the timeline of the header: by the time of the eviction even the slowest permitted holder
// has stopped, measured by the fastest permitted observer.
TEST(Timing, AnEvictionNeverPrecedesTheEndOfTheSlowestHoldersWork) {
  int cases = 0;
  for (const auto lease : kLeases) {
    for (const auto stop : kStops) {
      for (const auto rho_holder : kDrifts) {
        for (const auto rho_mine : {0U, 1U, 200U, 1000U, 100'000U}) {
          for (const bool claimed : {true, false}) {
            const Terms t = terms(lease, stop, rho_holder);
            const Nanoseconds span = claimed ? t.lease : t.claim;
            const Exact work_ends = real_at_most(span + t.stop, rho_holder);
            const Exact evicted = real_at_least(observation_time(t, claimed, rho_mine), rho_mine);
            // Representation of the second computation: one part in 2^62.
            ASSERT_GE(evicted, work_ends - work_ends * 0x1p-62L)
                << lease << ' ' << stop << ' ' << rho_holder << ' ' << rho_mine;
            ASSERT_LE(evicted, work_ends + 5) << "longer than needed";
            ++cases;
          }
        }
      }
    }
  }
  EXPECT_EQ(cases, 8 * 5 * 7 * 5 * 2);
}

// A record comes from the network: no drift that parses may make the wait short, by overflow or
// otherwise.
TEST(Timing, NoRecordThatParsesMakesTheObservationShorterThanTheLease) {
  std::size_t parsed = 0;
  std::size_t short_ones = 0;
  for (const std::uint32_t drift : {0U, 1000U, 500'000U, 999'000U, 999'770U, 999'999U}) {
    for (const auto lease : kLeases) {
      for (const auto stop : kStops) {
        const auto record =
            parse_record("1;n=1;o=a;h=1:c:b:x:1:" + std::to_string(lease) + ':' +
                         std::to_string(stop) + ":0:" + std::to_string(drift) + ":own:w");
        if (record) {
          ++parsed;
          const Terms& t = record->holders[0].terms;
          const Exact observed = exact(observation_time(t, true, kDriftPpm));
          short_ones += observed < exact(t.lease) + exact(t.stop) ? 1U : 0U;
        }
      }
    }
  }
  EXPECT_GT(parsed, 0U);
  EXPECT_EQ(short_ones, 0U);
}

TEST(Timing, RoundsUp) {
  EXPECT_EQ(stretched(Nanoseconds(1), 0), Nanoseconds(1));
  EXPECT_EQ(stretched(Nanoseconds(1), 1), Nanoseconds(2));
  EXPECT_EQ(stretched(Nanoseconds(999'999), 1), Nanoseconds(1'000'000));
  EXPECT_EQ(as_fast_clock_shows(Nanoseconds(1), 0), Nanoseconds(1));
  EXPECT_EQ(as_fast_clock_shows(Nanoseconds(1), 1), Nanoseconds(2));
  EXPECT_EQ(as_fast_clock_shows(seconds(1), 1000), milliseconds(1001));
}

TEST(Timing, AnUnclaimedHandOverIsWaitedOutByItsOwnLease) {
  const Terms t{seconds(30), seconds(1), seconds(4), 0};
  EXPECT_EQ(observation_time(t, true, 0), seconds(31));
  EXPECT_EQ(observation_time(t, false, 0), seconds(5));
}

TEST(Timing, FourRenewalsMayBeLostWithinOneLease) {
  for (const auto lease : kLeases) {
    const Terms t = terms(lease, 0, 0);
    EXPECT_LT(4 * renewal_period(t), t.lease);
    EXPECT_GT(renewal_period(t), Nanoseconds(0));
  }
}

TEST(Timing, AWaiterAsksOftenEnoughForATakeoverWithinHalfASecond) {
  for (const auto lease : kLeases) {
    EXPECT_LE(poll_period(terms(lease, 0, 0)), milliseconds(500));
    EXPECT_GT(poll_period(terms(lease, 0, 0)), Nanoseconds(0));
  }
}

// Q9: with no stop time the whole ladder lies inside the last tenth of the lease.
TEST(Timing, TheLadderEndsWithinWhatWaitersWerePromised) {
  for (const auto lease : kLeases) {
    for (const auto stop : kStops) {
      const Terms t = terms(lease, stop, 0);
      const StopLadder ladder = stop_ladder(t);
      EXPECT_GE(ladder.signal_at, Nanoseconds(t.lease) - Nanoseconds(t.lease) / 10);
      EXPECT_LT(ladder.signal_at, ladder.kill_at);
      EXPECT_LT(ladder.kill_at, ladder.gone_by);
      EXPECT_EQ(ladder.gone_by, t.lease + t.stop);
    }
  }
}

// docs/timing.md shows what this prints. Set DEXLOCK_WRITE_TIMING_MD=1 to write it anew.
std::string seconds_text(Nanoseconds span) {
  const auto ms = (span.count() + 999'999) / 1'000'000;
  std::string text = std::to_string(ms % 1000);
  text.insert(0, 3 - text.size(), '0');
  return std::to_string(ms / 1000) + '.' + text;
}

std::string table() {
  std::ostringstream out;
  out << "# Times that follow from `timeout` and `stop_timeout`\n\n"
         "Seconds, rounded up to milliseconds, for holders and observers whose clocks may be off "
         "by\n"
      << kDriftPpm << " parts per million (or, in the last column, a holder's by a tenth).\n"
      << "A unit test computes this table and compares it; the formulas are in\n"
         "`src/lease/timing.hpp`.\n\n"
         "| timeout | stop_timeout | renewed every | waiters ask every | stop signal at | killed "
         "at "
         "| evicted after | evicted after, holder's clock off by 10 % |\n"
         "|---|---|---|---|---|---|---|---|\n";
  for (const std::int64_t lease : {1'000, 5'000, 10'000, 30'000, 300'000}) {
    for (const std::int64_t stop : {0, 5'000, 60'000}) {
      const Terms t = terms(lease, stop, kDriftPpm);
      const StopLadder ladder = stop_ladder(t);
      out << "| " << lease / 1000 << " | " << stop / 1000;
      for (const Nanoseconds span :
           {renewal_period(t), poll_period(t), ladder.signal_at, ladder.kill_at,
            observation_time(t, true, kDriftPpm),
            observation_time(terms(lease, stop, 100'000), true, kDriftPpm)}) {
        out << " | " << seconds_text(span);
      }
      out << " |\n";
    }
  }
  return out.str();
}

TEST(Timing, TheTableInTheDocumentationIsTheOneComputedHere) {
  const std::string here = __FILE__;
  const std::string path = here.substr(0, here.rfind("tests/unit/")) + "docs/timing.md";
  if (std::getenv("DEXLOCK_WRITE_TIMING_MD") != nullptr) {
    std::ofstream(path) << table();
  }
  std::ostringstream shown;
  shown << std::ifstream(path).rdbuf();
  EXPECT_EQ(shown.str(), table()) << "write it anew: DEXLOCK_WRITE_TIMING_MD=1 unit_tests "
                                     "--gtest_filter=Timing.TheTable*";
}

}  // namespace
}  // namespace dexlock
