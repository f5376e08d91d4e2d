// The border of the plugin for TLS: both sides of it are of one build.
#pragma once

#include "system/plugin.hpp"
#include "transport/tls_context.hpp"

namespace dexlock {

constexpr Plugin kTlsPlugin{.file = "libdexlock_tls.so",
                            .purpose = "TLS",
                            .remedy = "install the package dex-lock, or all of the build"};
constexpr const char* kTlsPluginMake = "dexlock_tls_make";

using TlsMakeFunction = void (*)(TlsSide side, const TlsFiles& files, Result<TlsContext>& made);

}  // namespace dexlock
