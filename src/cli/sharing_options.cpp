#include "cli/sharing_options.hpp"

#include <CLI/CLI.hpp>
#include <string>

#include "cli/command_line.hpp"

namespace dexlock {
namespace {

constexpr std::uint32_t kPermitsMax = 1'000'000;

}  // namespace

void SharingOptions::add_to(CLI::App& app) {
  auto* shared = app.add_flag("--shared", shared_, "hold it together with others that ask so");
  auto* permits =
      app.add_option("--permits", permits_, "take this many permits of those that --of tells")
          ->check(CLI::Range(std::uint32_t{1}, kPermitsMax));
  auto* of = app.add_option("--of", of_, "permits that there are, the same for all who use it")
                 ->check(CLI::Range(std::uint32_t{1}, kPermitsMax));
  permits->needs(of)->excludes(shared);
  of->excludes(shared);
}

std::optional<Sharing> SharingOptions::read() const {
  if (shared_) {
    return Sharing{.mode = Sharing::Mode::shared};
  }
  if (of_ == 0) {
    return Sharing{};
  }
  const std::uint32_t permits = permits_ == 0 ? 1 : permits_;
  if (permits > of_) {
    complain("--permits " + std::to_string(permits) + ": there are only " + std::to_string(of_));
    return std::nullopt;
  }
  return Sharing{.mode = Sharing::Mode::permits, .permits = permits, .of = of_};
}

}  // namespace dexlock
