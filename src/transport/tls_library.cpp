// Where OpenSSL comes from: tls/openssl_tls.hpp says why.
#ifdef DEXLOCK_STATIC
#include "tls/openssl_tls.hpp"
#else
#include "system/plugin.hpp"
#endif

#include "transport/tls_context.hpp"
#include "transport/tls_library.hpp"

namespace dexlock {

#ifdef DEXLOCK_STATIC
Result<TlsContext> make_tls(TlsSide side, const TlsFiles& files) {
  return make_openssl_tls(side, files);
}
#else
Result<TlsContext> make_tls(TlsSide side, const TlsFiles& files) {
  const auto make = plugin_function(kTlsPlugin, kTlsPluginMake);
  if (!make) {
    return std::unexpected(make.error());
  }
  Result<TlsContext> made;
  reinterpret_cast<TlsMakeFunction> (*make)(side, files, made);
  return made;
}
#endif

}  // namespace dexlock
