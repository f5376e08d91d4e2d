// Why a TLS connection did not come about, with what to do about it.
//
// Threads: functions without state.
#pragma once

#include <boost/system/error_code.hpp>
#include <string>

namespace dexlock {

enum class TlsSide { client, server };

// `side` does not believe the certificate of the other; `verdict` is OpenSSL's.
std::string why_not_believed(TlsSide side, long verdict);

// The other refuses `side`, in most cases for its certificate; `why` is of OpenSSL's category.
std::string why_refused(TlsSide side, const boost::system::error_code& why);

}  // namespace dexlock
