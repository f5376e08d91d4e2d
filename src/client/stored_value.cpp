#include "client/stored_value.hpp"

#include "client/one_shot_call.hpp"
#include "client/record_reader.hpp"
#include "lock/escape.hpp"
#include "lock/lock_name.hpp"

namespace dexlock {

std::optional<StoredValue> stored_value(const Record& record) {
  if (record.data_token.value == 0) {
    return std::nullopt;
  }
  return StoredValue{.text = record.data,
                     .token = record.data_token.value,
                     .by_holder = record.find(record.data_token) != nullptr};
}

Result<void> check_value(const std::string& text) {
  if (escape_text(text).size() > kDataBytesMax) {
    return fail(Errc::bad_argument, "the value is too long: at most " +
                                        std::to_string(kDataBytesMax) +
                                        " bytes, of which any but A-Z a-z 0-9 . _ @ / + - count "
                                        "three times");
  }
  return {};
}

Result<std::optional<StoredValue>> read_value(const std::string& name,
                                              std::chrono::milliseconds limit) {
  const auto parsed = LockName::parse(name);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  const auto context = ClientContext::load();
  if (!context) {
    return std::unexpected(context.error());
  }
  OneShotCall call(*context, parsed->text());
  std::optional<RecordReader> reader;
  std::optional<Record> found;
  const auto on_read = [&](const std::optional<Record>& record) {
    if (record) {
      found = record;
      call.finish();
    }
  };
  const auto on_change = [&] {
    if (call.hopeless()) {
      call.fail_with(call.why_no_quorum());
    }
  };
  call.run(limit, {.on_ready =
                       [&] {
                         reader.emplace(call.loop(), call.cluster(), parsed->text(), on_read);
                         reader->read();
                       },
                   .on_event = [](const Event&) {},
                   .on_change = on_change});
  if (!found) {
    return std::unexpected(call.error() ? *call.error() : call.why_no_quorum());
  }
  return stored_value(*found);
}

}  // namespace dexlock
