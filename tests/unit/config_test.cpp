#include "client/config.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "scratch_directory.hpp"

namespace dexlock {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { ::setenv("DEXLOCK_STATE", (scratch_.path() / "state").c_str(), 1); }
  ~ConfigTest() override { ::unsetenv("DEXLOCK_STATE"); }

  void put(const std::string& name, std::string_view text) { (void)scratch_.write(name, text); }

  [[nodiscard]] ConfigPlaces places() const {
    return {.explicit_dir = {},
            .installation_dir = scratch_.path() / "installation",
            .user_dir = scratch_.path() / "user",
            .system_dir = scratch_.path() / "system"};
  }

  Config loaded() {
    const auto config = load_config(places());
    EXPECT_TRUE(config) << (config ? "" : config.error().text);
    return config ? *config : Config{};
  }

  static std::string refusal(const ConfigPlaces& from) {
    const auto config = load_config(from);
    if (config) {
      ADD_FAILURE() << "accepted";
      return {};
    }
    EXPECT_EQ(config.error().code, Errc::bad_config);
    EXPECT_FALSE(config.error().text.contains('\n'));
    return config.error().text;
  }
  std::string refusal() { return refusal(places()); }

  std::vector<std::string> shown() {
    std::vector<std::string> out;
    for (const auto& server : loaded().servers) {
      out.push_back(server.shown);
    }
    return out;
  }

  ScratchDirectory scratch_;
};

using Words = std::vector<std::string>;

TEST_F(ConfigTest, WithoutAnyTheEmbeddedStoreServes) {
  const Config config = loaded();
  EXPECT_TRUE(config.embedded_default);
  EXPECT_EQ(config.source, "");
  ASSERT_EQ(config.servers.size(), 1U);
  EXPECT_EQ(config.servers[0].kind, ServerEntry::Kind::dir);
  EXPECT_EQ(config.servers[0].path, (scratch_.path() / "state" / "store").native());
  EXPECT_TRUE(config.warnings.empty());
}

TEST_F(ConfigTest, TheFirstPlaceThatHoldsAnythingWins) {
  put("system/lock_servers", "s1 s2 s3");
  EXPECT_EQ(shown(), (Words{"s1", "s2", "s3"}));
  put("user/lock_servers", "u1 u2 u3");
  EXPECT_EQ(shown(), (Words{"u1", "u2", "u3"}));
  put("installation/lock_servers", "i1 i2 i3");
  EXPECT_EQ(shown(), (Words{"i1", "i2", "i3"}));
  EXPECT_EQ(loaded().source, (scratch_.path() / "installation").native());
  put("named/lock_servers", "n1 n2 n3");
  ConfigPlaces from = places();
  from.explicit_dir = scratch_.path() / "named";
  EXPECT_EQ(load_config(from)->servers[0].shown, "n1");
}

TEST_F(ConfigTest, PlacesWithoutOneOfItsFilesAreNoConfiguration) {
  put("installation/readme", "x");
  put("user/lock_servers", "a b c");
  EXPECT_EQ(shown(), (Words{"a", "b", "c"}));
}

TEST_F(ConfigTest, ReadsServersWithBlanksLinesAndComments) {
  put("user/lock_servers", "# ours\n alpha\tops@beta:2222 # old\r\n\n   ssh://gamma/x  #delta\n#e");
  EXPECT_EQ(shown(), (Words{"alpha", "ops@beta:2222", "ssh://gamma/x"}));
}

TEST_F(ConfigTest, HasDefaultsForTheRest) {
  put("user/lock_servers", "a b c");
  const Config config = loaded();
  EXPECT_EQ(config.remote_path, ".dex-lock");
  EXPECT_TRUE(config.ssh_options.empty());
  EXPECT_FALSE(config.allow_unsynced);
  EXPECT_TRUE(config.fast_ballots);
  EXPECT_FALSE(config.embedded_default);
  EXPECT_TRUE(config.warnings.empty());
}

TEST_F(ConfigTest, ReadsTheOtherFiles) {
  put("user/lock_servers", "a b c");
  put("user/remote_path", "# where\n  ~/it's \"here\"  \r\n");
  put("user/sshopt", "# key\n-i '/my keys/id'\n-o Compression=no\n");
  put("user/options", "# all\nallow_unsynced_store yes # for now\nfast_ballots no\n");
  const Config config = loaded();
  EXPECT_EQ(config.remote_path, "it's \"here\"");
  EXPECT_EQ(config.ssh_options, (Words{"-i", "/my keys/id", "-o", "Compression=no"}));
  EXPECT_TRUE(config.allow_unsynced);
  EXPECT_FALSE(config.fast_ballots);
}

TEST_F(ConfigTest, ABlankListIsAnErrorAndNotTheNextPlace) {
  put("system/lock_servers", "s1 s2 s3");
  for (const std::string_view text : {"", " \n\t\n", "# none\n", "#a b c"}) {
    put("user/lock_servers", text);
    const std::string why = refusal();
    EXPECT_TRUE(why.contains("user/lock_servers") && why.contains("is blank")) << why;
  }
}

TEST_F(ConfigTest, AMissingListBesideOtherFilesIsAnError) {
  put("system/lock_servers", "s1 s2 s3");
  for (const auto* name : {"remote_path", "sshopt", "options"}) {
    put(std::string("user/") + name, "");
    const std::string why = refusal();
    EXPECT_TRUE(why.contains("user/lock_servers") && why.contains("is missing")) << why;
    std::filesystem::remove_all(scratch_.path() / "user");
  }
}

TEST_F(ConfigTest, AnExplicitPlaceIsTheOnlyOne) {
  put("user/lock_servers", "a b c");
  ConfigPlaces from = places();
  from.explicit_dir = "";
  EXPECT_TRUE(refusal(from).contains("set but empty"));
  from.explicit_dir = scratch_.path() / "absent";
  EXPECT_TRUE(refusal(from).contains("DEXLOCK_CONF names"));
  from.explicit_dir = scratch_.path() / "user" / "lock_servers";
  EXPECT_TRUE(refusal(from).contains("no directory"));
  std::filesystem::create_directory(scratch_.path() / "hollow");
  from.explicit_dir = scratch_.path() / "hollow";
  EXPECT_TRUE(refusal(from).contains("hollow/lock_servers\": is missing"));
}

TEST_F(ConfigTest, NamesFileAndEntryThatAreWrong) {
  put("user/lock_servers", "a b etcd://c:1");
  const std::string why = refusal();
  EXPECT_TRUE(why.contains("user/lock_servers")) << why;
  EXPECT_TRUE(why.contains("\"etcd://c:1\" is a cluster by itself")) << why;
  put("user/lock_servers", "a b -x");
  EXPECT_TRUE(refusal().contains("\"-x\""));
  put("user/lock_servers", std::string_view("a b c\0d", 7));
  EXPECT_TRUE(refusal().contains("control bytes"));
}

TEST_F(ConfigTest, ServersUnderTlsNeedWhatIsShownToThem) {
  put("user/lock_servers", "tls://a:1 tls://b:1 tls://c:1");
  EXPECT_TRUE(refusal().contains("\"tls://a:1\" needs tls_certificate, tls_key and tls_authority"));
  put("user/options", "tls_certificate my.pem\ntls_key /keys/my.pem\n");
  EXPECT_TRUE(refusal().contains("needs tls_certificate, tls_key and tls_authority"));
  put("user/options",
      "tls_certificate my.pem\ntls_key /keys/my.pem\ntls_authority ../ca.pem # signs\n");
  const auto config = load_config(places());
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->tls.certificate, scratch_.path() / "user" / "my.pem");
  EXPECT_EQ(config->tls.key, "/keys/my.pem");
  EXPECT_EQ(config->tls.authority, scratch_.path() / "user" / "../ca.pem");
}

TEST_F(ConfigTest, OneServerHasOneVote) {
  put("user/lock_servers", "a b a");
  EXPECT_TRUE(refusal().contains("\"a\" stands there twice"));
  put("user/lock_servers", "a b ssh://a");
  EXPECT_TRUE(refusal().contains("\"a\" stands there twice (also as \"ssh://a\")"));
}

TEST_F(ConfigTest, HasAtMost15Servers) {
  std::string list;
  for (int i = 1; i <= 15; ++i) {
    list += "s" + std::to_string(i) + " ";
  }
  put("user/lock_servers", list);
  EXPECT_EQ(loaded().servers.size(), 15U);
  put("user/lock_servers", list + "s16");
  EXPECT_TRUE(refusal().contains("more than 15"));
}

TEST_F(ConfigTest, WarnsOfCountsThatGiveNothing) {
  const auto warnings = [&](std::string_view list) {
    put("user/lock_servers", list);
    return loaded().warnings;
  };
  EXPECT_TRUE(warnings("a b c").empty());
  EXPECT_TRUE(warnings("dir:/a").empty());
  ASSERT_EQ(warnings("a").size(), 1U);
  EXPECT_TRUE(warnings("a")[0].contains("only one lock server"));
  ASSERT_EQ(warnings("a b c d").size(), 1U);
  EXPECT_TRUE(warnings("a b c d")[0].contains("4 lock servers: an even number"));
  EXPECT_EQ(warnings("a b").size(), 1U);
}

TEST_F(ConfigTest, RefusesBadRemotePaths) {
  put("user/lock_servers", "a b c");
  put("user/remote_path", "\n# x\n");
  EXPECT_TRUE(refusal().contains("remote_path\": is blank"));
  put("user/remote_path", "a\nb\n");
  EXPECT_TRUE(refusal().contains("more than one line"));
  put("user/remote_path", "a\x1b[2J");
  EXPECT_TRUE(refusal().contains("control bytes"));
}

TEST_F(ConfigTest, RefusesBadSshOptions) {
  put("user/lock_servers", "a b c");
  put("user/sshopt", "-i x\n-o 'open");
  EXPECT_TRUE(refusal().contains("sshopt\": line 2: "));
  put("user/sshopt", std::string_view("-i \0x", 5));
  EXPECT_TRUE(refusal().contains("sshopt\": line 1: control bytes"));
}

TEST_F(ConfigTest, RefusesUnknownKeysAndNamesTheKnownOnes) {
  put("user/lock_servers", "a b c");
  put("user/options", "allow_unsynced_store no\ntimeout 30\n");
  const std::string why = refusal();
  EXPECT_TRUE(why.contains("user/options")) << why;
  EXPECT_TRUE(why.contains("line 2: unknown key \"timeout\"")) << why;
  EXPECT_TRUE(why.contains("allow_unsynced_store yes|no")) << why;
  put("user/options", "allow_unsynced_store maybe");
  EXPECT_TRUE(refusal().contains("line 1: its value must be yes or no"));
  for (const auto* text :
       {"allow_unsynced_store", "allow_unsynced_store yes no", "allow_unsynced_store #yes"}) {
    put("user/options", text);
    EXPECT_TRUE(refusal().contains("line 1: a key and its value must stand there")) << text;
  }
  put("user/options", "allow_unsynced_store no\nallow_unsynced_store yes\n");
  EXPECT_TRUE(refusal().contains("line 2: the key stands there twice"));
}

TEST_F(ConfigTest, UnusableFilesAreNeverPassedOver) {
  put("system/lock_servers", "s1 s2 s3");
  std::filesystem::create_directories(scratch_.path() / "user" / "lock_servers");
  EXPECT_TRUE(refusal().contains("no regular file"));
}

TEST_F(ConfigTest, NoBytesWhateverCrashIt) {
  std::uint32_t seed = 12345;
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 200; ++i) {
      seed = seed * 1664525U + 1013904223U;
      text +=
          "ab:/@[]#-. \n\r\t~%'\"\\\0\x80\xff"
          "019"[(seed >> 16U) % 26];
    }
    for (const auto* name : {"lock_servers", "remote_path", "sshopt", "options"}) {
      put("user/lock_servers", "a b c");
      put(std::string("user/") + name, text);
      if (const auto config = load_config(places()); !config) {
        EXPECT_EQ(config.error().code, Errc::bad_config);
        EXPECT_FALSE(config.error().text.contains('\n')) << config.error().text;
      }
    }
    std::filesystem::remove_all(scratch_.path() / "user");
  }
}

}  // namespace
}  // namespace dexlock
