# One library per folder of src/; what a folder may use is what it links to here and nothing else.

set(DEXLOCK_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
    -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
    -Wno-missing-field-initializers)  # designated initialisers leave fields to their defaults
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms of the flow analysis at "text" + std::string and at aggregates of strings (GCC bugs
  # 105651, 105562 and their kin).
  list(APPEND DEXLOCK_WARNINGS -Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow
       -Wno-stringop-overread -Wno-array-bounds)
endif()
if(DEXLOCK_WERROR)
  list(APPEND DEXLOCK_WARNINGS -Werror)
endif()

add_library(dexlock_settings INTERFACE)
target_include_directories(dexlock_settings INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
target_compile_options(dexlock_settings INTERFACE ${DEXLOCK_WARNINGS})
if(DEXLOCK_SANITIZE)
  target_compile_options(dexlock_settings INTERFACE
    -fsanitize=${DEXLOCK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(dexlock_settings INTERFACE -fsanitize=${DEXLOCK_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    target_compile_options(dexlock_settings INTERFACE -fno-sanitize=vptr)  # a false alarm inside Boost.Asio
  endif()
endif()

# dexlock_folder(NAME [USES folder... library...]): the library dexlock_NAME of src/NAME.
function(dexlock_folder name)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  add_library(dexlock_${name} STATIC ${sources})
  target_link_libraries(dexlock_${name} PUBLIC dexlock_settings ${ARG_USES})
  # Reading the library's headers is most of the work: it is done once, for the first folder.
  if(name STREQUAL lock)
    target_precompile_headers(dexlock_lock PRIVATE
      <algorithm> <array> <chrono> <compare> <cstdint> <expected> <functional> <map> <memory> <optional>
      <ranges> <set> <span> <string> <string_view> <utility> <variant> <vector>)
  else()
    target_precompile_headers(dexlock_${name} REUSE_FROM dexlock_lock)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(dexlock_${name} PRIVATE -fpch-preprocess)  # lets ccache work with it
  endif()
endfunction()
