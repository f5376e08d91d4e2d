#include "client/config_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch_directory.hpp"

namespace dexlock {
namespace {

std::string refusal(const std::filesystem::path& file) {
  const auto content = read_config_file(file);
  if (content) {
    ADD_FAILURE() << "accepted " << file;
    return {};
  }
  EXPECT_EQ(content.error().code, Errc::bad_config);
  EXPECT_TRUE(content.error().text.contains(file.filename().native())) << content.error().text;
  EXPECT_FALSE(content.error().text.contains('\n'));
  return content.error().text;
}

TEST(ConfigFile, IsReadWhole) {
  const ScratchDirectory dir;
  EXPECT_EQ(read_config_file(dir.write("a", "x\ny")), "x\ny");
  EXPECT_EQ(read_config_file(dir.write("b", "")), "");
  EXPECT_EQ(read_config_file(dir.write("c", std::string_view("a\0b", 3))), std::string("a\0b", 3));
}

TEST(ConfigFile, MayBeMissing) {
  const ScratchDirectory dir;
  EXPECT_EQ(read_config_file(dir.path() / "none"), std::nullopt);
  EXPECT_EQ(read_config_file(dir.path() / "no" / "folder"), std::nullopt);
  EXPECT_EQ(read_config_file(dir.write("file", "") / "below"), std::nullopt);
}

TEST(ConfigFile, Over64KiBIsRefused) {
  const ScratchDirectory dir;
  EXPECT_TRUE(read_config_file(dir.write("just", std::string(65536, ' '))));
  EXPECT_TRUE(refusal(dir.write("over", std::string(65537, ' '))).contains("64 KiB"));
}

TEST(ConfigFile, MustBeARegularFile) {
  const ScratchDirectory dir;
  std::filesystem::create_directory(dir.path() / "folder");
  EXPECT_TRUE(refusal(dir.path() / "folder").contains("no regular file"));
  ASSERT_EQ(::mkfifo((dir.path() / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(refusal(dir.path() / "pipe").contains("no regular file"));
}

TEST(ConfigFile, BehindABrokenLinkIsNoMissingFile) {
  const ScratchDirectory dir;
  std::filesystem::create_symlink("nowhere", dir.path() / "dangling");
  EXPECT_TRUE(refusal(dir.path() / "dangling").contains("cannot be read: No such file"));
  std::filesystem::create_symlink("loop", dir.path() / "loop");
  EXPECT_TRUE(refusal(dir.path() / "loop").contains("cannot be read: Too many levels"));
}

TEST(ConfigFile, ThatThisUserMayNotReadIsRefused) {
  const ScratchDirectory dir;
  const auto file = dir.write("secret", "x");
  ASSERT_EQ(::chmod(file.c_str(), 0), 0);
  const bool is_root = ::geteuid() == 0;
  ASSERT_TRUE(!is_root || ::chmod(dir.path().c_str(), 0755) == 0);
  ASSERT_TRUE(!is_root || ::seteuid(65534) == 0);
  const auto content = read_config_file(file);
  ASSERT_TRUE(!is_root || ::seteuid(0) == 0);
  ASSERT_FALSE(content);
  EXPECT_TRUE(content.error().text.contains("cannot be read: Permission denied"));
}

}  // namespace
}  // namespace dexlock
