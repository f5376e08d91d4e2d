#include "etcd_grpc/grpc_session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace dexlock {
namespace {

constexpr std::int32_t kStreamWindow = 1 << 20;
constexpr std::int32_t kConnectionWindow = 1 << 23;
constexpr std::size_t kStatusTextMax = 500;
constexpr std::size_t kMessageHead = 5;  // compressed or not, length

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string with_head(const std::string& message) {
  constexpr unsigned kByte = 8;
  std::string all(1, '\0');
  for (unsigned shift = 4 * kByte; shift > 0; shift -= kByte) {
    all += static_cast<char>(message.size() >> (shift - kByte) & 0xffU);
  }
  return all + message;
}

int number(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? value : -1;
}

// %XX of grpc-message; what else is no text of one line becomes a blank.
std::string plain_text(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size() && plain.size() < kStatusTextMax; ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    unsigned char decoded = 0;
    if (c == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, decoded, 16).ptr ==
            text.data() + i + 3) {
      c = decoded;
      i += 2;
    }
    plain += c < ' ' || c == 0x7f ? ' ' : static_cast<char>(c);
  }
  return plain;
}

// What a proxy or another server says, which knows no gRPC.
GrpcCode code_of_http(int status) {
  switch (status) {
    case 401:
      return GrpcCode::unauthenticated;
    case 403:
      return GrpcCode::permission_denied;
    case 404:
      return GrpcCode::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcCode::unavailable;
    default:
      return GrpcCode::unknown;
  }
}

GrpcSession& session_of(void* user) { return *static_cast<GrpcSession*>(user); }

std::string_view view(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

// What nghttp2 calls.
struct GrpcSession::Callbacks {
  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t, void* user) {
    if (Open* open = session_of(user).find(frame->hd.stream_id)) {
      session_of(user).take_header(*open, view(name, name_size), view(value, value_size));
    }
    return 0;
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes,
                  std::size_t size, void* user) {
    return session_of(user).take_data(stream, view(bytes, size)) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      session_of(user).going_away_ = true;
    }
    return 0;
  }

  static int closed(nghttp2_session*, std::int32_t stream, std::uint32_t error, void* user) {
    session_of(user).finish(stream, error);
    return 0;
  }

  static ssize_t more(nghttp2_session*, std::int32_t, std::uint8_t* buffer, std::size_t size,
                      std::uint32_t* flags, nghttp2_data_source* source, void*) {
    const bool streams = static_cast<Open*>(source->ptr)->streams;
    std::string& out = static_cast<Open*>(source->ptr)->out;
    if (streams && out.empty()) {
      return NGHTTP2_ERR_DEFERRED;  // until send()
    }
    const std::size_t part = std::min(size, out.size());
    std::copy_n(out.begin(), part, buffer);
    out.erase(0, part);
    if (out.empty() && !streams) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(part);
  }

  static void set(nghttp2_session_callbacks* callbacks) {
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, closed);
  }
};

GrpcSession::GrpcSession(std::string authority, bool tls)
    : authority_(std::move(authority)), tls_(tls) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  Callbacks::set(callbacks);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  const std::array<nghttp2_settings_entry, 2> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, std::uint32_t{kStreamWindow}}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

GrpcSession::~GrpcSession() {
  open_.clear();
  nghttp2_session_del(session_);
}

GrpcSession::Stream GrpcSession::start(const GrpcCall& call, GrpcHandlers handlers) {
  const std::string limit = std::to_string(call.limit_ms) + 'm';
  std::vector<nghttp2_nv> fields{
      field(":method", "POST"),       field(":scheme", tls_ ? "https" : "http"),
      field(":path", call.method),    field(":authority", authority_),
      field("te", "trailers"),        field("content-type", "application/grpc"),
      field("user-agent", "dex-lock")};
  if (call.limit_ms > 0) {
    fields.push_back(field("grpc-timeout", limit));
  }
  for (const auto& [name, value] : call.fields) {
    fields.push_back(field(name, value));
  }
  auto open = std::make_unique<Open>();
  open->handlers = std::move(handlers);
  open->out = call.message ? with_head(*call.message) : "";
  open->streams = !call.message;
  nghttp2_data_provider body{};
  body.source.ptr = open.get();
  body.read_callback = Callbacks::more;
  const Stream stream =
      nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &body, nullptr);
  if (stream >= 0) {
    open_[stream] = std::move(open);
  }
  return stream;
}

void GrpcSession::send(Stream stream, const std::string& message) {
  if (Open* open = find(stream)) {
    open->out += with_head(message);
    nghttp2_session_resume_data(session_, stream);
  }
}

void GrpcSession::ping() { nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr); }

bool GrpcSession::cancel(Stream stream) {
  Open* open = find(stream);
  if (open == nullptr || !open->handlers.on_end) {
    return false;
  }
  open->handlers = {};
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  return true;
}

bool GrpcSession::receive(std::string_view bytes) {
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return taken == static_cast<ssize_t>(bytes.size()) && !going_away_ &&
         nghttp2_session_want_read(session_) != 0;
}

std::string GrpcSession::take_output() {
  std::string output;
  const std::uint8_t* data = nullptr;
  ssize_t size = 0;
  while ((size = nghttp2_session_mem_send(session_, &data)) > 0) {
    output.append(view(data, static_cast<std::size_t>(size)));
  }
  return output;
}

bool GrpcSession::is_field_value(std::string_view text) {
  return nghttp2_check_header_value(reinterpret_cast<const std::uint8_t*>(text.data()),
                                    text.size()) != 0;
}

void GrpcSession::end(const GrpcStatus& status) {
  for (auto all = std::exchange(open_, {}); const auto& [stream, open] : all) {
    if (open->handlers.on_end) {
      open->handlers.on_end(status);
    }
  }
}

GrpcSession::Open* GrpcSession::find(Stream stream) {
  const auto at = open_.find(stream);
  return at == open_.end() ? nullptr : at->second.get();
}

void GrpcSession::take_header(Open& open, std::string_view name, std::string_view value) {
  if (name == ":status") {
    open.http = number(value);
  } else if (name == "grpc-status") {
    open.code = number(value);
  } else if (name == "grpc-message") {
    open.text = plain_text(value);
  }
}

bool GrpcSession::take_data(Stream stream, std::string_view bytes) {
  Open* open = find(stream);
  if (open == nullptr || open->broken || open->http != 200) {
    return true;
  }
  open->in += bytes;
  std::size_t at = 0;
  while (open->in.size() - at >= kMessageHead) {
    std::size_t size = 0;
    for (std::size_t i = 1; i < kMessageHead; ++i) {
      size = size << 8U | static_cast<unsigned char>(open->in[at + i]);
    }
    if (open->in[at] != 0 || size > kGrpcMessageMax) {
      open->broken = true;
      open->in.clear();
      return nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL) == 0;
    }
    if (open->in.size() - at - kMessageHead < size) {
      break;
    }
    if (const auto on_message = open->handlers.on_message) {  // it may cancel the call
      on_message(std::string_view(open->in).substr(at + kMessageHead, size));
    }
    at += kMessageHead + size;
  }
  open->in.erase(0, at);
  return true;
}

void GrpcSession::finish(Stream stream, std::uint32_t http2_error) {
  const auto at = open_.find(stream);
  if (at == open_.end()) {
    return;
  }
  const std::unique_ptr<Open> open = std::move(at->second);
  open_.erase(at);
  if (open->handlers.on_end) {
    open->handlers.on_end(status_of(*open, http2_error));
  }
}

GrpcStatus GrpcSession::status_of(const Open& open, std::uint32_t http2_error) {
  if (open.broken) {
    return {GrpcCode::internal, "its answer is too long, or compressed"};
  }
  if (open.code >= 0) {
    return {static_cast<GrpcCode>(std::min(open.code, 16)), open.text};
  }
  if (http2_error != NGHTTP2_NO_ERROR) {
    return {GrpcCode::unavailable, nghttp2_http2_strerror(http2_error)};
  }
  return {code_of_http(open.http), "HTTP status " + std::to_string(open.http)};
}

}  // namespace dexlock
