# The plugin that talks to etcd, so that the program needs neither HTTP/2 nor protobuf: built where
# their libraries are.
if(DEXLOCK_ETCD STREQUAL OFF OR DEXLOCK_STATIC OR DEXLOCK_SANITIZE)
  return()
endif()
find_package(Protobuf QUIET)
find_path(DEXLOCK_NGHTTP2_HEADER nghttp2/nghttp2.h)
find_library(DEXLOCK_NGHTTP2_LIBRARY nghttp2)
if(NOT (TARGET protobuf::protoc AND TARGET protobuf::libprotobuf-lite AND DEXLOCK_NGHTTP2_HEADER
        AND DEXLOCK_NGHTTP2_LIBRARY))
  if(DEXLOCK_ETCD STREQUAL ON)
    message(FATAL_ERROR "DEXLOCK_ETCD=ON needs libnghttp2-dev, libprotobuf-dev and protobuf-compiler")
  endif()
  message(STATUS "etcd: no nghttp2 or no protobuf here, so no plugin for it")
  return()
endif()
set(made_dir ${CMAKE_CURRENT_BINARY_DIR}/etcd_grpc)
set(made ${made_dir}/etcd.pb.cc)
file(MAKE_DIRECTORY ${made_dir})
add_custom_command(OUTPUT ${made} VERBATIM
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/etcd.proto
  COMMAND protobuf::protoc --proto_path=${CMAKE_CURRENT_LIST_DIR} --cpp_out=${made_dir} etcd.proto)
set_source_files_properties(${made} PROPERTIES COMPILE_OPTIONS -w)
set(here ${CMAKE_CURRENT_LIST_DIR})
add_library(dexlock_etcd_plugin MODULE
  ${here}/grpc_service.cpp ${here}/etcd_stream.cpp ${here}/grpc_channel.cpp ${here}/grpc_session.cpp
  ${made})
set_target_properties(dexlock_etcd_plugin PROPERTIES
  OUTPUT_NAME dexlock_etcd UNITY_BUILD OFF CXX_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${DEXLOCK_PLUGINS})
target_compile_definitions(dexlock_etcd_plugin PRIVATE DEXLOCK_VERSION="${PROJECT_VERSION}")
target_include_directories(dexlock_etcd_plugin SYSTEM PRIVATE ${made_dir} ${DEXLOCK_NGHTTP2_HEADER})
target_link_libraries(dexlock_etcd_plugin PRIVATE dexlock_settings ${DEXLOCK_NGHTTP2_LIBRARY}
  protobuf::libprotobuf-lite OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
install(TARGETS dexlock_etcd_plugin LIBRARY DESTINATION ${DEXLOCK_PLUGINS})
