// Where the fuzzer hands over each input.
#include <cstdint>

#include "fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dexlock::fuzz::consume({reinterpret_cast<const char*>(data), size});
  return 0;
}
