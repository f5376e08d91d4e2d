# The plugin that carries OpenSSL, so that the program does not.
set_target_properties(dexlock_tls PROPERTIES POSITION_INDEPENDENT_CODE ON DISABLE_PRECOMPILE_HEADERS ON)
add_library(dexlock_tls_plugin MODULE ${CMAKE_CURRENT_LIST_DIR}/tls_plugin.cpp)
target_compile_definitions(dexlock_tls_plugin PRIVATE DEXLOCK_VERSION="${PROJECT_VERSION}")
target_link_libraries(dexlock_tls_plugin PRIVATE dexlock_tls)
target_link_options(dexlock_tls_plugin PRIVATE LINKER:--exclude-libs,ALL)
set_target_properties(dexlock_tls_plugin PROPERTIES
  OUTPUT_NAME dexlock_tls LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${DEXLOCK_PLUGINS})
install(TARGETS dexlock_tls_plugin LIBRARY DESTINATION ${DEXLOCK_PLUGINS})
