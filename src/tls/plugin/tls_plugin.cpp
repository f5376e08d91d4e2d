// What libdexlock_tls.so shows; see transport/tls_library.hpp.
#include "tls/openssl_tls.hpp"
#include "transport/tls_library.hpp"

namespace dexlock {

extern "C" {

__attribute__((visibility("default"))) const char* dexlock_plugin_version() {
  return DEXLOCK_VERSION;
}

__attribute__((visibility("default"))) void dexlock_tls_make(TlsSide side, const TlsFiles& files,
                                                             Result<TlsContext>& made) {
  made = make_openssl_tls(side, files);
}
}

}  // namespace dexlock
