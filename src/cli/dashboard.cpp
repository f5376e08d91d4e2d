#include "cli/dashboard.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "cli/dashboard_request.hpp"
#include "cli/failover_change.hpp"
#include "cli/failover_metrics.hpp"
#include "failover/package_places.hpp"
#include "failover/package_settings.hpp"
#include "store/machine.hpp"

namespace dexlock {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::size_t kSecretBytes = 16;

HttpReply refused(unsigned status, std::string why) {
  return {.status = status, .fields = {}, .body = std::move(why) + '\n'};
}

std::string policy(const std::string& nonce) {
  return fmt::format(
      "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src data:; "
      "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      nonce);
}

// What an action of the page does; nothing: there is none of this name.
std::function<Result<void>()> change_of(const std::string& action, const std::string& package,
                                        const std::string& to) {
  if (action == "start" || action == "stop") {
    const Running running = action == "start" ? Running::yes : Running::no;
    return [=] { return want_running(package, running); };
  }
  if (action == "maintenance-on" || action == "maintenance-off") {
    const Maintenance wanted = action == "maintenance-on" ? Maintenance::on : Maintenance::off;
    return [=] { return want_maintenance(package, wanted); };
  }
  if (action == "move") {
    return [=]() -> Result<void> {
      const auto moved = want_moved(package, to);
      return moved ? Result<void>() : std::unexpected(moved.error());
    };
  }
  return nullptr;
}

unsigned http_status(const Error& error) {
  switch (error.code) {
    case Errc::bad_argument:
      return 400;
    case Errc::not_permitted:
      return 403;
    case Errc::held_by_other:
      return 409;
    default:
      return 503;
  }
}

}  // namespace

Result<std::unique_ptr<Dashboard>> Dashboard::open(asio::io_context& loop,
                                                   const SocketAddress& address,
                                                   std::unique_ptr<Inspector> inspector,
                                                   DashboardOptions options) {
  std::unique_ptr<Dashboard> made(new Dashboard(loop, std::move(inspector), std::move(options)));
  const auto refuse =
      [names = made->options_.host_names](const HttpRequest& request) -> std::optional<HttpReply> {
    if (is_own_host(request.host, names)) {
      return std::nullopt;
    }
    return refused(403, "the dashboard is not called by this name; if it shall be: --host NAME");
  };
  auto pages = HttpPages::open(loop, address, made->pages(),
                               {.connections = made->options_.connections,
                                .body_bytes = kDashboardBodyMax,
                                .refuse = refuse});
  if (!pages) {
    return std::unexpected(pages.error());
  }
  made->pages_ = std::move(*pages);
  return made;
}

Dashboard::Dashboard(asio::io_context& loop, std::unique_ptr<Inspector> inspector,
                     DashboardOptions options)
    : loop_(loop), options_(std::move(options)), limit_(loop) {
  if (options_.allow_changes) {
    token_ = random_hex(kSecretBytes);
  }
  watch_.emplace(std::move(inspector),
                 [this, alive = alive_](std::shared_ptr<const DashboardLook> look) {
                   asio::post(loop_, [this, alive, look = std::move(look)] {
                     if (*alive) {
                       on_look(look);
                     }
                   });
                 });
}

Dashboard::~Dashboard() {
  *alive_ = false;
  changes_.join();
}

HttpPages::Pages Dashboard::pages() {
  const auto seen = [this](HttpReply (Dashboard::*make)() const) {
    return HttpPages::Page{.on_get =
                               [this, make](const HttpRequest&, const Answer& answer) {
                                 with_look([this, make, answer] { answer((this->*make)()); });
                               },
                           .on_post = nullptr};
  };
  HttpPages::Pages pages{{"/", seen(&Dashboard::html)}, {"/metrics", seen(&Dashboard::metrics)}};
  pages["/api/status.json"].on_get = [this](const HttpRequest&, const Answer& answer) {
    with_look([this, answer] {
      answer({.type = "application/json",
              .fields = {{"Cross-Origin-Resource-Policy", "same-origin"}},
              .body = dashboard_json(page())});
    });
  };
  pages["/change"].on_post = [this](const HttpRequest& request, const Answer& answer) {
    change(request, answer);
  };
  return pages;
}

void Dashboard::with_look(std::function<void()> then) {
  const bool fresh = look_ != nullptr && !stale_ &&
                     std::chrono::steady_clock::now() - look_->when < kDashboardFresh;
  if (fresh) {
    then();
    return;
  }
  waiting_.push_back(std::move(then));
  if (!std::exchange(looking_, true)) {
    stale_ = false;
    watch_->look();
  }
  if (waiting_.size() == 1) {
    limit_.expires_after(kDashboardWait);
    limit_.async_wait([this, alive = alive_](const boost::system::error_code& ec) {
      if (!ec && *alive) {
        answer_all();
      }
    });
  }
}

void Dashboard::on_look(std::shared_ptr<const DashboardLook> look) {
  look_ = std::move(look);
  looking_ = false;
  limit_.cancel();
  answer_all();
}

void Dashboard::answer_all() {
  for (const auto& then : std::exchange(waiting_, {})) {
    then();
  }
}

DashboardPage Dashboard::page() const {
  const auto age = look_ == nullptr ? std::chrono::nanoseconds{}
                                    : std::chrono::steady_clock::now() - look_->when;
  return {.look = look_.get(),
          .now = std::chrono::duration_cast<milliseconds>(
              std::chrono::system_clock::now().time_since_epoch()),
          .age = std::chrono::duration_cast<milliseconds>(age),
          .nonce = random_hex(kSecretBytes),
          .token = token_};
}

HttpReply Dashboard::html() const {
  const DashboardPage shown = page();
  return {.type = "text/html; charset=utf-8",
          .fields = {{"Content-Security-Policy", policy(shown.nonce)},
                     {"X-Frame-Options", "DENY"},
                     {"Referrer-Policy", "same-origin"},
                     {"Cross-Origin-Opener-Policy", "same-origin"},
                     {"Cross-Origin-Resource-Policy", "same-origin"}},
          .body = dashboard_html(shown)};
}

HttpReply Dashboard::metrics() const {
  if (look_ == nullptr) {
    return refused(503, "nothing was seen yet");
  }
  return {.type = "text/plain; version=0.0.4; charset=utf-8",
          .fields = {},
          .body = failover_metrics(look_->servers, look_->locks.locks)};
}

void Dashboard::change(const HttpRequest& request, Answer answer) {
  if (!token_) {
    answer(refused(403, "changes are not allowed here: --allow-changes"));
    return;
  }
  if (!is_same_origin(request)) {
    answer(refused(403, "a change must come from the dashboard's own page"));
    return;
  }
  auto fields = form_fields(request);
  if (!fields || !same_secret((*fields)["token"], *token_)) {
    answer(refused(403, "the page is not of this dashboard, or of an earlier run: load it again"));
    return;
  }
  const std::string package = (*fields)["package"];
  const std::string to = (*fields)["to"];
  const std::string action = (*fields)["action"];
  auto wanted = change_of(action, package, to);
  if (!wanted || !check_package_name(package) || (!to.empty() && !check_package_name(to))) {
    answer(refused(400, "there is no such action, package or host"));
    return;
  }
  const std::string what =
      fmt::format("{} {}{}", action, package, action == "move" && !to.empty() ? " to " + to : "");
  make_change(std::move(wanted), what, std::move(answer));
}

void Dashboard::make_change(std::function<Result<void>()> change, const std::string& what,
                            Answer answer) {
  if (changes_waiting_ >= kDashboardChangesMax) {
    answer(refused(503, "too many changes are under way; try again later"));
    return;
  }
  ++changes_waiting_;
  asio::post(changes_, [this, alive = alive_, what, change = std::move(change),
                        answer = std::move(answer)]() mutable {
    const auto done = change();
    options_.on_news(what + ", asked for on the dashboard" +
                     (done ? "" : ": " + done.error().text));
    asio::post(loop_, [this, alive, done, answer = std::move(answer)] {
      if (!*alive) {
        return;
      }
      --changes_waiting_;
      stale_ = true;
      answer(done ? HttpReply{.status = 303, .fields = {{"Location", "/"}}, .body = "done\n"}
                  : refused(http_status(done.error()), done.error().text));
    });
  });
}

}  // namespace dexlock
