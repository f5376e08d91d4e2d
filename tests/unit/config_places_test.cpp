#include "client/config_places.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace dexlock {
namespace {

TEST(ConfigPlaces, FollowTheEnvironment) {
  ::unsetenv("DEXLOCK_CONF");
  ::setenv("XDG_CONFIG_HOME", "/somewhere", 1);
  EXPECT_FALSE(standard_config_places().explicit_dir);
  EXPECT_EQ(standard_config_places().user_dir, "/somewhere/dex-lock");
  EXPECT_EQ(standard_config_places().system_dir, "/etc/dex-lock");
  ::setenv("DEXLOCK_CONF", "/named", 1);
  EXPECT_EQ(standard_config_places().explicit_dir, "/named");
  ::setenv("DEXLOCK_CONF", "", 1);
  EXPECT_EQ(standard_config_places().explicit_dir, "");  // set, so it is not passed over
  ::unsetenv("DEXLOCK_CONF");
}

TEST(ConfigPlaces, IgnoreARelativeXdgDirectory) {
  ::setenv("XDG_CONFIG_HOME", "relative", 1);
  const char* old_home = ::getenv("HOME");
  const std::string kept = old_home == nullptr ? "" : old_home;
  ::setenv("HOME", "/home/of/someone", 1);
  EXPECT_EQ(standard_config_places().user_dir, "/home/of/someone/.config/dex-lock");
  ::unsetenv("XDG_CONFIG_HOME");
  EXPECT_EQ(standard_config_places().user_dir, "/home/of/someone/.config/dex-lock");
  ::setenv("HOME", kept.c_str(), 1);
}

TEST(ConfigPlaces, TheInstallationIsTheOneOfTheRunningProgram) {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(standard_config_places().installation_dir,
            program.parent_path().parent_path() / "conf");
}

}  // namespace
}  // namespace dexlock
