#include "cli/dashboard_request.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

namespace dexlock {
namespace {

std::string lower(std::string_view text) {
  std::string low(text);
  std::ranges::transform(low, low.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return low;
}

// Nothing: what follows the name is no port.
std::optional<std::string> without_port(std::string_view host) {
  const auto bracket = host.starts_with('[') ? host.find(']') : std::string_view::npos;
  const auto colon = bracket == std::string_view::npos ? host.rfind(':') : host.find(':', bracket);
  const std::string_view name = host.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.empty() || port.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::nullopt;
    }
  }
  if (bracket != std::string_view::npos) {
    return bracket + 1 == name.size() ? std::optional(lower(name.substr(1, bracket - 1)))
                                      : std::nullopt;
  }
  return lower(name.ends_with('.') ? name.substr(0, name.size() - 1) : name);
}

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      plain += text[at] == '+' ? ' ' : text[at];
      continue;
    }
    const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[at + 2]);
    if (low < 0) {
      return std::nullopt;
    }
    plain += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return plain;
}

}  // namespace

bool is_own_host(std::string_view host, const std::vector<std::string>& names) {
  const auto name = without_port(host);
  if (!name || name->empty()) {
    return false;
  }
  boost::system::error_code ec;
  static_cast<void>(boost::asio::ip::make_address(*name, ec));
  return !ec || *name == "localhost" ||
         std::ranges::any_of(names, [&](const std::string& own) { return lower(own) == *name; });
}

bool is_same_origin(const HttpRequest& request) {
  const bool fetched_here = request.fetch_site.empty() || request.fetch_site == "same-origin";
  const auto scheme = request.origin.find("://");
  const std::string origin = lower(request.origin);
  return fetched_here && (origin.starts_with("http://") || origin.starts_with("https://")) &&
         origin.substr(scheme + 3) == lower(request.host);
}

std::optional<std::map<std::string, std::string>> form_fields(const HttpRequest& request) {
  const std::string type = lower(request.content_type);
  if (type.substr(0, type.find(';')) != "application/x-www-form-urlencoded") {
    return std::nullopt;
  }
  std::map<std::string, std::string> fields;
  std::string_view rest = request.body;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const auto equals = part.find('=');
    const auto key = unescaped(part.substr(0, equals));
    const auto value =
        equals == std::string_view::npos ? std::nullopt : unescaped(part.substr(equals + 1));
    if (!key || !value || !fields.emplace(*key, *value).second) {
      return std::nullopt;
    }
  }
  return fields;
}

bool same_secret(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) {
    return false;
  }
  unsigned different = 0;
  for (std::size_t at = 0; at < one.size(); ++at) {
    different |= static_cast<unsigned>(one[at] ^ other[at]);
  }
  return different == 0;
}

}  // namespace dexlock
