if(TARGET steno_client)
add_executable(bench_publish bench/bench_publish.c)
target_link_libraries(bench_publish PRIVATE steno_client steno_schema msgpackc PkgConfig::ZMQ steno_flags)
endif()
