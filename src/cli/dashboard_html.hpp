// The page of the dashboard, as it is before (or without) its script: tables. And what the script
// fetches.
//
// Invariants:  texts of locks, hosts and servers are never anything but text in it.
// Threads:     pure functions.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "cli/dashboard_look.hpp"

namespace dexlock {

struct DashboardPage {
  const DashboardLook* look = nullptr;  // none yet
  std::chrono::milliseconds now{};      // since 1970
  std::chrono::milliseconds age{};      // of the look
  std::string nonce;                    // of this answer: what is not marked with it is not obeyed
  std::optional<std::string> token;     // of changes, where they are allowed
};

[[nodiscard]] std::string dashboard_html(const DashboardPage& page);
// docs/json.md.
[[nodiscard]] std::string dashboard_json(const DashboardPage& page);

// As text or as the value of an attribute.
[[nodiscard]] std::string html_text(std::string_view raw);

// The files of these names; the build embeds them.
[[nodiscard]] std::string_view dashboard_style();
[[nodiscard]] std::string_view dashboard_script();

}  // namespace dexlock
