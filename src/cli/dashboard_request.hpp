// What of a request to the dashboard is checked: that it is meant for it (a name that somebody else
// has made to point here is refused), and, of a change, that the dashboard's own page asks.
//
// Threads: pure functions.     Every text comes from anywhere.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http_pages.hpp"

namespace dexlock {

// `host` is a Host field: an address, localhost, or one of `names`; with or without a port.
[[nodiscard]] bool is_own_host(std::string_view host, const std::vector<std::string>& names);

// Asked for by a page that came from where this goes.
[[nodiscard]] bool is_same_origin(const HttpRequest& request);

// application/x-www-form-urlencoded. Nothing: it is not.
[[nodiscard]] std::optional<std::map<std::string, std::string>> form_fields(
    const HttpRequest& request);

// Takes as long whatever the difference is.
[[nodiscard]] bool same_secret(std::string_view one, std::string_view other);

}  // namespace dexlock
