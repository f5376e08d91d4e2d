# Turns a text into a C++ function that returns it. Run as a script, at build time:
#   cmake -DINPUT=store.sh -DOUTPUT=store_program.cpp -DFUNCTION=store_program -DHEADER=shell/store_text.hpp
#         [-DWHOLE=1] -P EmbedText.cmake
# HEADER declares the function. A shell program is left without its comment lines and indentation, so that little
# has to be sent: no line of it may be inside a text of several lines and begin with a blank or with #. WHOLE: as it is.

file(READ "${INPUT}" text)
if(NOT WHOLE)
  string(REGEX REPLACE "\n[ \t]+" "\n" text "\n${text}")
  string(REGEX REPLACE "[ \t]+# [^\n'\"]*\n" "\n" text "${text}")
  string(REGEX REPLACE "\n#[^\n]*" "" text "${text}")
  string(REGEX REPLACE "\n\n+" "\n" text "${text}")
  string(REGEX REPLACE "^\n" "" text "${text}")
endif()
get_filename_component(name "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Generated from ${name}.
#include \"${HEADER}\"

namespace dexlock {

std::string_view ${FUNCTION}() {
  return R\"embedded(${text})embedded\";
}

}  // namespace dexlock
")
