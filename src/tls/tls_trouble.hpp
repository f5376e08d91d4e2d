// Why a TLS connection did not come about, with what to do about it.
//
// Threads: functions without state.
#pragma once

#include <string>

#include "transport/tls_context.hpp"

namespace dexlock {

// `side` does not believe the certificate of the other; `verdict` is OpenSSL's.
std::string why_not_believed(TlsSide side, long verdict);

// The other refuses `side`, in most cases for its certificate; `why` is OpenSSL's error.
std::string why_refused(TlsSide side, unsigned long why);

// An error of OpenSSL's in words.
std::string openssl_text(unsigned long error);

}  // namespace dexlock
