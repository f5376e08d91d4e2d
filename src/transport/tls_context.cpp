#include "transport/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

namespace dexlock {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

std::unexpected<Error> cannot_use(const char* what, const std::filesystem::path& file,
                                  const std::string& why) {
  return fail(Errc::bad_config, fmt::format("{} {}: {}", what, file.native(), why));
}

Result<TlsContext> make(const TlsFiles& files, ssl::context::method method, int verify) {
  auto context = std::make_shared<ssl::context>(method);
  SSL_CTX* raw = context->native_handle();
  if (SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) != 1) {
    return fail(Errc::bad_config, "this system's OpenSSL has no TLS 1.3");
  }
  error_code ec;
  context->use_certificate_chain_file(files.certificate.native(), ec);
  if (ec) {
    return cannot_use("certificate", files.certificate, ec.message());
  }
  context->use_private_key_file(files.key.native(), ssl::context::pem, ec);
  if (ec) {
    return cannot_use("key", files.key, ec.message());
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    return cannot_use("key", files.key, "does not belong to " + files.certificate.native());
  }
  context->load_verify_file(files.authority.native(), ec);
  if (ec) {
    return cannot_use("authority", files.authority, ec.message());
  }
  context->set_verify_mode(verify, ec);
  if (ec) {
    return fail(Errc::bad_config, "TLS cannot be set up: " + ec.message());
  }
  return context;
}

}  // namespace

Result<TlsContext> make_client_tls(const TlsFiles& files) {
  return make(files, ssl::context::tls_client, ssl::verify_peer);
}

Result<TlsContext> make_server_tls(const TlsFiles& files) {
  auto context =
      make(files, ssl::context::tls_server, ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
  if (context) {
    // Tickets would let a client whose certificate has been replaced come back for days.
    SSL_CTX_set_num_tickets((*context)->native_handle(), 0);
  }
  return context;
}

}  // namespace dexlock
