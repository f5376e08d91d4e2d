#include "cli/json_text.hpp"

#include <fmt/format.h>

#include "cli/shown_text.hpp"

namespace dexlock {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    const char c = text.front();
    if (bytes == 0) {
      out += "\xef\xbf\xbd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (bytes == 2 && text[0] == '\xc2' && static_cast<unsigned char>(text[1]) < 0xa0) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[1]));  // a control character
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return out + '"';
}

std::string json_array(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) {
    out += (out.empty() ? "" : ",") + item;
  }
  return '[' + out + ']';
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::vector<std::string> items;
  items.reserve(texts.size());
  for (const std::string& text : texts) {
    items.push_back(json_string(text));
  }
  return json_array(items);
}

JsonObject& JsonObject::add_json(std::string_view key, std::string_view json) {
  members_ += fmt::format("{}{}:{}", members_.empty() ? "" : ",", json_string(key), json);
  return *this;
}

}  // namespace dexlock
