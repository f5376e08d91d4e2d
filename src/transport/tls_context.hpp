// TLS for connections whose bytes somebody else carries: what a side shows and whom it believes
// (TlsContext: files in PEM, read once), and one connection's state (TlsSession).
//
// TLS 1.3 only. Both sides must show a certificate that the other's authority has signed; a client
// wants the host's name, as configured, in the server's.
//
// Threads: making a context: any; a context is shared by the connections of one event loop; a
//          session belongs to one connection.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "dexlock/error.hpp"

namespace dexlock {

struct TlsFiles {
  std::filesystem::path certificate;  // with the chain below the authority
  std::filesystem::path key;
  std::filesystem::path authority;  // of the other side
  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

enum class TlsSide { client, server };

class TlsSession {
 public:
  TlsSession() = default;
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  virtual ~TlsSession() = default;

  // What came from the peer. Whoever calls one of the others next may have something to send.
  virtual void received(std::string_view sealed) = 0;
  // Moves what is to be sent to the end of `out`; also after an error, which the peer may be told.
  virtual void take_to_send(std::string& out) = 0;

  // True: both sides have shown their certificates; false: more must be received.
  // not_permitted: why not, with what to do.
  virtual Result<bool> shake_hands() = 0;
  // Text that came; false: the peer has ended the connection after it. not_permitted: it refused.
  virtual Result<bool> open(std::string& text) = 0;
  virtual Result<void> seal(std::string_view text) = 0;

  // The common name in the peer's certificate.
  [[nodiscard]] virtual std::string peer_name() const = 0;
};

class TlsSessions {
 public:
  TlsSessions() = default;
  TlsSessions(const TlsSessions&) = delete;
  TlsSessions& operator=(const TlsSessions&) = delete;
  virtual ~TlsSessions() = default;
  // `host`: a client's server. Null: out of memory.
  [[nodiscard]] virtual std::unique_ptr<TlsSession> begin(const std::string& host) const = 0;
};

using TlsContext = std::shared_ptr<const TlsSessions>;

// bad_config: which file cannot be used, and why; or TLS is not installed.
[[nodiscard]] Result<TlsContext> make_tls(TlsSide side, const TlsFiles& files);

}  // namespace dexlock
