// What a side of a TLS connection shows and whom it believes: files in PEM, read once.
//
// TLS 1.3 only. Both sides must show a certificate that the other's authority has signed; a client
// wants the host's name, as configured, in the server's.
//
// Threads: making: any; the context is shared by connections of one event loop.
#pragma once

#include <filesystem>
#include <memory>

#include "dexlock/error.hpp"

namespace boost::asio::ssl {
class context;
}

namespace dexlock {

struct TlsFiles {
  std::filesystem::path certificate;  // with the chain below the authority
  std::filesystem::path key;
  std::filesystem::path authority;  // of the other side
  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// bad_config: which file cannot be used, and why.
[[nodiscard]] Result<TlsContext> make_client_tls(const TlsFiles& files);
[[nodiscard]] Result<TlsContext> make_server_tls(const TlsFiles& files);

}  // namespace dexlock
