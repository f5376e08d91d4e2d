# The plugin that carries gRPC, so that the program does not: built where the libraries are.
if(DEXLOCK_ETCD STREQUAL OFF OR DEXLOCK_STATIC OR DEXLOCK_SANITIZE)
  return()
endif()
find_package(gRPC CONFIG QUIET)
find_package(Protobuf QUIET)
if(NOT (gRPC_FOUND AND TARGET gRPC::grpc_cpp_plugin AND TARGET protobuf::protoc))
  if(DEXLOCK_ETCD STREQUAL ON)
    message(FATAL_ERROR "DEXLOCK_ETCD=ON needs libgrpc++-dev, protobuf-compiler-grpc and libprotobuf-dev")
  endif()
  message(STATUS "etcd: no gRPC here, so no plugin for it")
  return()
endif()
set(made_dir ${CMAKE_CURRENT_BINARY_DIR}/etcd_grpc)
set(made ${made_dir}/etcd.pb.cc ${made_dir}/etcd.grpc.pb.cc)
file(MAKE_DIRECTORY ${made_dir})
add_custom_command(OUTPUT ${made} VERBATIM
  DEPENDS ${CMAKE_CURRENT_LIST_DIR}/etcd.proto
  COMMAND protobuf::protoc --proto_path=${CMAKE_CURRENT_LIST_DIR} --cpp_out=${made_dir}
          --grpc_out=${made_dir} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin> etcd.proto)
set_source_files_properties(${made} PROPERTIES COMPILE_OPTIONS -w)
add_library(dexlock_etcd_plugin MODULE ${CMAKE_CURRENT_LIST_DIR}/grpc_service.cpp ${made})
set_target_properties(dexlock_etcd_plugin PROPERTIES
  OUTPUT_NAME dexlock_etcd UNITY_BUILD OFF CXX_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/dex-lock)
target_compile_definitions(dexlock_etcd_plugin PRIVATE DEXLOCK_VERSION="${PROJECT_VERSION}")
target_include_directories(dexlock_etcd_plugin SYSTEM PRIVATE ${made_dir})
target_link_libraries(dexlock_etcd_plugin PRIVATE dexlock_settings gRPC::grpc++ protobuf::libprotobuf)
install(TARGETS dexlock_etcd_plugin LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/dex-lock)
