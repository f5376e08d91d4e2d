// Waiting for locks in coroutines of Boost.Asio, none of which blocks the thread.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <dexlock/asio.hpp>
#include <iostream>

namespace {

namespace net = boost::asio;
using std::chrono::milliseconds;

net::awaitable<void> pause(milliseconds length) {
  net::steady_timer timer(co_await net::this_coro::executor, length);
  co_await timer.async_wait(net::use_awaitable);
}

net::awaitable<void> example() {
  using namespace net::experimental::awaitable_operators;
  const dexlock::LeaseOptions options{.name = "index"};
  auto lease = co_await dexlock::asio::acquire(options, net::use_awaitable);
  if (!lease) {
    std::cerr << lease.error().text << '\n';
    co_return;
  }
  std::cout << "held with token " << (*lease)->token() << '\n';

  // Whoever waits may be cancelled: here by a timer that is over first.
  const auto second =
      co_await (dexlock::asio::acquire(options, net::use_awaitable) || pause(milliseconds(100)));
  std::cout << (second.index() == 1 ? "the second one gave up\n" : "two holders!\n");

  const auto released = co_await dexlock::asio::release(std::move(*lease), std::chrono::seconds(5),
                                                        net::use_awaitable);
  std::cout << (released ? "released" : released.error().text) << '\n';
}

}  // namespace

int main() {
  net::io_context loop;
  net::co_spawn(loop, example(), net::detached);
  loop.run();
}
