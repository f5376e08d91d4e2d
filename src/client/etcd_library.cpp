#include "client/etcd_library.hpp"

#ifndef DEXLOCK_STATIC
#include <dlfcn.h>
#endif

#include <filesystem>
#include <string>
#include <system_error>

namespace dexlock {

#ifdef DEXLOCK_STATIC
Result<std::unique_ptr<EtcdService>> make_etcd_service(const EtcdService::Options&) {
  return fail(Errc::bad_config,
              "etcd: a program that is linked statically cannot talk to etcd; use the Debian "
              "package, or a build with DEXLOCK_ETCD");
}
#else
namespace {

constexpr const char* kLibrary = "libdexlock_etcd.so";

void* load_etcd_library(std::string& why) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  for (const std::filesystem::path& place :
       {program.parent_path().parent_path() / "lib/dex-lock" / kLibrary,
        std::filesystem::path(DEXLOCK_PLUGIN_DIR) / kLibrary}) {
    if (std::filesystem::exists(place, error)) {
      void* library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
      if (library == nullptr) {
        why = ::dlerror();
      }
      return library;
    }
  }
  why = std::string(kLibrary) + " is not installed";
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<EtcdService>> make_etcd_service(const EtcdService::Options& options) {
  std::string why;
  void* library = load_etcd_library(why);
  if (library == nullptr) {
    return fail(
        Errc::bad_config,
        "etcd: " + why + "; install the package dex-lock-etcd, or build with DEXLOCK_ETCD=ON");
  }
  const auto version = reinterpret_cast<EtcdVersionFunction>(::dlsym(library, kEtcdPluginVersion));
  const auto make = reinterpret_cast<EtcdMakeFunction>(::dlsym(library, kEtcdPluginMake));
  if (version == nullptr || make == nullptr || std::string(version()) != DEXLOCK_VERSION) {
    return fail(Errc::bad_config, std::string("etcd: ") + kLibrary +
                                      " belongs to another version of dex-lock; install both anew");
  }
  return std::unique_ptr<EtcdService>(make(&options));
}
#endif

}  // namespace dexlock
