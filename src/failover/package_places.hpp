// Where the packages of this host are described, and where what belongs to them while they run is
// kept.
//
//   CONFIGURATION/failover/NAME.conf   its settings; may be missing if there is
//   CONFIGURATION/failover/NAME        a program with start, stop and status: the package, if its
//                                      settings name nothing else
//
// CONFIGURATION is the first of the places of a configuration that has a directory failover.
//
// Threads: any; reads the environment and files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dexlock/error.hpp"
#include "failover/package_settings.hpp"

namespace dexlock {

// Read, and checked as far as files tell: programs and agents are there. Nobody has asked the
// agents yet: see package_load.hpp. bad_argument: no such name or package; bad_config, naming file
// and line; io.
[[nodiscard]] Result<PackageSettings> read_package(const std::string& name);

// By name. Those that cannot be used as well.
[[nodiscard]] std::vector<std::string> packages_here();

// Made if it is missing; this user's alone.
[[nodiscard]] Result<std::filesystem::path> package_directory(const std::string& name);

}  // namespace dexlock
