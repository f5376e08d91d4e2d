#include "server/name_permissions.hpp"

#include <gtest/gtest.h>

namespace dexlock {
namespace {

TEST(NamePermissions, PermitWhatBeginsWithAPrefix) {
  const auto permissions = NamePermissions::parse("# who\nweb1 web/ deploy # both\n\n backup *\n");
  ASSERT_TRUE(permissions) << permissions.error().text;
  EXPECT_TRUE(permissions->may_use("web1", "web/a"));
  EXPECT_TRUE(permissions->may_use("web1", "deploy"));
  EXPECT_FALSE(permissions->may_use("web1", "we"));
  EXPECT_FALSE(permissions->may_use("web1", "db"));
  EXPECT_TRUE(permissions->may_use("backup", "anything"));
  EXPECT_FALSE(permissions->may_use("stranger", "web/a"));
  EXPECT_FALSE(permissions->may_use("", "web/a"));
  EXPECT_FALSE(permissions->may_list("web1"));
  EXPECT_TRUE(permissions->may_list("backup"));
}

TEST(NamePermissions, RefuseLinesThatSayNothingOrTwoThings) {
  EXPECT_TRUE(NamePermissions::parse("a x\nb\n").error().text.contains("line 2"));
  EXPECT_TRUE(NamePermissions::parse("a x\na y\n").error().text.contains("a stands there twice"));
  EXPECT_TRUE(NamePermissions::parse("")->may_use("a", "x") == false);
}

TEST(NamePermissions, NameAFileThatCannotBeRead) {
  EXPECT_TRUE(NamePermissions::read("/nowhere").error().text.contains("/nowhere"));
}

}  // namespace
}  // namespace dexlock
