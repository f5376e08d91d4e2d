#include "transport/line_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>

#include "system/unique_fd.hpp"

namespace dexlock {
namespace {

// One end is a LineSocket. The other is a bare one that shows what each send carried, as the
// socket keeps the bounds between them.
class LineSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    peer_.reset(ends[0]);
    using Protocol = boost::asio::generic::stream_protocol;
    socket_ = LineSocket::adopt(loop_, Protocol::socket(loop_, Protocol(AF_UNIX, 0), ends[1]), {},
                                {.on_open = [this] { open_ = true; },
                                 .on_line = [this](std::string_view line) { on_line(line); },
                                 .on_sent = [this] { ++sent_; },
                                 .on_end = [this](const auto&) { ended_ = true; }});
    loop_.poll();
    ASSERT_TRUE(open_);
  }

  void on_line(std::string_view line) { socket_->write("heard " + std::string(line) + '\n'); }

  // Empty where nothing more has been sent.
  std::string next_send() {
    std::array<char, 256> bytes{};
    const ssize_t got = ::recv(peer_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    return {bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }

  void say(std::string_view text) {
    ASSERT_EQ(::send(peer_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  boost::asio::io_context loop_{1};
  UniqueFd peer_;
  std::unique_ptr<LineSocket> socket_;
  bool open_ = false;
  bool ended_ = false;
  int sent_ = 0;
};

TEST_F(LineSocketTest, SendsWhatOneTurnOfTheLoopHasWrittenAtOnce) {
  socket_->write("a\n");
  socket_->write("b\n");
  EXPECT_EQ(socket_->unsent(), 4U);
  EXPECT_EQ(sent_, 0) << "called back from inside a call";
  loop_.poll();
  EXPECT_EQ(socket_->unsent(), 0U);
  EXPECT_EQ(sent_, 1);
  EXPECT_EQ(next_send(), "a\nb\n");
  EXPECT_EQ(next_send(), "");
  say("1\n2\n");
  loop_.poll();
  EXPECT_EQ(next_send(), "heard 1\nheard 2\n");
  EXPECT_EQ(next_send(), "");
}

TEST_F(LineSocketTest, SendsWhatWasWrittenBeforeItIsStopped) {
  socket_->write("a\n");
  socket_->stop();
  EXPECT_EQ(next_send(), "a\n");
  loop_.poll();
  EXPECT_EQ(sent_, 0) << "called back after stop()";
}

TEST_F(LineSocketTest, SendsWhatWasWrittenBeforeThePeerHasFinished) {
  say("1\n");
  ASSERT_EQ(::shutdown(peer_.get(), SHUT_WR), 0);
  loop_.poll();
  EXPECT_TRUE(ended_);
  EXPECT_EQ(next_send(), "heard 1\n");
}

TEST_F(LineSocketTest, SendsTheRestWhenThePeerReadsOn) {
  std::string written;
  const auto write = [&](const std::string& line) {
    written += line;
    socket_->write(line);
    loop_.poll();
  };
  while (socket_->unsent() == 0) {
    write(std::string(199, 'x') + '\n');
  }
  write("last\n");
  std::string heard;
  while (heard.size() < written.size()) {
    const std::string more = next_send();
    ASSERT_FALSE(more.empty());
    heard += more;
    loop_.poll();
  }
  EXPECT_EQ(heard, written);
  EXPECT_EQ(socket_->unsent(), 0U);
}

}  // namespace
}  // namespace dexlock
