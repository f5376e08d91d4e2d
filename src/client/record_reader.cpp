#include "client/record_reader.hpp"

#include <utility>

#include "client/clock.hpp"
#include "lock/invariant.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

using std::chrono::milliseconds;

// What a majority says is waited for so long to be confirmed by a slow server, before all are asked
// to write it once more.
constexpr milliseconds kGrace{300};
constexpr milliseconds kPause{200};  // after a failure

std::uint32_t draw_thirty_bits() {
  return static_cast<std::uint32_t>(std::stoul(random_hex(4), nullptr, 16) >> 2U);
}

}  // namespace

RecordReader::RecordReader(boost::asio::io_context& loop, Cluster& cluster, std::string name,
                           Handler handler)
    : cluster_(cluster),
      name_(std::move(name)),
      handler_(std::move(handler)),
      reading_(cluster.size(), cluster.group()->epoch, {draw_thirty_bits(), draw_thirty_bits()}),
      timer_(loop) {}

void RecordReader::read() {
  if (busy_) {
    again_ = true;
    return;
  }
  busy_ = true;
  look();
}

void RecordReader::look() {
  wait(kGrace, [this] { carry_out(reading_.settle(now())); });
  carry_out(reading_.look());
}

void RecordReader::carry_out(ReadingOutput output) {
  for (Send& send : output.sends) {
    cluster_.request(
        send.server, name_, std::move(send.request),
        [this, alive = alive_, server = send.server, attempt = send.attempt](const Reply& reply) {
          if (*alive) {
            carry_out(reading_.on_reply(server, attempt, reply, now()));
          }
        });
  }
  if (output.failed) {
    wait(kPause, [this] { look(); });
  } else if (output.record) {
    timer_.cancel();
    busy_ = false;
  } else {
    return;
  }
  const auto alive = alive_;
  handler_(output.record);  // may end this reader
  if (*alive && !busy_ && std::exchange(again_, false)) {
    read();
  }
}

void RecordReader::wait(milliseconds length, std::function<void()> then) {
  timer_.expires_after(length);
  timer_.async_wait(
      [then = std::move(then), alive = alive_](const boost::system::error_code& error) {
        if (!error && *alive) {
          then();
        }
      });
}

}  // namespace dexlock
