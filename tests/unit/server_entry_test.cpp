#include "client/server_entry.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace dexlock {
namespace {

ServerEntry entry(std::string_view text) {
  const auto parsed = parse_server_entry(text);
  EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().text);
  if (!parsed) {
    return {};
  }
  EXPECT_EQ(parsed->shown, text);
  return *parsed;
}

std::string refusal(std::string_view text) {
  const auto parsed = parse_server_entry(text);
  if (parsed) {
    ADD_FAILURE() << "accepted: " << text << " as " << parsed->user_host << " " << parsed->path;
    return {};
  }
  EXPECT_EQ(parsed.error().code, Errc::bad_config);
  EXPECT_TRUE(parsed.error().text.starts_with("lock server \"")) << parsed.error().text;
  const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f; };
  EXPECT_TRUE(std::ranges::all_of(parsed.error().text, is_plain));
  return parsed.error().text;
}

void expect_ssh(std::string_view text, std::string_view user_host, std::optional<int> port,
                std::string_view path) {
  const ServerEntry parsed = entry(text);
  EXPECT_EQ(parsed.kind, ServerEntry::Kind::ssh) << text;
  EXPECT_EQ(parsed.user_host, user_host) << text;
  EXPECT_EQ(parsed.port, port) << text;
  EXPECT_EQ(parsed.path, path) << text;
}

TEST(ServerEntry, ReadsEveryFormOfASshServer) {
  expect_ssh("alpha", "alpha", std::nullopt, "");
  expect_ssh("a.example.org", "a.example.org", std::nullopt, "");
  expect_ssh("ops@alpha", "ops@alpha", std::nullopt, "");
  expect_ssh("ops@alpha:2222", "ops@alpha", 2222, "");
  expect_ssh("alpha:22", "alpha", 22, "");
  expect_ssh("10.0.0.1:65535", "10.0.0.1", 65535, "");
  expect_ssh("[::1]", "::1", std::nullopt, "");
  expect_ssh("[fe80::1%eth0]:22", "fe80::1%eth0", 22, "");
  expect_ssh("ops@[2001:db8::1]:22", "ops@2001:db8::1", 22, "");
  expect_ssh("ops@corp.example@alpha", "ops@corp.example@alpha", std::nullopt, "");
  expect_ssh("CORP\\ops@alpha", "CORP\\ops@alpha", std::nullopt, "");
}

TEST(ServerEntry, ReadsSshUrls) {
  expect_ssh("ssh://alpha", "alpha", std::nullopt, "");
  expect_ssh("ssh://alpha/", "alpha", std::nullopt, "");
  expect_ssh("SSH://alpha", "alpha", std::nullopt, "");
  expect_ssh("ssh://ops@alpha:2222/var/lib/locks", "ops@alpha", 2222, "/var/lib/locks");
  expect_ssh("ssh://[::1]:22/x", "::1", 22, "/x");
  expect_ssh("ssh://alpha/~/locks", "alpha", std::nullopt, "locks");
  expect_ssh("ssh://alpha/it's", "alpha", std::nullopt, "/it's");
}

TEST(ServerEntry, ReadsDirectories) {
  for (const auto* text : {"dir:/a/b", "dir:/a//b/", "dir:///a/b", "DIR:/a/b"}) {
    const ServerEntry parsed = entry(text);
    EXPECT_EQ(parsed.kind, ServerEntry::Kind::dir);
    EXPECT_EQ(parsed.path, "/a/b") << text;
    EXPECT_TRUE(parsed.user_host.empty());
  }
  EXPECT_EQ(entry("dir:/").path, "/");
  // A relative one would be another store in every working directory.
  for (const auto* text : {"dir:", "dir:a", "dir:./a", "dir:~/a"}) {
    EXPECT_TRUE(refusal(text).contains("must be absolute")) << text;
  }
}

TEST(ServerEntry, ReadsSockets) {
  using Kind = SocketAddress::Kind;
  for (const auto* text : {"unix:/run/x", "unix:///run/x", "UNIX:/run//x"}) {
    const ServerEntry parsed = entry(text);
    EXPECT_EQ(parsed.kind, ServerEntry::Kind::socket);
    EXPECT_EQ(parsed.socket.kind, Kind::unix_socket);
    EXPECT_EQ(parsed.socket.path, "/run/x") << text;
    EXPECT_EQ(parsed.socket.shown, text);
  }
  EXPECT_EQ(entry("tls://a.example:7411").socket,
            (SocketAddress{Kind::tls, "", "a.example", 7411, "tls://a.example:7411"}));
  EXPECT_EQ(entry("TCP://[::1]:1").socket,
            (SocketAddress{Kind::tcp, "", "::1", 1, "TCP://[::1]:1"}));
  EXPECT_FALSE(is_same_place(entry("tcp://a:1"), entry("tcp://a:2")));
  EXPECT_FALSE(is_same_place(entry("unix:/a"), entry("unix:/b")));
  EXPECT_TRUE(is_same_place(entry("tcp://a:1"), entry("tls://a:1")));
}

TEST(ServerEntry, RefusesSocketsThatCannotBe) {
  for (const auto* text : {"unix:x", "unix:", "unix:/", "unix:~/x"}) {
    EXPECT_TRUE(refusal(text).contains("must be absolute")) << text;
  }
  EXPECT_TRUE(refusal("unix:/" + std::string(107, 'x')).contains("at most 107 bytes"));
  for (const auto* text : {"tcp://a", "tls://a:", "tcp://a:0", "tcp://a:65536", "tls://[::1]"}) {
    EXPECT_TRUE(refusal(text).contains("a port from 1 to 65535 must follow")) << text;
  }
  EXPECT_TRUE(refusal("tcp://:1").contains("host is empty"));
  EXPECT_TRUE(refusal("tcp://-x:1").contains("must not begin with -"));
  EXPECT_TRUE(refusal("tls://a:1/x").contains("a port from 1"));
  EXPECT_TRUE(refusal("tls://me@a:1").contains("a host is letters"));
}

TEST(ServerEntry, AnEtcdClusterIsOneEntryWithItsEndpoints) {
  const auto entry = parse_server_entry("etcds://a:2379,[::1]:1,b.example:2379");
  ASSERT_TRUE(entry) << entry.error().text;
  EXPECT_EQ(entry->kind, ServerEntry::Kind::etcd);
  EXPECT_TRUE(entry->etcd_tls);
  EXPECT_EQ(entry->endpoints, (std::vector<std::string>{"a:2379", "[::1]:1", "b.example:2379"}));
  for (const auto* text :
       {"etcd://a", "etcds://a:1,", "ETCD://a:0", "etcd://", "etcd://a:1,-b:2"}) {
    EXPECT_TRUE(refusal(text).contains("etcd://HOST:PORT,HOST:PORT")) << text;
  }
}

TEST(ServerEntry, NamesKindsThatDoNotExist) {
  for (const auto* text : {"http://a", "://a", "file:///x", "ss://a"}) {
    EXPECT_TRUE(refusal(text).contains("unknown kind of server")) << text;
  }
}

TEST(ServerEntry, RefusesBadPorts) {
  for (const auto* text : {"a:", "a:0", "a:65536", "a:99999999999999999999", "a:-1", "a:+1", "a:2x",
                           "a:0x16", "ssh://a:/x", "[::1]:", "a:22.5"}) {
    EXPECT_TRUE(refusal(text).contains("no number from 1 to 65535")) << text;
  }
  EXPECT_TRUE(refusal("alpha:.dex-lock").contains("ssh://HOST/PATH"));
}

TEST(ServerEntry, RefusesBadHostsAndUsers) {
  for (const auto* text : {"", "ops@", ":22", "ssh://", "ssh:///x", "ops@:22", "[]:22"}) {
    EXPECT_TRUE(refusal(text).contains("host is empty")) << text;
  }
  for (const auto* text : {"-oProxyCommand=x", "ops@-x", "ssh://-x/y", "--", "[-::1]"}) {
    EXPECT_TRUE(refusal(text).contains("must not begin with -")) << text;
  }
  for (const auto* text : {"@a", "-l@a", "a;b@c", "a b@c", "root$(id)@c", "x\\@c"}) {
    EXPECT_TRUE(refusal(text).contains("user before @")) << text;
  }
  for (const auto* text :
       {"a;b", "$(id)", "a|b", "a b", "a'b", "a*", "h\xc3\xb6st", "a%h", "a,b"}) {
    EXPECT_TRUE(refusal(text).contains("a host is letters")) << text;
  }
  EXPECT_TRUE(refusal("::1").contains("host is empty"));
  EXPECT_TRUE(refusal("fe80::1").contains("must stand in brackets"));
  EXPECT_TRUE(refusal("[::1").contains("cannot be read"));
  EXPECT_TRUE(refusal("[::1]x").contains("cannot be read"));
  EXPECT_TRUE(refusal("[alpha]:22").contains("no IPv6 address"));
  EXPECT_TRUE(refusal("[::1%;x]:22").contains("no IPv6 address"));
  EXPECT_TRUE(refusal(std::string(256, 'a')).contains("more than 255"));
}

TEST(ServerEntry, RefusesControlBytesAndEnormousEntries) {
  for (const auto* text : {"a\x01", "dir:/a\x1b", "ssh://a/b\x7f", "a\nb"}) {
    EXPECT_TRUE(refusal(text).contains("control bytes")) << text;
  }
  EXPECT_TRUE(refusal(std::string_view("a\0b", 3)).contains("control bytes"));
  EXPECT_TRUE(refusal(std::string(1 << 20, 'a')).contains("longer than"));
  EXPECT_LT(refusal(std::string(1 << 20, '\x1b')).size(), 400U);
}

TEST(ServerEntry, KnowsTheSamePlaceInAnotherSpelling) {
  EXPECT_TRUE(is_same_place(entry("alpha"), entry("ssh://alpha/")));
  EXPECT_TRUE(is_same_place(entry("dir:/a"), entry("dir:///a/")));
  EXPECT_FALSE(is_same_place(entry("alpha"), entry("beta")));
  EXPECT_FALSE(is_same_place(entry("alpha"), entry("alpha:2222")));
  EXPECT_FALSE(is_same_place(entry("alpha"), entry("ops@alpha")));
  EXPECT_FALSE(is_same_place(entry("ssh://alpha/a"), entry("ssh://alpha/b")));
}

TEST(RemotePath, IsAbsoluteOrBelowTheLoginDirectory) {
  EXPECT_EQ(parse_remote_path("/var/lib/locks"), "/var/lib/locks");
  EXPECT_EQ(parse_remote_path(".dex-lock"), ".dex-lock");
  EXPECT_EQ(parse_remote_path("~/locks"), "locks");
  EXPECT_EQ(parse_remote_path("~//locks"), "locks");
  EXPECT_EQ(parse_remote_path("it's \"here\" $HOME `x`"), "it's \"here\" $HOME `x`");
}

TEST(RemotePath, RefusesWhatAServerWouldMisread) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("~/"), std::string_view("~"),
        std::string_view("~root/x"), std::string_view("-rf"), std::string_view("a\nb"),
        std::string_view("a\0b", 3), std::string_view("~/~x"), std::string_view("~/-x")}) {
    const auto parsed = parse_remote_path(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::bad_config);
  }
  EXPECT_FALSE(parse_remote_path(std::string(2000, 'a')));
}

}  // namespace
}  // namespace dexlock
