#include "wire/greeting_line.hpp"

#include <gtest/gtest.h>

#include "wire_samples.hpp"

namespace dexlock {
namespace {

const std::string kBlank =
    "dex-lock 1 files inc=0f3a boot=- sync=file proposed=- active=- dir=/srv/locks";

Greeting greeting_of(WireSamples& samples) {
  Greeting greeting{.format = samples.coin() ? "files" : "lmdb", .incarnation = samples.id()};
  greeting.sync = samples.coin() ? "none" : "fsync";
  greeting.directory = "/d ";
  while (greeting.directory.size() < 3 + samples.below(60)) {
    greeting.directory += static_cast<char>(' ' + samples.below(95));
  }
  if (samples.coin()) {
    greeting.boot = samples.boot();
  }
  if (samples.coin()) {
    greeting.proposed = ProposedGroup{samples.id(), samples.where().epoch, samples.members()};
  }
  if (samples.coin()) {
    greeting.active = Where{samples.id(), greeting.incarnation, samples.where().epoch};
  }
  return greeting;
}

std::string trouble_of(std::string_view line) {
  const auto parsed = parse_greeting_line(line);
  if (parsed) {
    ADD_FAILURE() << "accepted: " << line;
    return {};
  }
  EXPECT_EQ(parsed.error().reason, kUnreadable) << line;
  EXPECT_TRUE(is_printable(parsed.error().detail)) << parsed.error().detail;
  return parsed.error().detail;
}

TEST(GreetingLine, OfABlankStoreIsRead) {
  const auto parsed = parse_greeting_line(kBlank);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(
      *parsed,
      (Greeting{
          .format = "files", .incarnation = "0f3a", .sync = "file", .directory = "/srv/locks"}));
  EXPECT_EQ(greeting_line(*parsed), kBlank);
}

TEST(GreetingLine, OfAMemberIsRead) {
  const std::string line =
      "dex-lock 1 lmdb inc=b boot=e8c1-22 sync=fsync proposed=g1:1:a,b,c active=g1.b.e1 "
      "dir=/srv/my locks = dir=x";
  const auto parsed = parse_greeting_line(line);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->format, "lmdb");
  EXPECT_EQ(parsed->boot, BootId{"e8c1-22"});
  EXPECT_EQ(parsed->proposed, (ProposedGroup{"g1", Epoch{1}, {"a", "b", "c"}}));
  EXPECT_EQ(parsed->active, (Where{"g1", "b", Epoch{1}}));
  EXPECT_EQ(parsed->directory, "/srv/my locks = dir=x");
  EXPECT_EQ(greeting_line(*parsed), line);
}

TEST(GreetingLine, ReadsBackWhatItWrote) {
  WireSamples samples(1);
  for (int i = 0; i < 1000; ++i) {
    const Greeting greeting = greeting_of(samples);
    const auto parsed = parse_greeting_line(greeting_line(greeting));
    ASSERT_TRUE(parsed) << parsed.error().detail;
    ASSERT_EQ(*parsed, greeting);
  }
}

TEST(GreetingLine, MaySayMoreThanIsKnownHere) {
  const auto parsed = parse_greeting_line(
      "dex-lock 1 files push=yes inc=0f3a load= boot=- sync=file proposed=- active=- x==- "
      "dir=/srv/locks");
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(*parsed, *parse_greeting_line(kBlank));
  std::string many = "dex-lock 1 files";
  for (int n = 0; n < 1000; ++n) {
    many += " k=1";
  }
  EXPECT_TRUE(trouble_of(many + kBlank.substr(kBlank.find(" inc="))).contains("too many"));
}

TEST(GreetingLine, MayComeWithItsFieldsInAnotherOrder) {
  const auto parsed = parse_greeting_line(
      "dex-lock 1 files active=- proposed=- boot=- inc=0f3a sync=file dir=/srv/locks");
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(greeting_line(*parsed), kBlank);
}

TEST(GreetingLine, OfATroubleGivesReasonAndDetail) {
  const auto parsed = parse_greeting_line("dex-lock 1 error nosync no sync, fsync or perl here");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error(), (GreetingTrouble{"nosync", "no sync, fsync or perl here"}));
  EXPECT_EQ(greeting_line(parsed.error()), "dex-lock 1 error nosync no sync, fsync or perl here");
  const auto bare = parse_greeting_line("dex-lock 1 error unusable ");
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error(), (GreetingTrouble{"unusable", ""}));
  EXPECT_EQ(parse_greeting_line("dex-lock 1 error corrupt"),
            std::unexpected(GreetingTrouble{"corrupt", ""}));
  const auto long_one = parse_greeting_line("dex-lock 1 error x " + std::string(9000, 'd'));
  ASSERT_FALSE(long_one);
  EXPECT_EQ(long_one.error().detail.size(), kDetailBytesMax);
  for (const char* line : {"dex-lock 1 error", "dex-lock 1 error ", "dex-lock 1 error  x",
                           "dex-lock 1 error X y", "dex-lock 1 error - y"}) {
    EXPECT_TRUE(trouble_of(line).contains("without a reason")) << line;
  }
}

TEST(GreetingLine, ShowsADirectoryOutsideAsciiWithoutItsBytes) {
  const auto parsed = parse_greeting_line(kBlank + "/\xc3\xa4");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->directory, "/srv/locks/\?\?");
}

TEST(GreetingLine, WithABadFieldNamesTheField) {
  const auto with = [](std::string_view field, std::string_view instead) {
    std::string line = kBlank;
    line.replace(line.find(field), field.size(), instead);
    return trouble_of(line);
  };
  EXPECT_TRUE(with("files", "etcd").contains("format \"etcd\""));
  EXPECT_TRUE(with("files ", "").contains("format \"inc=0f3a\""));
  EXPECT_TRUE(with("inc=0f3a", "inc=").contains("\"inc=\""));
  EXPECT_TRUE(with("inc=0f3a", "inc=0F3A").contains("\"inc=0F3A\""));
  EXPECT_TRUE(with("inc=0f3a ", "").contains("inc= is missing"));
  EXPECT_TRUE(with("boot=-", "boot=--").contains("boot"));
  EXPECT_TRUE(with("boot=-", "boot=" + std::string(65, 'b')).contains("boot"));
  EXPECT_TRUE(with("sync=file", "sync=").contains("sync"));
  EXPECT_TRUE(with("sync=file", "sync=-").contains("sync"));
  EXPECT_TRUE(with("proposed=-", "proposed=g:1").contains("proposed"));
  EXPECT_TRUE(with("proposed=-", "proposed=g:0:a").contains("proposed"));
  EXPECT_TRUE(with("proposed=-", "proposed=g:1:b,a").contains("proposed"));
  EXPECT_TRUE(with("proposed=-", "proposed=g:1:a,a").contains("proposed"));
  EXPECT_TRUE(with("proposed=-", "proposed=g:1:a:b").contains("proposed"));
  EXPECT_TRUE(with("active=-", "active=g.0f3a").contains("active"));
  EXPECT_TRUE(with("active=-", "active=g.0f3a.e0").contains("active"));
  EXPECT_TRUE(with("active=-", "active=g.other.e1").contains("\"other\", which is another store"));
  EXPECT_TRUE(with("active=-", "active=- active=-").contains("repeated"));
  EXPECT_TRUE(with("inc=0f3a", "inc=0f3a inc=0f3a").contains("repeated"));
  EXPECT_TRUE(with("inc=0f3a", "inc").contains("no KEY=VALUE"));
  EXPECT_TRUE(with("inc=0f3a ", "inc=0f3a  ").contains("no KEY=VALUE"));
  EXPECT_TRUE(with("inc=0f3a", "=0f3a").contains("no KEY=VALUE"));
  EXPECT_TRUE(with(" dir=/srv/locks", "").contains("dir= is missing"));
  EXPECT_TRUE(with("dir=/srv/locks", "dir=").contains("directory"));
  EXPECT_TRUE(with("dir=/srv/locks", "dir=/" + std::string(4096, 'd')).contains("directory"));
}

TEST(GreetingLine, OfSomethingElseIsRefused) {
  for (const char* line : {"", "dex-lock", "dex-lock 1", "dex-lock 1 ", "dex-lock 2 files",
                           "dex-lock 01 files", "Dex-lock 1 files", "dex-lock 1 files",
                           "dex-lock 1 files ", "dex-lock 1  files", "SSH-2.0-x"}) {
    trouble_of(line);
  }
  for (const char byte : {'\0', '\n', '\r', '\t', '\x1b', '\x7f'}) {
    EXPECT_TRUE(trouble_of(kBlank + byte).contains("control bytes"));
  }
  trouble_of(kBlank + std::string(kLineBytesMax, 'd'));
}

TEST(GreetingLine, TruncatedOrDamagedIsRefusedOrMeansWhatItSays) {
  WireSamples samples(2);
  int accepted = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string line = greeting_line(greeting_of(samples));
    std::vector<std::string> variants;
    for (std::size_t bytes = 0; bytes < line.size() && i < 30; ++bytes) {
      variants.push_back(line.substr(0, bytes));
    }
    for (int n = 0; n < 20; ++n) {
      variants.push_back(samples.damaged(line));
    }
    for (const std::string& variant : variants) {
      const auto parsed = parse_greeting_line(variant);
      if (parsed) {
        ++accepted;
        ASSERT_TRUE(is_printable(greeting_line(*parsed))) << variant;
        ASSERT_EQ(parse_greeting_line(greeting_line(*parsed)), parsed) << variant;
      } else {
        ASSERT_TRUE(is_printable(parsed.error().detail));
      }
    }
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace dexlock
