#include "tls/tls_trouble.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <cstring>
#include <string_view>

namespace dexlock {
namespace {

// As `side` names its own certificate, and whom it believes.
std::string_view certificate_of(TlsSide side) {
  return side == TlsSide::client ? "tls_certificate in options" : "--tls-certificate";
}

std::string_view authority_of(TlsSide side) {
  return side == TlsSide::client ? "tls_authority in options" : "--tls-authority";
}

TlsSide other(TlsSide side) { return side == TlsSide::client ? TlsSide::server : TlsSide::client; }

}  // namespace

std::string why_not_believed(TlsSide side, long verdict) {
  const auto with = [](std::string_view reason, std::string_view remedy) {
    return fmt::format("its certificate is not believed: {}; {}", reason, remedy);
  };
  const char* reason = X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return with(reason, fmt::format("renew its {}", certificate_of(other(side))));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return with(reason, "compare the clocks of both machines");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return with("it is for another name",
                  "lock_servers must name the server as its certificate does");
    default:
      return with(reason, fmt::format("{} must be who has signed it", authority_of(side)));
  }
}

std::string why_refused(TlsSide side, unsigned long why) {
  switch (ERR_GET_REASON(why)) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return fmt::format("TLS was refused: our certificate has expired; renew {}",
                         certificate_of(side));
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return fmt::format(
          "TLS was refused: our certificate is of an unknown authority; {} must be "
          "signed by who is in its {}",
          certificate_of(side), authority_of(other(side)));
    default:
      return "TLS was refused: " + openssl_text(why);
  }
}

std::string openssl_text(unsigned long error) {
  const char* const reason = ERR_SYSTEM_ERROR(error) ? ::strerrordesc_np(ERR_GET_REASON(error))
                                                     : ERR_reason_error_string(error);
  if (reason != nullptr) {
    return reason;
  }
  return error == 0 ? "for no reason given" : fmt::format("error {:#x} of OpenSSL", error);
}

}  // namespace dexlock
