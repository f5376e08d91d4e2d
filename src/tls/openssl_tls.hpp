// TLS by OpenSSL. The program itself is not linked to it: a fifth of the time of a short command
// would go into loading it. It is in a plugin, which is loaded where lock_servers or `serve` say
// tls:// (transport/tls_library.cpp), or linked in (DEXLOCK_STATIC).
#pragma once

#include "transport/tls_context.hpp"

namespace dexlock {

[[nodiscard]] Result<TlsContext> make_openssl_tls(TlsSide side, const TlsFiles& files);

}  // namespace dexlock
