# Fuzz targets: built with the preset `fuzz` alone (clang's libFuzzer).
if(STENO_SANITIZE MATCHES fuzzer)
  foreach(target event control bus spool aws_frames wires prices json)
    add_executable(fuzz_${target} fuzz/fuzz_${target}.c)
    target_link_libraries(fuzz_${target} PRIVATE stenod_rooms steno_client steno_schema PkgConfig::ZLIB steno_flags)
    target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
    set_target_properties(fuzz_${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endforeach()
endif()
