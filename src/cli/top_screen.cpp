#include "cli/top_screen.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/shown_text.hpp"

namespace dexlock {
namespace {

constexpr std::size_t kWaitersShownMax = 5;
constexpr std::size_t kNameColumnsMax = 32;

enum class Ink { plain, bold, good, bad };

class Paper {
 public:
  explicit Paper(const TopLook& look) : look_(look) {}

  void line(const std::string& text, Ink ink = Ink::plain) {
    lines_.push_back(inked(cut_text(text, look_.columns), ink));
  }
  [[nodiscard]] std::vector<std::string> take() { return std::move(lines_); }

 private:
  [[nodiscard]] std::string inked(const std::string& text, Ink ink) const {
    if (!look_.colour || ink == Ink::plain) {
      return text;
    }
    const char* code = ink == Ink::bold ? "1" : ink == Ink::good ? "32" : "31";
    return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
  }

  TopLook look_;
  std::vector<std::string> lines_;
};

void add_servers(Paper& paper, const ServersSight& servers, const TopLook& look) {
  std::size_t width = 6;
  for (const ServerSight& server : servers.servers) {
    width = std::max(width, std::min(server.name.size(), kNameColumnsMax));
  }
  paper.line(
      fmt::format("{:<{}}  {:<13}  {:>8}  {:>9}", "SERVER", width, "STATE", "ANSWER", "FREE"),
      Ink::bold);
  for (const ServerSight& server : servers.servers) {
    const std::string name = cut_text(shown_text(server.name, look.utf8), width);
    if (!server.reachable) {
      const std::string named = server.name + ": ";
      const std::string why =
          server.trouble.starts_with(named) ? server.trouble.substr(named.size()) : server.trouble;
      paper.line(fmt::format("{:<{}}  {}", name, width, "down: " + shown_text(why, look.utf8)),
                 Ink::bad);
      continue;
    }
    paper.line(fmt::format("{:<{}}  {:<13}  {:>8}  {:>9}", name, width,
                           server.votes ? "up, votes" : "up, no vote", shown_time(server.answer),
                           shown_bytes(server.free_bytes)),
               server.votes ? Ink::plain : Ink::bad);
  }
}

void add_lock(Paper& paper, const LockSight& lock, std::size_t width, const TopLook& look) {
  for (const HolderSight& holder : lock.holders) {
    paper.line(fmt::format("{:<{}}  {:>6}  {:>8}  {:>4}  {}", cut_text(lock.name, width), width,
                           holder.token, shown_time(holder.heartbeat_age), lock.waiters.size(),
                           shown_text(holder.who, look.utf8) +
                               (holder.lapsed ? " (" + holder.lapse() + ")" : "")),
               holder.lapsed ? Ink::bad : Ink::plain);
  }
  const std::size_t shown = std::min(lock.waiters.size(), kWaitersShownMax);
  for (std::size_t at = 0; at < shown; ++at) {
    paper.line(fmt::format("{:<{}}  {:>22}  {} {}", "", width, "", look.utf8 ? "\u2514" : "waits:",
                           shown_text(lock.waiters[at].who, look.utf8)));
  }
  if (shown < lock.waiters.size()) {
    paper.line(
        fmt::format("{:<{}}  {:>22}  and {} more", "", width, "", lock.waiters.size() - shown));
  }
}

void add_locks(Paper& paper, const std::vector<LockSight>& locks, const TopLook& look) {
  std::size_t width = 4;
  std::size_t held = 0;
  for (const LockSight& lock : locks) {
    held += lock.is_held() ? 1U : 0U;
    if (lock.is_held()) {
      width = std::max(width, std::min(lock.name.size(), kNameColumnsMax));
    }
  }
  paper.line(fmt::format("{} locks held, {} free", held, locks.size() - held));
  paper.line("");
  paper.line(fmt::format("{:<{}}  {:>6}  {:>8}  {:>4}  {}", "LOCK", width, "TOKEN", "BEAT", "WAIT",
                         "HOLDER"),
             Ink::bold);
  for (const LockSight& lock : locks) {
    if (lock.is_held()) {
      add_lock(paper, lock, width, look);
    }
  }
}

}  // namespace

std::vector<std::string> top_screen(const ServersSight& servers, const LocksSight& locks,
                                    const std::string& time, const TopLook& look) {
  Paper paper(look);
  paper.line(fmt::format("dex-lock top  {}  (q ends)", time), Ink::bold);
  paper.line(servers.verdict(), servers.has_majority() ? Ink::good : Ink::bad);
  for (const std::string& problem : servers.problems) {
    paper.line(shown_text(problem, look.utf8), Ink::bad);
  }
  paper.line("");
  add_servers(paper, servers, look);
  paper.line("");
  add_locks(paper, locks.locks, look);
  std::vector<std::string> lines = paper.take();
  if (lines.size() > look.rows) {
    const std::size_t shown = look.rows - std::min<std::size_t>(look.rows, 1);
    const std::size_t hidden = lines.size() - shown;
    lines.resize(shown);
    lines.push_back(cut_text(fmt::format("... {} more lines", hidden), look.columns));
    lines.resize(std::min(lines.size(), look.rows));
  }
  return lines;
}

}  // namespace dexlock
