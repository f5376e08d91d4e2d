# Turns a shell program into a C++ function that returns it, without its comment lines and indentation, so that
# little has to be sent. Run as a script, at build time:
#   cmake -DINPUT=store.sh -DOUTPUT=store_program.cpp -DFUNCTION=store_program -P EmbedText.cmake
# No line of the program may be inside a text of several lines and begin with a blank or with #.

file(READ "${INPUT}" text)
string(REGEX REPLACE "\n[ \t]+" "\n" text "\n${text}")
string(REGEX REPLACE "[ \t]+# [^\n'\"]*\n" "\n" text "${text}")
string(REGEX REPLACE "\n#[^\n]*" "" text "${text}")
string(REGEX REPLACE "\n\n+" "\n" text "${text}")
string(REGEX REPLACE "^\n" "" text "${text}")
get_filename_component(name "${INPUT}" NAME)
file(WRITE "${OUTPUT}" "// Generated from ${name}.
#include \"shell/store_text.hpp\"

namespace dexlock {

std::string_view ${FUNCTION}() {
  return R\"embedded(${text})embedded\";
}

}  // namespace dexlock
")
