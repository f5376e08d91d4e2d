#include "client/home_directory.hpp"

#include <gtest/gtest.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "scratch_directory.hpp"

namespace dexlock {
namespace {

class HomeDirectoryTest : public testing::Test {
 protected:
  HomeDirectoryTest() {
    if (const char* home = ::getenv("HOME"); home != nullptr) {
      kept_ = home;
    }
    if (const passwd* entry = ::getpwuid(::geteuid()); entry != nullptr) {
      database_ = entry->pw_dir;
    }
  }
  ~HomeDirectoryTest() override {
    if (kept_) {
      ::setenv("HOME", kept_->c_str(), 1);
    } else {
      ::unsetenv("HOME");
    }
  }

  ScratchDirectory scratch_;
  std::optional<std::string> kept_;
  std::optional<std::filesystem::path> database_;
};

TEST_F(HomeDirectoryTest, IsTheVariableElseTheUserDatabases) {
  ::setenv("HOME", "/any/where", 1);
  EXPECT_EQ(home_directory(), "/any/where");
  for (const auto* useless : {"", "relative"}) {
    ::setenv("HOME", useless, 1);
    EXPECT_EQ(home_directory(), database_);
  }
  ::unsetenv("HOME");
  EXPECT_EQ(home_directory(), database_);
}

TEST_F(HomeDirectoryTest, OwnOneMustBelongToThisUser) {
  ::setenv("HOME", scratch_.path().c_str(), 1);
  EXPECT_EQ(own_home_directory(), scratch_.path());
  ::setenv("HOME", (scratch_.path() / "absent").c_str(), 1);
  EXPECT_NE(own_home_directory(), scratch_.path() / "absent");
  std::filesystem::path foreign = "/";
  if (::geteuid() == 0) {
    foreign = scratch_.path() / "foreign";
    std::filesystem::create_directory(foreign);
    ASSERT_EQ(::chown(foreign.c_str(), 65534, 65534), 0);
  }
  ::setenv("HOME", foreign.c_str(), 1);
  EXPECT_EQ(home_directory(), foreign);
  EXPECT_NE(own_home_directory(), foreign);
}

}  // namespace
}  // namespace dexlock
