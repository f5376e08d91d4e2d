#include "client/etcd_library.hpp"

#ifndef DEXLOCK_STATIC
#include "system/plugin.hpp"
#endif

namespace dexlock {

#ifdef DEXLOCK_STATIC
Result<std::unique_ptr<EtcdService>> make_etcd_service(const EtcdService::Options&) {
  return fail(Errc::bad_config,
              "etcd: a program that is linked statically cannot talk to etcd; use the Debian "
              "package, or a build with DEXLOCK_ETCD");
}
#else
Result<std::unique_ptr<EtcdService>> make_etcd_service(const EtcdService::Options& options) {
  constexpr Plugin kEtcdPlugin{
      .file = "libdexlock_etcd.so",
      .purpose = "etcd",
      .remedy = "install the package dex-lock-etcd, or build with DEXLOCK_ETCD=ON"};
  const auto make = plugin_function(kEtcdPlugin, kEtcdPluginMake);
  if (!make) {
    return std::unexpected(make.error());
  }
  std::unique_ptr<EtcdService> service(reinterpret_cast<EtcdMakeFunction>(*make)(&options));
  if (!service) {
    return fail(Errc::io, "etcd: cannot be started here; free memory, descriptors or threads");
  }
  return service;
}
#endif

}  // namespace dexlock
