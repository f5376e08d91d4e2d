#include "system/small_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

namespace dexlock {
namespace {

class SmallFile : public ::testing::Test {
 protected:
  ~SmallFile() override { std::filesystem::remove(path_); }

  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }

  static std::string text_of_length(std::size_t length) {
    std::string text;
    while (text.size() < length) {
      text += std::to_string(text.size()) + ' ';
    }
    text.resize(length);
    return text;
  }

  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("dex-lock-small-" + std::to_string(::getpid()));
};

TEST_F(SmallFile, IsReadWholeWhateverItsLength) {
  constexpr std::size_t kMax = 100'000;
  for (const std::size_t length : {0U, 1U, 4095U, 4096U, 4097U, 16384U, 50'000U, 100'000U}) {
    const std::string text = text_of_length(length);
    write(text);
    EXPECT_EQ(read_small(path_, kMax), text) << length;
  }
}

TEST_F(SmallFile, IsReadUpToTheLimitOnly) {
  const std::string text = text_of_length(20'000);
  write(text);
  for (const std::size_t most : {0U, 1U, 4096U, 5000U, 19'999U, 20'000U}) {
    EXPECT_EQ(read_small(path_, most), text.substr(0, most)) << most;
  }
}

TEST_F(SmallFile, ThatIsNotThereIsAnErrno) {
  EXPECT_EQ(read_small(path_, 10), std::unexpected(ENOENT));
}

}  // namespace
}  // namespace dexlock
