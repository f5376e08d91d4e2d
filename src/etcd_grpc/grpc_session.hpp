// gRPC over HTTP/2 as a client speaks it on one connection: calls in, bytes to send out; bytes that
// came in, messages and ends of calls out. HTTP/2 itself is nghttp2's.
//
// Invariants:  each call that was started ends once, with on_end, unless it is cancelled;
//              what comes in is hostile: a message has kGrpcMessageMax bytes at most, texts are
//              cut.
// Threads:     none; handlers are called from receive(), and may start and cancel calls.
// Never does:  I/O, clock reads, repeat a call.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dexlock {

inline constexpr std::size_t kGrpcMessageMax = std::size_t{4} << 20U;

// Numbers are gRPC's.
enum class GrpcCode : std::uint8_t {
  ok = 0,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16,
};

struct GrpcStatus {
  GrpcCode code = GrpcCode::unknown;
  std::string text = {};
};

struct GrpcCall {
  std::string method;                              // /PACKAGE.SERVICE/NAME
  std::optional<std::string> message;              // serialised; nothing: a stream of them follows
  std::map<std::string, std::string> fields = {};  // of its header
  std::int64_t limit_ms = 0;                       // 0: none
};

struct GrpcHandlers {
  std::function<void(std::string_view)> on_message;
  std::function<void(const GrpcStatus&)> on_end;
};

class GrpcSession {
 public:
  using Stream = std::int32_t;

  // `authority`: HOST:PORT
  GrpcSession(std::string authority, bool tls);
  GrpcSession(const GrpcSession&) = delete;
  GrpcSession& operator=(const GrpcSession&) = delete;
  ~GrpcSession();

  // Negative: none can be started any more.
  [[nodiscard]] Stream start(const GrpcCall& call, GrpcHandlers handlers);
  // One more message of a stream.
  void send(Stream stream, const std::string& message);
  // No handler is called any more. False: it has ended before.
  bool cancel(Stream stream);

  void ping();
  [[nodiscard]] bool is_idle() const { return open_.empty(); }

  // False: this connection is of no use any more.
  [[nodiscard]] bool receive(std::string_view bytes);
  [[nodiscard]] std::string take_output();

  [[nodiscard]] static bool is_field_value(std::string_view text);

  // Ends all calls.
  void end(const GrpcStatus& status);

 private:
  struct Open {
    GrpcHandlers handlers;
    std::string out;  // not yet taken by HTTP/2
    bool streams = false;
    std::string in;  // of a message that is not complete
    int http = 0;    // status of HTTP
    int code = -1;   // of gRPC; negative: none came
    std::string text;
    bool broken = false;
  };
  struct Callbacks;

  [[nodiscard]] Open* find(Stream stream);
  void take_header(Open& open, std::string_view name, std::string_view value);
  bool take_data(Stream stream, std::string_view bytes);
  void finish(Stream stream, std::uint32_t http2_error);
  [[nodiscard]] static GrpcStatus status_of(const Open& open, std::uint32_t http2_error);

  std::string authority_;
  bool tls_;
  nghttp2_session* session_ = nullptr;
  std::map<Stream, std::unique_ptr<Open>> open_;
  bool going_away_ = false;  // the server takes no more
};

}  // namespace dexlock
