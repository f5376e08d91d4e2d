// The pages of `dex-lock dashboard`: what is known of packages, locks and lock servers, and, where
// that is allowed, changes of what operators want.
//
// Invariants:  one look serves all who ask within a second; nobody waits for one longer than
//              kDashboardWait, but gets the one before. Changes are made one after the other.
// Threads:     all on the thread that runs the event loop; looks and changes have their own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/dashboard_html.hpp"
#include "cli/dashboard_look.hpp"
#include "server/http_pages.hpp"

namespace dexlock {

inline constexpr std::chrono::milliseconds kDashboardFresh{1'000};
inline constexpr std::chrono::milliseconds kDashboardWait{1'000};
inline constexpr std::size_t kDashboardBodyMax = 4 * 1024;
inline constexpr std::size_t kDashboardChangesMax = 8;  // that wait for their turn

struct DashboardOptions {
  std::vector<std::string> host_names;  // besides addresses and localhost
  std::size_t connections = 0;
  bool allow_changes = false;
  std::function<void(const std::string&)> on_news;  // any thread
};

class Dashboard {
 public:
  // bad_config: the address cannot be used.
  static Result<std::unique_ptr<Dashboard>> open(boost::asio::io_context& loop,
                                                 const SocketAddress& address,
                                                 std::unique_ptr<Inspector> inspector,
                                                 DashboardOptions options);
  Dashboard(const Dashboard&) = delete;
  Dashboard& operator=(const Dashboard&) = delete;
  ~Dashboard();

 private:
  using Answer = HttpPages::Answer;

  Dashboard(boost::asio::io_context& loop, std::unique_ptr<Inspector> inspector,
            DashboardOptions options);
  [[nodiscard]] HttpPages::Pages pages();
  void with_look(std::function<void()> then);
  void on_look(std::shared_ptr<const DashboardLook> look);
  void answer_all();
  [[nodiscard]] DashboardPage page() const;
  [[nodiscard]] HttpReply html() const;
  [[nodiscard]] HttpReply metrics() const;
  void change(const HttpRequest& request, Answer answer);
  void make_change(std::function<Result<void>()> change, const std::string& what, Answer answer);

  boost::asio::io_context& loop_;
  DashboardOptions options_;
  std::optional<std::string> token_;
  std::shared_ptr<const DashboardLook> look_;
  bool stale_ = false;    // something was changed since
  bool looking_ = false;  // one more look is on its way
  std::vector<std::function<void()>> waiting_;
  boost::asio::steady_timer limit_;
  std::size_t changes_waiting_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // touched on the loop only
  std::unique_ptr<HttpPages> pages_;
  std::optional<DashboardWatch> watch_;
  boost::asio::thread_pool changes_{1};
};

}  // namespace dexlock
