#include "client/local_paths.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch_directory.hpp"

namespace dexlock {
namespace {

using std::filesystem::path;

mode_t mode_of(const path& file) {
  struct stat status {};
  EXPECT_EQ(::stat(file.c_str(), &status), 0) << file;
  return status.st_mode & 07777U;
}

class LocalPathsTest : public testing::Test {
 protected:
  LocalPathsTest() {
    std::filesystem::create_directory(root() / "tmp");
    places_ = {.explicit_dir = {},
               .usual_dir = root() / "home" / ".local" / "state" / "dex-lock",
               .temporary_root = root() / "tmp",
               .uid = ::geteuid(),
               .machine = "m1",
               .is_on_network = [this](const path& where) {
                 return !network_.empty() && where.native().starts_with(network_.native());
               }};
  }

  [[nodiscard]] const path& root() const { return scratch_.path(); }
  [[nodiscard]] path usual() const { return *places_.usual_dir / "m1"; }
  [[nodiscard]] path own_temporary() const {
    return places_.temporary_root / ("dex-lock-" + std::to_string(places_.uid));
  }
  [[nodiscard]] path temporary() const { return own_temporary() / "m1"; }

  void expect_base(const path& base) {
    const auto paths = local_paths_in(places_);
    ASSERT_TRUE(paths) << paths.error().text;
    EXPECT_EQ(paths->state_dir, base / "state");
    EXPECT_EQ(paths->store_dir, base / "store");
    EXPECT_TRUE(std::filesystem::is_directory(paths->state_dir));
    EXPECT_EQ(mode_of(paths->state_dir), 0700U);
    EXPECT_FALSE(std::filesystem::exists(paths->store_dir));  // the store makes itself, whole
  }

  std::string refusal() {
    const auto paths = local_paths_in(places_);
    if (paths) {
      ADD_FAILURE() << "accepted: " << paths->state_dir;
      return {};
    }
    EXPECT_TRUE(paths.error().text.contains("DEXLOCK_STATE")) << paths.error().text;
    EXPECT_FALSE(paths.error().text.contains('\n'));
    return paths.error().text;
  }

  ScratchDirectory scratch_;
  LocalPlaces places_;
  path network_;
};

TEST_F(LocalPathsTest, AreMadeOnDemandForThisUserAlone) {
  const mode_t kept = ::umask(0);
  expect_base(usual());
  ::umask(kept);
  EXPECT_EQ(mode_of(usual()), 0700U);
  EXPECT_EQ(mode_of(root() / "home" / ".local"), 0700U);
  EXPECT_FALSE(std::filesystem::exists(own_temporary()));
  expect_base(usual());
}

TEST_F(LocalPathsTest, AreUsableUnderAnyUmask) {
  const mode_t kept = ::umask(0777);
  expect_base(usual());
  ::umask(kept);
}

TEST_F(LocalPathsTest, AreApartForEachMachineThatSharesAHome) {
  expect_base(usual());
  places_.machine = "m2";
  expect_base(*places_.usual_dir / "m2");
}

TEST_F(LocalPathsTest, AnExplicitPlaceIsTheOnlyOne) {
  places_.explicit_dir = root() / "named" / "deep";
  expect_base(root() / "named" / "deep");
  places_.explicit_dir = scratch_.write("file", "");
  EXPECT_TRUE(refusal().contains("no directory"));
  places_.explicit_dir = "relative";
  EXPECT_TRUE(refusal().contains("no absolute path"));
  places_.explicit_dir = "";
  EXPECT_TRUE(refusal().contains("no absolute path"));
  network_ = root() / "net";
  places_.explicit_dir = network_ / "x";
  std::filesystem::create_directory(network_);
  EXPECT_TRUE(refusal().contains("network file system"));
  EXPECT_FALSE(std::filesystem::exists(network_ / "x"));
  EXPECT_FALSE(std::filesystem::exists(own_temporary()));
}

TEST_F(LocalPathsTest, MoveAwayFromANetworkFileSystem) {
  network_ = root() / "home";
  std::filesystem::create_directory(network_);
  expect_base(temporary());
  EXPECT_EQ(mode_of(own_temporary()), 0700U);
  EXPECT_TRUE(std::filesystem::is_empty(network_));
}

TEST_F(LocalPathsTest, MoveAwayWhereThereIsNoHome) {
  places_.usual_dir.reset();
  expect_base(temporary());
}

TEST_F(LocalPathsTest, MoveAwayWhereNoneCanBeMade) {
  places_.usual_dir = scratch_.write("file", "") / "dex-lock";
  expect_base(temporary());
}

TEST_F(LocalPathsTest, StayWhereTheyOnceWereWhenTheHomeAppearsLater) {
  const auto usual_dir = places_.usual_dir;
  places_.usual_dir.reset();
  expect_base(temporary());
  places_.usual_dir = usual_dir;
  expect_base(temporary());
}

TEST_F(LocalPathsTest, APlaceThatExistsButIsWrongIsAnError) {
  std::filesystem::create_directories(usual());
  ASSERT_EQ(::chmod(usual().c_str(), 0770), 0);
  EXPECT_TRUE(refusal().contains("other users have rights"));
  std::filesystem::remove(usual());
  (void)scratch_.write("home/.local/state/dex-lock/m1", "");
  EXPECT_TRUE(refusal().contains("no directory"));
  std::filesystem::remove(usual());
  std::filesystem::create_symlink("nowhere", usual());
  EXPECT_TRUE(refusal().contains("cannot be used"));
  std::filesystem::remove(usual());
  std::filesystem::create_directory(usual());
  places_.uid += 1;
  EXPECT_TRUE(refusal().contains("belongs to user"));
  EXPECT_TRUE(std::filesystem::is_empty(root() / "tmp"));
}

TEST_F(LocalPathsTest, InATemporaryPlaceTrapsAreRefused) {
  places_.usual_dir.reset();
  std::filesystem::create_directory(root() / "trap");
  std::filesystem::create_symlink(root() / "trap", own_temporary());
  EXPECT_TRUE(refusal().contains("is a link"));
  EXPECT_TRUE(std::filesystem::is_empty(root() / "trap"));
  std::filesystem::remove(own_temporary());

  std::filesystem::create_directory(own_temporary());
  ASSERT_EQ(::chmod(own_temporary().c_str(), 0755), 0);
  EXPECT_TRUE(refusal().contains("other users have rights"));
  ASSERT_EQ(::chmod(own_temporary().c_str(), 0700), 0);
  std::filesystem::create_symlink(root() / "trap", temporary());
  EXPECT_TRUE(refusal().contains("is a link"));
  std::filesystem::remove(temporary());
  expect_base(temporary());

  std::filesystem::remove_all(own_temporary());
  places_.uid += 1;
  std::filesystem::create_directory(own_temporary());
  ASSERT_EQ(::chmod(own_temporary().c_str(), 0700), 0);
  EXPECT_TRUE(refusal().contains("belongs to user"));
}

TEST_F(LocalPathsTest, ATrapInTheTemporaryPlaceHarmsNobodyWithAHome) {
  std::filesystem::create_symlink(root(), own_temporary());
  expect_base(usual());
}

TEST_F(LocalPathsTest, NowhereIsAnErrorThatSaysBothReasons) {
  places_.usual_dir.reset();
  network_ = root();
  const std::string why = refusal();
  EXPECT_TRUE(why.contains("no home directory") && why.contains("network file system")) << why;
}

TEST_F(LocalPathsTest, PermissionDecidesAsItDoesForAnyUser) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root to become another user";
  }
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  ASSERT_EQ(::chmod((root() / "tmp").c_str(), 01777), 0);
  std::filesystem::create_directory(root() / "home");
  ASSERT_EQ(::seteuid(65534), 0);
  places_.uid = 65534;
  expect_base(temporary());  // the home belongs to root
  ASSERT_EQ(::seteuid(0), 0);
}

TEST(StandardLocalPlaces, FollowUserAndEnvironment) {
  const ScratchDirectory scratch;
  ::setenv("DEXLOCK_STATE", "/named", 1);
  EXPECT_EQ(standard_local_places().explicit_dir, "/named");
  ::unsetenv("DEXLOCK_STATE");
  EXPECT_FALSE(standard_local_places().explicit_dir);
  EXPECT_EQ(standard_local_places().uid, ::geteuid());
  EXPECT_FALSE(standard_local_places().machine.empty());
  EXPECT_FALSE(standard_local_places().machine.contains('/'));
  ::setenv("XDG_STATE_HOME", scratch.path().c_str(), 1);
  const LocalPlaces places = standard_local_places();
  ::unsetenv("XDG_STATE_HOME");
  if (::geteuid() == 0) {
    EXPECT_EQ(places.usual_dir, "/var/lib/dex-lock");
  } else {
    EXPECT_NE(places.usual_dir, scratch.path() / "dex-lock") << "a cron job would not have it";
  }
}

}  // namespace
}  // namespace dexlock
