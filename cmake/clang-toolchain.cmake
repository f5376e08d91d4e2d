# Builds with clang, the second compiler. Versions before 19 lack <expected> with g++'s library.
find_program(DEXLOCK_CLANG NAMES clang++-21 clang++-20 clang++-19)
if(NOT DEXLOCK_CLANG)
  message(FATAL_ERROR "The clang preset needs clang 19 or later: apt-get install clang-19")
endif()
set(CMAKE_CXX_COMPILER ${DEXLOCK_CLANG})
