#include "compat/compat_place.hpp"

#include <sys/auxv.h>

#include <cstdlib>
#include <system_error>

namespace dexlock {

using std::filesystem::path;

CompatPlace CompatPlace::of_this_call(const std::string& called_as) {
  // What exec was given. argv[0] is the bare name when a shell has found the command on PATH.
  const auto told = ::getauxval(AT_EXECFN);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,performance-no-int-to-ptr)
  const path file = told != 0 ? path(reinterpret_cast<const char*>(told)) : path(called_as);
  std::error_code error;
  const path whole = std::filesystem::absolute(file, error);
  return {.command = file.filename(), .directory = (error ? file : whole).parent_path()};
}

Result<void> CompatPlace::use() const {
  std::error_code ignored;
  if (!std::filesystem::is_directory(conf(), ignored)) {
    return fail(Errc::bad_config, conf().native() +
                                      " is no directory: make it, with the file lock_servers, "
                                      "beside the command that is called");
  }
  ::setenv("DEXLOCK_CONF", conf().c_str(), 1);
  return {};
}

path CompatPlace::main_program() {
  std::error_code error;
  const path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? path() : (self.parent_path() / DEXLOCK_MAIN_PROGRAM).lexically_normal();
}

}  // namespace dexlock
