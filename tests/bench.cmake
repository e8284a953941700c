# Benchmarks: they measure and fail nothing. ./dev bench runs them.
add_executable(bench_publish bench/bench_publish.c)
target_link_libraries(bench_publish PRIVATE steno_client steno_schema msgpackc PkgConfig::ZMQ steno_flags)
add_executable(bench_call bench/bench_call.c unit/script_server.c)
target_link_libraries(bench_call PRIVATE steno_client PkgConfig::CURL Threads::Threads steno_flags)
add_executable(bench_store bench/bench_store.c)
steno_embed(bench_store ${PROJECT_SOURCE_DIR}/schema/log.sql log_sql)
target_link_libraries(bench_store PRIVATE steno_client steno_schema PkgConfig::SQLITE steno_flags)
