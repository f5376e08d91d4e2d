#include "cli/log_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>

#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

constexpr int kPatienceMs = 60'000;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    reading = UniqueFd(ends[0]);
    writing = UniqueFd(ends[1]);
  }

  // To its end: the writing end must have been closed, or be so soon.
  std::string read_all() const {
    std::string all;
    std::array<char, 4096> chunk{};
    for (ssize_t got = 0; (got = ::read(reading.get(), chunk.data(), chunk.size())) > 0;) {
      all.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

  UniqueFd reading;
  UniqueFd writing;
};

TEST(LogWriter, WritesWhatItWasToldBeforeItEnds) {
  Pipe pipe;
  {
    LogWriter log(pipe.writing.get());
    log.put("one");
    log.put("two\nlines");
  }
  pipe.writing = UniqueFd();
  EXPECT_EQ(pipe.read_all(), "dex-lock: one\ndex-lock: two?lines\n");
}

TEST(LogWriter, WhoDoesNotReadHoldsNobodyUpAndIsToldWhatIsMissing) {
  constexpr std::size_t kLines = 100'000;  // far more than a pipe and the limit take
  Pipe pipe;
  std::optional<LogWriter> log(std::in_place, pipe.writing.get(), 10'000);
  for (std::size_t i = 0; i < kLines; ++i) {
    log->put("a line");  // would never return if it waited for the reader
  }
  log.reset();  // does not wait for ever either
  std::size_t told = 0;
  std::size_t dropped = 0;
  std::string rest;
  pollfd waiting{.fd = pipe.reading.get(), .events = POLLIN, .revents = 0};
  while (told + dropped < kLines) {
    ASSERT_EQ(::poll(&waiting, 1, kPatienceMs), 1) << told << " told, " << dropped << " dropped";
    std::array<char, 4096> chunk{};
    const ssize_t got = ::read(pipe.reading.get(), chunk.data(), chunk.size());
    ASSERT_GT(got, 0);
    rest.append(chunk.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = rest.find('\n')) != std::string::npos;
         rest.erase(0, end + 1)) {
      unsigned long missing = 0;
      if (std::sscanf(rest.c_str(), "dex-lock: the log is read too slowly: %lu lines", &missing) ==
          1) {
        dropped += missing;
      } else {
        EXPECT_EQ(rest.substr(0, end), "dex-lock: a line");
        ++told;
      }
    }
  }
  EXPECT_EQ(told + dropped, kLines);
  EXPECT_GT(dropped, 0U);
}

}  // namespace
}  // namespace dexlock
