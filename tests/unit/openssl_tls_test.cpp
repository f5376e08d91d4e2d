// Two sessions that hand each other what they have to send; certificates from the openssl command.
#include "tls/openssl_tls.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "unit/scratch_directory.hpp"

namespace dexlock {
namespace {

class OpensslTlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    shell(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca"
        " -keyout ca.key -out ca.pem");
    certify("server", "DNS:locks.example");
    certify("web1", "DNS:web1");
  }

  void shell(const std::string& command) {
    const std::string all =
        "cd '" + place_.path().native() + "' && " + command + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(all.c_str()), 0) << command;
  }

  void certify(const std::string& name, const std::string& alternative) {
    std::ofstream(place_.path() / "extensions") << "subjectAltName=" << alternative << '\n';
    shell("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name +
          " -keyout " + name + ".key -out " + name + ".csr");
    shell("openssl x509 -req -in " + name +
          ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 " + "-extfile extensions -out " +
          name + ".pem");
  }

  [[nodiscard]] TlsFiles files(const std::string& name) const {
    return {.certificate = place_.path() / (name + ".pem"),
            .key = place_.path() / (name + ".key"),
            .authority = place_.path() / "ca.pem"};
  }

  void begin(const std::string& host) {
    const auto ours = make_openssl_tls(TlsSide::client, files("web1"));
    const auto theirs = make_openssl_tls(TlsSide::server, files("server"));
    ASSERT_TRUE(ours) << ours.error().text;
    ASSERT_TRUE(theirs) << theirs.error().text;
    client_ = (*ours)->begin(host);
    server_ = (*theirs)->begin("");
    ASSERT_TRUE(client_ && server_);
  }

  // A few bytes at a time, as a slow network would.
  static void carry(TlsSession& from, TlsSession& to) {
    std::string bytes;
    from.take_to_send(bytes);
    for (std::size_t at = 0; at < bytes.size(); at += 100) {
      to.received(std::string_view(bytes).substr(at, 100));
    }
  }

  // What both sides said at last.
  void shake_hands() {
    for (int round = 0; round < 4; ++round) {
      client_done_ = client_->shake_hands();
      carry(*client_, *server_);
      server_done_ = server_->shake_hands();
      carry(*server_, *client_);
    }
  }

  static std::string text_at(TlsSession& session) {
    std::string text;
    EXPECT_TRUE(session.open(text).value_or(false));
    return text;
  }

  ScratchDirectory place_;
  std::unique_ptr<TlsSession> client_;
  std::unique_ptr<TlsSession> server_;
  Result<bool> client_done_;
  Result<bool> server_done_;
};

TEST_F(OpensslTlsTest, CarriesTextBothWaysOnceBothAreBelieved) {
  begin("locks.example");
  EXPECT_FALSE(*client_->shake_hands()) << "before anybody has answered";
  shake_hands();
  ASSERT_TRUE(client_done_.value_or(false) && server_done_.value_or(false));
  EXPECT_EQ(client_->peer_name(), "server");
  EXPECT_EQ(server_->peer_name(), "web1");

  const std::string much(100'000, 'x');
  ASSERT_TRUE(client_->seal("a line\n") && client_->seal(much));
  carry(*client_, *server_);
  EXPECT_EQ(text_at(*server_), "a line\n" + much);
  EXPECT_EQ(text_at(*server_), "") << "nothing more";
  ASSERT_TRUE(server_->seal("its answer\n"));
  std::string sealed;
  server_->take_to_send(sealed);
  EXPECT_EQ(sealed.find("answer"), std::string::npos);
  client_->received(sealed);
  EXPECT_EQ(text_at(*client_), "its answer\n");
}

TEST_F(OpensslTlsTest, TellsTheTextThatCameBeforeARefusal) {
  begin("locks.example");
  shake_hands();
  ASSERT_TRUE(server_done_.value_or(false));
  ASSERT_TRUE(client_->seal("last words\n"));
  carry(*client_, *server_);
  server_->received("garbage that is no TLS record at all");
  std::string text;
  const auto opened = server_->open(text);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::not_permitted);
  EXPECT_EQ(text, "last words\n");
}

TEST_F(OpensslTlsTest, AServerOfAnotherNameIsNotBelievedAndIsTold) {
  begin("elsewhere.example");
  shake_hands();
  ASSERT_FALSE(client_done_);
  EXPECT_EQ(client_done_.error().code, Errc::not_permitted);
  EXPECT_NE(client_done_.error().text.find("it is for another name"), std::string::npos);
  EXPECT_FALSE(server_done_) << "told by an alert";

  begin("127.0.0.1");
  shake_hands();
  ASSERT_FALSE(client_done_);
  EXPECT_NE(client_done_.error().text.find("it is for another name"), std::string::npos);
}

TEST_F(OpensslTlsTest, GarbageInsteadOfAHandshakeIsRefused) {
  begin("locks.example");
  server_->received("GET / HTTP/1.1\r\n\r\n");
  const auto done = server_->shake_hands();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::not_permitted);
  EXPECT_TRUE(done.error().text.starts_with("TLS was refused: ")) << done.error().text;
}

TEST_F(OpensslTlsTest, FilesThatCannotBeUsedAreNamed) {
  TlsFiles wrong = files("web1");
  wrong.key = place_.path() / "server.key";
  auto made = make_openssl_tls(TlsSide::client, wrong);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::bad_config);
  EXPECT_EQ(made.error().text.find("key " + wrong.key.native() + ": "), 0U) << made.error().text;

  wrong = files("web1");
  wrong.authority = place_.path() / "nowhere.pem";
  made = make_openssl_tls(TlsSide::client, wrong);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text,
            "authority " + wrong.authority.native() + ": No such file or directory");

  // Asked at a terminal it would wait there.
  shell("openssl pkey -in web1.key -aes128 -passout pass:secret -out web1.locked");
  wrong = files("web1");
  wrong.key = place_.path() / "web1.locked";
  made = make_openssl_tls(TlsSide::client, wrong);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().text.find("key " + wrong.key.native() + ": "), 0U) << made.error().text;
}

}  // namespace
}  // namespace dexlock
