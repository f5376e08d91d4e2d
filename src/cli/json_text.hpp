// JSON, compact, as the commands print it with --json.
//
// Threads: plain values.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dexlock {

// In quotes. Bytes that are no UTF-8 become U+FFFD each.
[[nodiscard]] std::string json_string(std::string_view text);

// Of texts that are JSON already.
[[nodiscard]] std::string json_array(const std::vector<std::string>& items);
[[nodiscard]] std::string json_strings(const std::vector<std::string>& texts);

class JsonObject {
 public:
  // `json`: is JSON already.
  JsonObject& add_json(std::string_view key, std::string_view json);
  JsonObject& add(std::string_view key, std::string_view text) {
    return add_json(key, json_string(text));
  }
  JsonObject& add(std::string_view key, const char* text) {
    return add(key, std::string_view(text));
  }
  JsonObject& add(std::string_view key, bool value) {
    return add_json(key, value ? "true" : "false");
  }
  template <std::integral Number>
  JsonObject& add(std::string_view key, Number number) {
    return add_json(key, std::to_string(number));
  }
  // null where there is none.
  template <class Value>
  JsonObject& add(std::string_view key, const std::optional<Value>& value) {
    return value ? add(key, *value) : add_json(key, "null");
  }
  // null where it is empty.
  JsonObject& add_if(std::string_view key, std::string_view text) {
    return text.empty() ? add_json(key, "null") : add(key, text);
  }

  [[nodiscard]] std::string text() const { return '{' + members_ + '}'; }

 private:
  std::string members_;
};

}  // namespace dexlock
