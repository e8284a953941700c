foreach(room store order config ingress said)
  steno_unit_test(${room} stenod_rooms)
endforeach()

# A publisher for the system tests.
add_executable(spool_writer system/spool_writer.c ${PROJECT_SOURCE_DIR}/client/publisher.c
                            ${PROJECT_SOURCE_DIR}/client/sender.c ${PROJECT_SOURCE_DIR}/client/fork_watch.c)
target_link_libraries(spool_writer PRIVATE steno_schema PkgConfig::ZMQ Threads::Threads steno_flags)
set_target_properties(spool_writer PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

steno_system_test(test_daemon)
steno_system_test(test_daemon_faults)
steno_system_test(test_journal)
steno_system_test(test_log_shared)
steno_system_test(test_daemon_start)
steno_system_test(test_supervision)
